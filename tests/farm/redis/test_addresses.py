"""Every kind of address that people have for a Redis works, or is refused in a sentence that names no secret."""

import socket
from pathlib import Path

import pytest
import redis
from kombu.entity import Queue as TicketQueue
from kombu.messaging import Consumer

from farm.errors import ServiceError
from farm.jobs.address import read_address
from farm.jobs.allowances import Memory
from farm.jobs.connection import Connection
from farm.jobs.states import cancel
from farm.jobs.store import JobStore
from farm.settings import Settings
from farm.stack import free_port
from farm.worker.celery_app import QUEUE, CeleryTickets, make_app
from tests.support.jobs import RECORD, finish_all, make_core, new_jobs
from tests.support.redises import KINDS, PASSWORD, QUOTED, answers, redis_of, serving
from tests.support.servers import wait_until

KEEPALIVE = (socket.TCP_KEEPIDLE, socket.TCP_KEEPINTVL, socket.TCP_KEEPCNT)


@pytest.mark.parametrize("kind", KINDS)
def test_the_whole_control_plane_and_the_tickets_work_on(kind: str, tmp_path: Path) -> None:
    with redis_of(kind, tmp_path) as url:
        core = make_core(url, tmp_path / "orders")
        assert "Redis" in core.connection.check() or "redis" in core.connection.check()
        Memory(core.connection).check(1000)
        jobs = core.add(3)
        with core.connection.lock("a name"):
            assert core.jobs.change_all(jobs[0].batch, lambda job: cancel(job) if job.index == 0 else job) == 1
        assert len(finish_all(core, "worker@a")) == 2
        assert core.jobs.batch(jobs[0].batch).ended

        app = make_app(Settings(redis_url=url))
        tickets = CeleryTickets(app, core.connection)
        tickets.issue(2)
        assert tickets.pending() == 2
        got: list[object] = []
        with (
            app.connection_for_read() as connection,
            Consumer(connection, [TicketQueue(QUEUE)], callbacks=[lambda _, message: got.append(message.ack())]),  # type: ignore[no-untyped-call]
        ):
            while len(got) < 2:
                connection.drain_events(timeout=10)
        assert tickets.pending() == 0
        # Nothing went elsewhere: not to the first database, where another farm may be.
        assert core.connection.redis.exists("farm:totals") == 1
        assert core.connection.address.database == core.connection.redis.connection_pool.connection_kwargs["db"]


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("garbage", "its scheme is none of"),
        ("http://127.0.0.1/0", "its scheme is none of"),
        ("redis://host/first", "its database is one whole number"),
        ("redis://host/-1", "its database is one whole number"),
        ("redis://host/1?db=2", "its database is one whole number"),
        ("redis://host/0?socket_timeout=1", "'socket_timeout' is no option"),
        ("redis://host:notaport/0", "notaport"),
        ("redis://:pa#ss@host/0", "written as %23"),
        ("redis://:pa/ss@host/0", "special characters"),
        ("unix://relative.sock", "begins with a third slash"),
        ("redis+sentinel://host:26379", "the Sentinels' name for the server is missing"),
        ("redis+sentinel://host:26379,/farm", "a host is missing"),
        ("redis+cluster://host:6379", "not on a cluster"),
        ("rediss://host/0?ssl_ca_certs=/nowhere.pem", "ssl_ca_certs names no file: /nowhere.pem"),
        ("rediss://host/0?ssl_cert_reqs=perhaps", "ssl_cert_reqs is none, optional or required"),
    ],
)
def test_what_is_no_address_is_refused_in_a_sentence(url: str, sentence: str) -> None:
    for read in (Connection, lambda text: make_app(Settings(redis_url=text))):
        with pytest.raises(ServiceError, match="FARM_REDIS_URL is no Redis address") as refused:
            read(url)
        assert sentence in str(refused.value)
        assert "pa#ss" not in str(refused.value)
        assert "ss@host" not in str(refused.value)


def test_an_address_shows_where_and_never_the_secret() -> None:
    for url in (
        "redis://us3r:s3cret@host:1/2",
        "rediss://us3r:s3cret@host:1/2?ssl_cert_reqs=none",
        "unix://us3r:s3cret@/run/redis.sock?db=2",
        "redis+sentinel://us3r:s3cret@a:1,b:2/farm/2?sentinel_password=s3cret",
        "redis://s3cret@host:1/2",
    ):
        address = read_address(url)
        assert "s3cret" not in f"{address} {address!r}"
        assert address.database == 2
    assert str(read_address("redis://[::1]:7/1")) == "[::1]:7/1"


def refused(url: str) -> str:
    """The sentence with which a farm cannot work there: for its own connection, and for its tickets."""
    with pytest.raises(ServiceError) as own:
        Connection(url).check()
    jobs = new_jobs(1)
    with pytest.raises(ServiceError) as batch:
        JobStore(Connection(url)).add_batch(jobs[0].batch, RECORD, jobs)
    with pytest.raises(ServiceError) as ticket:
        CeleryTickets(make_app(Settings(redis_url=url)), Connection(url)).issue(1)
    for error in (own, batch, ticket):
        assert PASSWORD not in str(error.value)
        assert "wrong-password" not in str(error.value)
    assert str(ticket.value).split(" (")[0] == str(own.value).split(" (")[0]
    return str(own.value)


def test_what_a_server_refuses_is_a_sentence(tmp_path: Path) -> None:
    port = free_port()
    users = (
        f'requirepass "{PASSWORD}"',
        f'user reader on ">{PASSWORD}" ~* &* +@read +@connection',
        f'user elsewhere on ">{PASSWORD}" ~other:* &* +@all',
        "databases 4",
    )
    with serving(tmp_path, port, *users), redis.Redis(port=port, password=PASSWORD) as client:
        wait_until(lambda: answers(client), "the server")
        place = f"127.0.0.1:{port}"
        assert "does not accept the user and the password" in refused(f"redis://{place}/0")
        assert "does not accept the user and the password" in refused(f"redis://:wrong-password@{place}/0")
        assert "ACL SETUSER" in refused(f"redis://reader:{QUOTED}@{place}/0")
        assert "ACL SETUSER" in refused(f"redis://elsewhere:{QUOTED}@{place}/0")
        assert "has no database of that number" in refused(f"redis://:{QUOTED}@{place}/9")
        with pytest.raises(ServiceError, match="rediss:// only where it has TLS"):
            Connection(f"rediss://:{QUOTED}@{place}/0").check()
        assert "is not known to the Sentinels" in refused(f"redis+sentinel://{place}/farm")
        client.config_set("maxmemory", 1)
        assert "has no memory left and takes no writes" in refused(f"redis://:{QUOTED}@{place}/0")


def test_a_certificate_of_an_unknown_authority_is_named(tmp_path: Path) -> None:
    with redis_of("TLS with its own CA", tmp_path) as url:
        assert "?ssl_ca_certs=FILE" in refused(url.partition("?")[0])


def test_a_cluster_is_refused_in_a_sentence(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port, "cluster-enabled yes"), redis.Redis(port=port) as client:
        wait_until(lambda: answers(client), "the server")
        assert "is a cluster" in refused(f"redis://127.0.0.1:{port}/0")  # which has no slots yet
        client.execute_command("CLUSTER ADDSLOTSRANGE", 0, 16383)
        wait_until(lambda: client.cluster("INFO")["cluster_state"] == "ok", "the cluster")
        assert "is a cluster" in refused(f"redis://127.0.0.1:{port}/0")
        assert "is a cluster" in refused(f"redis://127.0.0.1:{port}/1")


def test_a_replica_and_a_missing_replica_are_named(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port), redis.Redis(port=port) as client:
        wait_until(lambda: answers(client), "the server")
        client.config_set("min-replicas-to-write", 1)
        assert "min-replicas-to-write" in refused(f"redis://127.0.0.1:{port}/0")
        client.replicaof("127.0.0.1", "1")
        client.config_set("min-replicas-to-write", 0)
        assert "is a read-only replica" in refused(f"redis://127.0.0.1:{port}/0")


def test_a_server_that_cannot_save_is_named(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path, port), redis.Redis(port=port) as client:
        wait_until(lambda: answers(client), "the server")
        client.config_set("save", "3600 1")
        client.set("a", "b")
        (tmp_path / "dump.rdb").mkdir()  # root writes everywhere, but not over a folder
        client.bgsave()
        wait_until(lambda: client.info("persistence")["rdb_last_bgsave_status"] == "err", "the save failing")
        assert "cannot save its data" in refused(f"redis://127.0.0.1:{port}/0")


def test_a_peer_that_is_gone_without_a_word_is_missed_in_half_a_minute_by_the_kernel_too(fresh_redis: str) -> None:
    """Ours and Celery's connections alike: a worker that only waits for tickets sends nothing that could fail."""
    ours = Connection(fresh_redis).redis.connection_pool
    celerys = make_app(Settings(redis_url=fresh_redis)).connection_for_read().channel().client.connection_pool
    for pool in (ours, celerys):
        connection = pool.get_connection()
        try:
            ask = connection._sock.getsockopt
            assert ask(socket.SOL_SOCKET, socket.SO_KEEPALIVE) == 1
            idle, every, count = (ask(socket.IPPROTO_TCP, option) for option in KEEPALIVE)
            assert idle + every * count <= 30
            assert 0 < ask(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) <= 30_000
        finally:
            pool.release(connection)
