"""Every event comes once, whoever is killed or stopped meanwhile: the API, Redis, all that Redis held."""

import signal
import socket
import threading
import time
from pathlib import Path

import httpx

from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.events import BEGINNING
from farm.jobs.states import job_id
from farm.jobs.store import JobStore
from farm.process import spawn
from farm.stack import free_port
from farm.valkey import valkey_command
from tests.api.events.streams import Follower, api_on, finish, ids_in_redis, new_batch, stream
from tests.support.servers import PATIENCE_SECONDS, Api, api_server, end, wait_until


def test_an_open_stream_whose_redis_lost_everything_ends_and_its_client_is_told(
    api: Api, connection: Connection, jobs: JobStore
) -> None:
    finish(jobs, new_batch(jobs))
    follower = Follower(api.url, "/v1/events")
    wait_until(lambda: follower.last != "", "the stream")
    connection.redis.flushall()
    new_batch(jobs)

    wait_until(lambda: any(told.event == "reset" for told in follower.told), "the reset")
    batch = new_batch(jobs)
    wait_until(lambda: bool(follower.ids), "an event")
    follower.stopped = True
    assert follower.told[-1].data == {"batch": batch, "change": "created"}


def test_every_event_comes_once_although_the_api_is_killed_and_stopped_in_mid_stream(
    fresh_redis: str, connection: Connection, jobs: JobStore, tmp_path: Path
) -> None:
    ways = (signal.SIGKILL, signal.SIGTERM, signal.SIGKILL)
    batch = new_batch(jobs, models=20 * (len(ways) + 1))
    environment = api_on(tmp_path, fresh_redis)
    rounds = threading.Semaphore(0)
    work = threading.Thread(target=slowly, args=(jobs, batch, rounds))
    work.start()
    follower = Follower("http://127.0.0.1:9", f"/v1/batches/{batch}/events")  # nobody is there yet
    watcher = Follower("http://127.0.0.1:9", f"/v1/events?after={BEGINNING}")

    def both_see(count: int) -> None:
        wait_until(lambda: min(len(follower.ids), len(watcher.ids)) >= count, "events")

    for number, how in enumerate(ways):
        with api_server(tmp_path / str(number), environment) as server:
            follower.url = watcher.url = server.url
            wait_until(lambda: bool(follower.last), "the stream")
            rounds.release()
            both_see(100 * number + 30)
            end(server.process, how)
    with api_server(tmp_path / "last", environment) as server:
        follower.url = watcher.url = server.url
        rounds.release()
        work.join(PATIENCE_SECONDS)
        follower.join(PATIENCE_SECONDS)
        both_see(len(follower.ids))
        watcher.stopped = True

    assert not follower.is_alive()  # it heard 204
    created, *expected = ids_in_redis(connection, batch)
    assert len(expected) == 4 * 20 * 5 + 1
    assert follower.ids == expected
    assert watcher.ids == [created, *expected]
    assert follower.connections == watcher.connections == 4
    assert [told.event for told in follower.told].count("snapshot") == 1


def slowly(jobs: JobStore, batch: str, rounds: threading.Semaphore) -> None:
    """End the jobs of the batch, twenty for each of the `rounds`."""
    for job in jobs.jobs(batch):
        if job.index % 20 == 0:
            rounds.acquire()
        attempt = jobs.change(job.id, lambda j: states.claim(j, "worker@one")).attempt
        for images in (2, 4, 8):
            jobs.change(job.id, lambda j, a=attempt, i=images: states.progress(j, a, i))  # type: ignore[misc]
            time.sleep(0.03)
        jobs.change(job.id, lambda j, a=attempt: states.finish(j, a))  # type: ignore[misc]


def test_a_stream_stays_open_while_redis_is_killed_and_goes_on_afterwards(tmp_path: Path) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    command = [*valkey_command(), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    command += ["--appendonly", "yes", "--appendfsync", "always"]

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    redis = spawn(command, tmp_path / "valkey.log")
    try:
        wait_until(answers, "Valkey listening")
        connection = Connection(url)
        jobs = JobStore(connection)
        batch = new_batch(jobs)
        with api_server(tmp_path, api_on(tmp_path, url)) as server:
            follower = Follower(server.url, f"/v1/batches/{batch}/events")
            wait_until(lambda: follower.last != "", "the stream")
            jobs.change(job_id(batch, 0), states.cancel)
            wait_until(lambda: len(follower.ids) == 1, "the first event")
            end(redis)
            assert httpx.get(f"{server.url}/v1/events", trust_env=False, timeout=PATIENCE_SECONDS).status_code == 503
            time.sleep(1.5)
            redis = spawn(command, tmp_path / "valkey.log")
            wait_until(answers, "Valkey listening again")
            jobs.change(job_id(batch, 1), states.cancel)
            follower.join(PATIENCE_SECONDS)
            assert not follower.is_alive()
        assert follower.ids == ids_in_redis(connection, batch)[1:]
        assert [told.data.get("change") for told in follower.told][-1] == "ended"
        assert follower.connections == 1
    finally:
        end(redis)


def test_the_api_stops_at_once_although_streams_are_open(fresh_redis: str, jobs: JobStore, tmp_path: Path) -> None:
    batch = new_batch(jobs)
    with api_server(tmp_path, api_on(tmp_path, fresh_redis)) as server:
        ends: list[str] = []

        def follow(path: str) -> None:
            with stream(server.url, path) as found:
                for _ in found:
                    open_streams.release()
                ends.append(path)  # by its own last chunk: anything else would raise

        open_streams = threading.Semaphore(0)
        threads = [
            threading.Thread(target=follow, args=(path,)) for path in ("/v1/events", f"/v1/batches/{batch}/events")
        ]
        for thread in threads:
            thread.start()
        for _ in range(3):  # two greetings and a snapshot
            assert open_streams.acquire(timeout=PATIENCE_SECONDS)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(PATIENCE_SECONDS)
        for thread in threads:
            thread.join(PATIENCE_SECONDS)

    assert len(ends) == 2
    log = (tmp_path / "api.log").read_text("utf-8")
    assert "timeout graceful shutdown exceeded" not in log  # uvicorn had nothing to cut
    assert "Traceback" not in log
