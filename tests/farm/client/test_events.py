"""The Python SDK follows a farm: its stream of events, and a batch until its end."""

import gc
import threading
import time
import weakref

import pytest

from farm.client import BatchView, FarmClient, JobView, RefusedError
from farm.client.events import messages
from farm.client.watch import Source, watch
from farm.jobs.states import State, finish, job_id, progress
from tests.farm.client.farm import Farm
from tests.support import servers
from tests.support.faults import Fault, FaultyProxy


def test_no_event_is_missed_over_lost_connections(farm: Farm, proxy: FaultyProxy) -> None:
    # GIVEN a stream through a proxy that resets every connection now and then
    batch = farm.batch_of(60)
    seen: list[tuple[str, str]] = []
    client = FarmClient(proxy.endpoint)
    stream = client.events(batch)

    def read() -> None:
        seen.extend((event.data["job"], event.data["state"]) for event in stream if event.kind == "job")

    reader = threading.Thread(target=read)
    reader.start()
    assert stream.opened.wait(servers.PATIENCE_SECONDS)
    servers.wait_until(lambda: stream.last_id != "", "the first position")

    # WHEN jobs end meanwhile
    for place in range(60):
        if place % 15 == 7:
            proxy.fault = Fault.REFUSE
        if place % 15 == 12:
            proxy.fault = Fault.OK
        farm.done(job_id(batch, place))
        time.sleep(0.03)

    # THEN each of their changes came once, in order, and the stream ended with the batch
    reader.join(servers.PATIENCE_SECONDS)
    assert not reader.is_alive()
    client.close()
    assert seen == [(job_id(batch, place), state) for place in range(60) for state in ("leased", "done")]


def test_a_stream_goes_on_behind_an_event_and_a_batch_that_has_ended_ends_it(farm: Farm) -> None:
    batch = farm.batch_of(2)
    with farm.client.events(batch) as stream:
        assert next(stream).kind == "snapshot"
        farm.done(job_id(batch, 0))
        first = next(stream)
    farm.done(job_id(batch, 1))

    rest = list(farm.client.events(batch, after=first.id))

    assert [event.data.get("state", event.data.get("change")) for event in rest] == ["done", "leased", "done", "ended"]
    assert [event.kind for event in farm.client.events(batch)] == ["snapshot"]
    assert list(farm.client.events(batch, after=rest[-1].id)) == []


def test_a_stream_is_closed_from_another_thread(farm: Farm) -> None:
    stream = farm.client.events()
    reader = threading.Thread(target=lambda: list(stream))
    reader.start()
    assert stream.opened.wait(servers.PATIENCE_SECONDS)

    stream.close()

    reader.join(servers.PATIENCE_SECONDS)
    assert not reader.is_alive()


def test_a_stream_that_is_left_is_no_garbage_to_be_searched_for(farm: Farm) -> None:
    batch = farm.batch_of(1)
    gc.disable()
    try:
        with farm.client.events(batch) as stream:
            assert next(stream).kind == "snapshot"
        left = weakref.ref(stream)
        del stream
        assert left() is None
    finally:
        gc.enable()


def test_a_stream_that_is_refused_says_why(farm: Farm) -> None:
    with pytest.raises(RefusedError, match="There is no batch"):
        next(farm.client.events("0" * 16))


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_blocks_are_read_however_the_bytes_come(size: int) -> None:
    data = ': hello\r\n\r\nretry: 5\nid: 1-0\n\nid: 2-0\nevent: job\ndata: {"name":\ndata: "a\u2028b"}\n\nid: 9-0\ndata: cut'
    raw = data.encode()

    found = list(messages(raw[at : at + size] for at in range(0, len(raw), size)))

    assert [(m.id, m.kind, m.data) for m in found] == [
        (None, "message", ""),
        ("1-0", "message", ""),
        ("2-0", "job", '{"name":\n"a\u2028b"}'),
    ]


def follow(
    farm: Farm, batch: str, work: object, source: Source | None = None, told: list[JobView] | None = None
) -> tuple[list[JobView], BatchView]:
    """The jobs that were told while `work` was done, in `told` as soon as they are, and the batch at the end."""
    assert callable(work)
    told = [] if told is None else told
    begun = False
    for update in watch(source, True) if source else farm.client.watch(batch, jobs=True):
        told += update.ended
        if not begun:
            begun = True
            worker = threading.Thread(target=work)
            worker.start()
    worker.join()
    return told, update.batch


def test_every_job_that_ends_is_told_once_and_those_that_had_ended_too(farm: Farm) -> None:
    batch = farm.batch_of(120)
    farm.done(job_id(batch, 0))
    farm.failed(job_id(batch, 1))

    def work() -> None:
        for place in range(2, 120):
            farm.done(job_id(batch, place))

    told, ended = follow(farm, batch, work)

    assert sorted(job.id for job in told) == sorted(job_id(batch, place) for place in range(120))
    assert {job.state for job in told} == {State.DONE, State.FAILED}
    assert (ended.ended, ended.images_done) == (True, 119 * 8)


def test_a_job_that_is_retried_meanwhile_is_told_again(farm: Farm) -> None:
    batch = farm.batch_of(2)
    first, second = job_id(batch, 0), job_id(batch, 1)
    told: list[JobView] = []

    def work() -> None:
        farm.failed(first)
        servers.wait_until(lambda: bool(told), "the failure being told")
        farm.client.retry_job(first)
        farm.done(first)
        farm.done(second)

    follow(farm, batch, work, told=told)

    assert [(job.id, job.state) for job in told] == [
        (first, State.FAILED), (first, State.DONE), (second, State.DONE),
    ]  # fmt: skip


def test_without_a_stream_the_batch_is_asked_for(farm: Farm) -> None:
    batch = farm.batch_of(3)
    client = farm.client
    deaf = Source(
        batch=lambda: client.batch(batch),
        jobs=lambda states: client.jobs(batch, states),
        job=client.job,
        events=lambda: client.events("0" * 16),  # is refused
    )

    def work() -> None:
        for place in range(3):
            farm.done(job_id(batch, place))
            time.sleep(0.3)

    told, ended = follow(farm, batch, work, deaf)

    assert [job.id for job in told] == [job_id(batch, place) for place in range(3)]
    assert ended.ended


def test_progress_shows_while_a_model_is_drawn(farm: Farm) -> None:
    batch = farm.batch_of(1)
    job = job_id(batch, 0)
    farm.begin(job)
    seen: list[int] = []
    for update in farm.client.watch(batch):
        if not seen or seen[-1] != update.batch.images_done:
            seen.append(update.batch.images_done)
            done = update.batch.images_done + 2
            farm.jobs.change(job, lambda j: progress(j, 1, done) if done < 8 else finish(j, 1))  # noqa: B023

    assert seen == [0, 2, 4, 6, 8]
