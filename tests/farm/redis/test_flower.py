"""Flower shows the queue of a Redis with a database, a password and TLS; no process is started with a password."""

import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest
from kombu.utils.json import dumps

from farm.jobs.address import read_address
from farm.jobs.connection import Connection
from farm.process import spawn
from farm.settings import Settings
from farm.stack import free_port
from farm.worker.celery_app import CeleryTickets, make_app
from tests.support.redises import PASSWORD, QUOTED, redis_of
from tests.support.servers import end, wait_until

pytest.importorskip("flower")


@pytest.mark.parametrize(
    "url",
    [
        f"redis://user:{QUOTED}@host:6379/1",
        f"rediss://:{QUOTED}@host/0?ssl_cert_reqs=none",
        f"unix://:{QUOTED}@/run/redis.sock?db=2",
        f"redis+sentinel://:{QUOTED}@host:26379,other/mymaster/0?sentinel_username=u&sentinel_password={QUOTED}",
    ],
)
def test_a_worker_can_be_asked_for_its_broker_and_names_no_secret(url: str) -> None:
    # As Celery's worker answers `inspect stats` and `inspect conf`, of which Flower makes the page of a worker.
    app = make_app(Settings(redis_url=url))
    broker = {name: value for name, value in app.connection().info().items() if name != "password"}
    options = app.conf.table(with_defaults=False)["broker_transport_options"]

    told = dumps([broker, options])  # type: ignore[no-untyped-call]  # kombu says no types here

    assert read_address(url).secrets
    assert not [secret for secret in (PASSWORD, QUOTED) if secret in told]


@pytest.mark.parametrize("kind", ["TLS with its own CA", "a database, and a password of special characters"])
def test_flower_counts_the_tickets_of(kind: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(redis_of(kind, tmp_path))
        CeleryTickets(make_app(Settings(redis_url=url)), Connection(url)).issue(3)
        port = free_port()
        command = [sys.executable, "-m", "farm", "flower", "--port", str(port)]
        process = spawn(
            command, tmp_path / "flower.log", {"FARM_REDIS_URL": url, "FARM_FLOWER_BASIC_AUTH": "user:other-word"}
        )
        try:

            def length() -> int | None:
                try:
                    found = httpx.get(
                        f"http://127.0.0.1:{port}/api/queues/length",
                        auth=("user", "other-word"),
                        timeout=10,
                        trust_env=False,
                    )
                    return {queue["name"]: queue["messages"] for queue in found.json()["active_queues"]}.get("render")
                except (httpx.HTTPError, ValueError, KeyError):
                    return None

            wait_until(lambda: length() == 3, f"Flower counting: {(tmp_path / 'flower.log').read_text()}")
            arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
            for secret in (PASSWORD, QUOTED, "other-word"):
                assert secret not in arguments
                assert secret not in (tmp_path / "flower.log").read_text()
        finally:
            end(process)
