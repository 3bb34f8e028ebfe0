"""Server-sent events of a real API: what a client is told, from where, and what it is refused."""

import json
import time

import httpx
import pytest

from api.events import BEAT_SECONDS
from farm.errors import SpecError
from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.events import BEGINNING, Events, EventsLostError
from farm.jobs.states import job_id
from farm.jobs.store import JobStore
from tests.api.events.streams import SECRET, finish, ids_in_redis, new_batch, stream
from tests.support.servers import PATIENCE_SECONDS, Api


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
