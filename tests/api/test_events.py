"""Server-sent events of a real API: every event once, whoever is killed meanwhile, and nobody is held up by slow clients."""

import asyncio
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from api.events import BEAT_SECONDS
from farm.errors import SpecError
from farm.jobs import states
from farm.jobs.batches import BatchRecord, Webhook
from farm.jobs.connection import Connection
from farm.jobs.events import BEGINNING, Events, EventsLostError
from farm.jobs.states import Job, job_id
from farm.jobs.store import JobStore, new_id, utc_now
from farm.process import spawn
from farm.spec import RenderSpec
from farm.stack import free_port, valkey_command
from tests.support.servers import PATIENCE_SECONDS, Api, api_server, end, wait_until

SECRET = "the receiver's secret"


def api_on(folder: Path, redis_url: str) -> dict[str, str]:
    return {"FARM_REDIS_URL": redis_url, "FARM_STORAGE_URL": f"file://{folder / 'store'}", "FARM_RATE_LIMIT": "0"}


@pytest.fixture(scope="module")
def api(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    with api_server(folder, api_on(folder, redis_url)) as server:
        yield server


@pytest.fixture
def connection(fresh_redis: str) -> Connection:
    return Connection(fresh_redis)


@pytest.fixture
def jobs(connection: Connection) -> JobStore:
    return JobStore(connection)


def new_batch(jobs: JobStore, models: int = 2, name: str = "momo\u2028モモ", images: int = 8) -> str:
    batch = new_id()
    found = [Job(job_id(batch, index), "0" * 64, name, {}, 1, images, "1" * 64) for index in range(models)]
    record = BatchRecord("a name", RenderSpec(), utc_now(), "", Webhook("http://hook.invalid/", SECRET))
    jobs.add_batch(batch, record, found, paused=True)
    return batch


def finish(jobs: JobStore, batch: str) -> None:
    """End every job: five events each."""
    for job in jobs.jobs(batch):
        attempt = jobs.change(job.id, lambda j: states.claim(j, "worker@one")).attempt
        for images in (2, 4, 8):
            jobs.change(job.id, lambda j, a=attempt, i=images: states.progress(j, a, i))  # type: ignore[misc]
        jobs.change(job.id, lambda j, a=attempt: states.finish(j, a))  # type: ignore[misc]


@dataclass
class Told:
    """A block of a stream."""

    id: str = ""
    event: str = ""
    data: dict[str, object] = field(default_factory=dict)
    comment: str = ""


class Refused(Exception):
    """The API answered with another status than 200."""


@contextmanager
def stream(url: str, path: str, last: str = "", seconds: float = PATIENCE_SECONDS) -> Iterator[Iterator[Told]]:
    headers = {"Last-Event-ID": last} if last else {}
    with httpx.stream("GET", url + path, headers=headers, timeout=seconds, trust_env=False) as answer:
        if answer.status_code != 200:
            raise Refused(answer.status_code)
        assert answer.headers["content-type"].startswith("text/event-stream")
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["x-accel-buffering"] == "no"
        yield blocks(answer)


def blocks(answer: httpx.Response) -> Iterator[Told]:
    told, rest = Told(), ""
    for text in answer.iter_text():
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            name, _, value = line.partition(": ")
            match name:
                case "id":
                    told.id = value
                case "event":
                    told.event = value
                case "data":
                    told.data = json.loads(value)
                case "":
                    if value:
                        told.comment = value
                    else:
                        yield told
                        told = Told()


class Follower(threading.Thread):
    """A client that comes back with the last id whenever its stream ends, until 204 says that there is no more."""

    def __init__(self, url: str, path: str) -> None:
        super().__init__(daemon=True)
        self.url, self._path = url, path
        self.last = ""
        self.told: list[Told] = []
        self.connections = 0
        """Streams that brought an event. One that is opened while the API stops ends behind its greeting, as it should:
        whoever comes back before the port is closed is sent away with an answer, not with a broken connection."""
        self.stopped = False
        self.start()

    def run(self) -> None:
        while not self.stopped:
            try:
                with stream(self.url, self._path, self.last) as found:
                    silent = True
                    for told in found:
                        self.last = told.id or self.last
                        if told.event:
                            self.connections += silent
                            silent = False
                            self.told.append(told)
                        if self.stopped:
                            return
            except Refused as refusal:
                if refusal.args == (204,):
                    return
            except httpx.HTTPError:
                pass
            time.sleep(0.05)

    @property
    def ids(self) -> list[str]:
        return [told.id for told in self.told if told.event in ("job", "batch")]


def ids_in_redis(connection: Connection, batch: str | None = None, after: str = BEGINNING) -> list[str]:
    events, ids = Events(connection), []
    while True:
        found, position = events.read(after, batch)
        ids += [event.id for event in found]
        if position == after:
            return ids
        after = position


def test_a_batch_is_followed_from_its_snapshot_to_its_end(api: Api, connection: Connection, jobs: JobStore) -> None:
    batch, other = new_batch(jobs), new_batch(jobs)
    with stream(api.url, f"/v1/batches/{batch}/events") as found:
        hello, snapshot = next(found), next(found)
        finish(jobs, other)
        finish(jobs, batch)
        told = list(found)

    assert (hello.id, hello.event) == (snapshot.id, "")
    assert snapshot.event == "snapshot"
    assert snapshot.data == httpx.get(f"{api.url}/v1/batches/{batch}", trust_env=False).json() | {
        key: snapshot.data[key] for key in ("jobs", "images_done", "rate", "ended", "ended_at", "eta_seconds")
    }
    assert (snapshot.data["images_done"], snapshot.data["ended"]) == (0, False)
    assert SECRET not in json.dumps(snapshot.data)
    assert [each.id for each in told] == ids_in_redis(connection, batch, snapshot.id)
    assert [(each.event, each.data["state"]) for each in told[:5]] == [
        ("job", "leased"), ("job", "rendering"), ("job", "rendering"), ("job", "uploading"), ("job", "done"),
    ]  # fmt: skip
    assert told[0].data["name"] == "momo\u2028モモ"
    assert (told[-1].event, told[-1].data) == ("batch", {"batch": batch, "change": "ended"})
    assert all(each.data["batch"] == batch for each in told)


def test_who_has_all_of_an_ended_batch_is_told_to_stay_away(api: Api, connection: Connection, jobs: JobStore) -> None:
    batch = new_batch(jobs)
    finish(jobs, batch)
    finish(jobs, new_batch(jobs))
    path = f"{api.url}/v1/batches/{batch}/events"
    *_, before, last = ids_in_redis(connection, batch)

    def status(after: str) -> int:
        return httpx.get(path, headers={"Last-Event-ID": after}, trust_env=False, timeout=PATIENCE_SECONDS).status_code

    assert status(last) == 204
    assert status(ids_in_redis(connection)[-1]) == 204
    with stream(api.url, f"/v1/batches/{batch}/events", before) as found:
        assert [told.id for told in found if told.event] == [last]
    with stream(api.url, f"/v1/batches/{batch}/events") as found:
        (snapshot,) = [told for told in found if told.event]
        assert (snapshot.event, snapshot.data["ended"]) == ("snapshot", True)


def test_a_batch_that_is_retried_is_followed_again(api: Api, jobs: JobStore) -> None:
    batch = new_batch(jobs, models=1)
    jobs.change_all(batch, states.cancel)
    with stream(api.url, f"/v1/batches/{batch}/events") as found:
        first = [told for told in found if told.event][-1]
    jobs.change_all(batch, states.retry)
    with stream(api.url, f"/v1/batches/{batch}/events", first.id) as found:
        finish(jobs, batch)
        told = [each for each in found if each.event]

    assert [each.data.get("change", each.data.get("state")) for each in told] == [
        "queued", "reopened", "leased", "rendering", "rendering", "uploading", "done", "ended",
    ]  # fmt: skip


def test_all_batches_are_followed_from_now_on_from_an_event_on_or_from_the_beginning(
    api: Api, connection: Connection, jobs: JobStore
) -> None:
    one = new_batch(jobs)
    finish(jobs, one)
    begun = len(ids_in_redis(connection))
    with stream(api.url, "/v1/events") as found:
        assert next(found).event == ""
        two = new_batch(jobs)
        finish(jobs, two)
        news = [next(found).id for _ in range(12)]
    ids = ids_in_redis(connection)
    assert news == ids[begun:]

    for path, expected in (
        (f"/v1/events?after={BEGINNING}", ids),
        (f"/v1/events?after={ids[4]}", ids[5:]),
        (f"/v1/events?after={BEGINNING}&batch={two}", ids_in_redis(connection, two)),
    ):
        with stream(api.url, path) as found:
            next(found)
            assert [next(found).id for _ in expected] == expected
    with stream(api.url, f"/v1/events?after={ids[0]}", last=ids[9]) as found:  # a browser that comes back
        next(found)
        assert next(found).id == ids[10]


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        (f"/v1/batches/{'0' * 16}/events", 404, "not-found"),
        (f"/v1/events?batch={'0' * 16}", 404, "not-found"),
        ("/v1/events?after=yesterday", 422, "request-invalid"),
        ("/v1/events?after=1-2-3", 422, "request-invalid"),
    ],
)
def test_what_cannot_be_followed_is_a_problem_before_the_stream_begins(
    api: Api, connection: Connection, path: str, status: int, code: str
) -> None:
    answer = httpx.get(api.url + path, trust_env=False, timeout=PATIENCE_SECONDS)

    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_who_was_away_for_too_long_is_told_so(api: Api, connection: Connection, jobs: JobStore) -> None:
    batch = new_batch(jobs)
    finish(jobs, batch)
    batch = new_batch(jobs)
    first, *_, last = ids_in_redis(connection)
    connection.redis.xtrim("farm:events", maxlen=5, approximate=False)
    newer_than_all = f"{int(last.partition('-')[0]) + 10**6}-0"  # what Redis gave before it lost its newest events

    for id_ in (first, newer_than_all):
        with stream(api.url, f"/v1/batches/{batch}/events", id_) as found:
            told = [next(found) for _ in range(3)]
        assert [each.event for each in told] == ["", "reset", "snapshot"]
        assert told[1].data["code"] == "events-lost"
        assert {each.id for each in told} == {last}
        with stream(api.url, "/v1/events", id_) as found:
            assert [next(found).event for _ in range(2)] == ["", "reset"]
            jobs.change(job_id(batch, 0), states.cancel)
            assert next(found).event == "job"
        jobs.change(job_id(batch, 0), states.retry)
        last = ids_in_redis(connection, after=last)[-1]


def test_ids_that_are_none_and_ids_that_are_too_old_are_refused(connection: Connection, jobs: JobStore) -> None:
    events = Events(connection)
    assert events.last() == BEGINNING
    assert events.read(BEGINNING) == ([], BEGINNING)
    with pytest.raises(EventsLostError):
        events.read("1-0")  # Redis has lost all
    new_batch(jobs)
    assert [event.data["change"] for event in events.read(BEGINNING)[0]] == ["created"]
    with pytest.raises(EventsLostError):
        events.read("1-0")
    with pytest.raises(SpecError):
        events.read("yesterday")


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


def test_a_quiet_stream_beats_and_its_client_comes_back_without_old_ids(
    api: Api, connection: Connection, jobs: JobStore
) -> None:
    batch = new_batch(jobs)
    began = time.monotonic()
    with stream(api.url, f"/v1/batches/{batch}/events") as found:
        next(found), next(found)
        finish(jobs, new_batch(jobs))
        beat = next(found)

    assert time.monotonic() - began >= BEAT_SECONDS
    assert (beat.event, beat.comment, beat.data) == ("", "still here", {})
    assert beat.id == ids_in_redis(connection)[-1]  # what happened to others counts as seen


def test_two_hundred_clients_get_everything_while_others_do_not_read(
    api: Api, connection: Connection, jobs: JobStore
) -> None:
    batch = new_batch(jobs, models=100)
    port = httpx.URL(api.url).port
    request = b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    async def read(received: list[int]) -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        ids = 0
        while b'"ended"' not in (line := await reader.readline()):
            assert line, "The stream has ended"
            ids += line.startswith(b"id: ")
            if ids == 1 and line.startswith(b"id: "):
                opened.release()  # what happens from now on comes to it
        received.append(ids)
        writer.close()

    async def all_of_them() -> list[int]:
        received: list[int] = []
        readers = [asyncio.create_task(read(received)) for _ in range(200)]
        idle = [await asyncio.open_connection("127.0.0.1", port) for _ in range(10)]
        for reader, writer in idle:
            writer.write(request)
            await reader.readline()  # its stream is open; what follows is left lying
        for _ in readers:
            await opened.acquire()
        worker = asyncio.create_task(asyncio.to_thread(finish, jobs, batch))
        async with httpx.AsyncClient(base_url=api.url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
            while not all(reader.done() for reader in readers):
                assert (await client.get(f"/v1/batches/{batch}")).is_success  # others are answered meanwhile
                await asyncio.sleep(0.1)
        await asyncio.gather(worker, *readers)
        for _, writer in idle:
            writer.close()
        return received

    opened = asyncio.Semaphore(0)

    assert asyncio.run(all_of_them()) == [1 + 100 * 5 + 1] * 200  # the greeting, five a job, and the end


def test_a_client_that_does_not_read_for_long_loses_nothing(api: Api, connection: Connection, jobs: JobStore) -> None:
    """GIVEN more events than the API remembers and the network holds, 15 MB of them."""
    batch = new_batch(jobs, models=500, name="m" * 1000, images=100)
    with stream(api.url, f"/v1/batches/{batch}/events") as found:
        assert [next(found).event for _ in range(2)] == ["", "snapshot"]
        jobs.change_all(batch, lambda job: states.claim(job, "worker@one"))
        for images in range(1, 23):
            jobs.change_all(batch, lambda job, i=images: states.progress(job, 1, i))  # type: ignore[misc]
        last, position = Events(connection).last(), BEGINNING
        while position != last:  # others are not held up; the past comes in parts
            with stream(api.url, f"/v1/events?after={position}") as other:
                for told in other:
                    position = told.id or position
                    if position == last:
                        break
        jobs.change_all(batch, states.cancel)
        ids = [told.id for told in found if told.event]

    assert len(ids) == 24 * 500 + 1
    assert ids == ids_in_redis(connection, batch)[1:]


def test_too_many_streams_are_refused_and_those_that_went_make_room(api: Api, connection: Connection) -> None:
    port = httpx.URL(api.url).port
    request = b"GET /v1/events HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"

    async def fill() -> httpx.Response:
        clients = []
        for _ in range(500):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request)
            assert (await asyncio.wait_for(reader.readline(), PATIENCE_SECONDS)) == b"HTTP/1.1 200 OK\r\n"
            clients.append(writer)
        async with httpx.AsyncClient(base_url=api.url, trust_env=False, timeout=PATIENCE_SECONDS) as client:
            refused = await client.get("/v1/events")
        for writer in clients:
            writer.close()
        return refused

    refused = asyncio.run(fill())

    assert (refused.status_code, refused.json()["code"]) == (503, "too-many-streams")
    assert refused.headers["retry-after"] == "10"

    def room() -> bool:
        try:
            with stream(api.url, "/v1/events") as found:
                return next(found).event == ""
        except Refused:
            return False

    wait_until(room, "room for another stream")
