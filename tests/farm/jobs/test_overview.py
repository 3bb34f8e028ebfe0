"""What an operator sees at a glance, from a real Valkey."""

from dataclasses import replace

import pytest

from farm.cameras import CameraSpec
from farm.jobs import overview, states
from farm.jobs.batches import Batch, BatchRecord, Totals
from farm.jobs.connection import Connection
from farm.jobs.queue import Queue
from farm.jobs.states import Job, State, job_id
from farm.jobs.store import JobStore
from farm.jobs.workers import Worker
from farm.poses import Partition
from farm.spec import RenderSpec

BATCH = "0123456789abcdef"
WORKER = "worker@somewhere"


def job(index: int) -> Job:
    return Job(
        id=job_id(BATCH, index), model="a" * 64, name=f"model {index}", annotation={}, samples=12, images_total=96,
        render_key="b" * 64,
    )  # fmt: skip


@pytest.fixture
def jobs(fresh_redis: str) -> JobStore:
    """A store with a batch of 250 jobs: three fail, the last of them by another code; one is cancelled."""
    connection = Connection(fresh_redis, 45)
    store, queue = JobStore(connection), Queue(connection)
    store.add_batch(
        BATCH, BatchRecord("a batch", RenderSpec(), "2026-01-01T00:00:00+00:00"), [job(i) for i in range(250)]
    )
    failing = {3: "no-neck-bone", 120: "no-neck-bone", 249: "model-unusable"}
    while taken := queue.take(WORKER):
        running = store.change(taken.job, lambda present: states.claim(present, WORKER))
        if code := failing.get(running.index):
            sentence = f"It failed at {running.index}."
            store.change(running.id, lambda p, c=code, s=sentence: states.fail(p, p.attempt, c, s))  # type: ignore[misc]
        elif running.index == 7:
            store.change(running.id, states.cancel)
        else:
            store.change(running.id, lambda present: states.finish(present, present.attempt))
    return store


def test_failures_are_counted_by_reason_with_an_example_each(jobs: JobStore) -> None:
    found = overview.Reasons(jobs).of(jobs.batch(BATCH))

    assert [(reason.code, reason.count) for reason in found] == [("no-neck-bone", 2), ("model-unusable", 1)]
    assert [reason.example and reason.example.error for reason in found] == ["It failed at 3.", "It failed at 249."]


def test_an_example_that_is_tried_again_gives_way_to_another(jobs: JobStore) -> None:
    reasons = overview.Reasons(jobs)
    reasons.of(jobs.batch(BATCH))
    jobs.change(job_id(BATCH, 3), states.retry)
    jobs.change(job_id(BATCH, 249), states.retry)

    for _ in range(2):
        (found,) = reasons.of(jobs.batch(BATCH))
        assert (found.code, found.count) == ("no-neck-bone", 1)
        assert found.example is not None
        assert found.example.index == 120


def test_a_batch_without_failures_has_no_reasons(jobs: JobStore) -> None:
    for index in (3, 120, 249):
        jobs.change(job_id(BATCH, index), states.retry)

    assert overview.Reasons(jobs).of(jobs.batch(BATCH)) == []


def test_the_jobs_of_one_reason_come_in_pages(jobs: JobStore) -> None:
    first = overview.page_of_failures(jobs, BATCH, "no-neck-bone", 1)
    assert first.next is not None
    second = overview.page_of_failures(jobs, BATCH, "no-neck-bone", 1, first.next)

    assert [[job.index for job in page.items] for page in (first, second)] == [[3], [120]]
    assert second.next is None


def counts_of(**counts: int) -> dict[State, int]:
    return dict.fromkeys(State, 0) | {State(name): count for name, count in counts.items()}


def batch_with(paused: bool = False, ended: bool = False, **counts: int) -> Batch:
    record = BatchRecord("", RenderSpec(), "2026-01-01T00:00:00+00:00")
    return Batch(BATCH, record, 1, 0, paused, counts_of(**counts), 1, 0, {}, 0.0, 1.0 if ended else None)


@pytest.mark.parametrize(
    ("batch", "word"),
    [
        (batch_with(queued=3), "queued"),
        (batch_with(queued=3, uploading=1), "rendering"),
        (batch_with(queued=3, leased=1, paused=True), "paused"),
        (batch_with(done=3, ended=True), "done"),
        (batch_with(done=3, cancelled=1, ended=True), "cancelled"),
        (batch_with(done=3, cancelled=1, quarantined=1, ended=True, paused=True), "failures"),
    ],
)
def test_one_word_says_how_a_batch_stands(batch: Batch, word: str) -> None:
    assert overview.state_word(batch) == word


def totals(rate: float = 0.0, backlog: int = 0, **counts: int) -> Totals:
    return Totals(counts_of(**counts), backlog, rate)


def test_the_backlog_lasts_as_long_as_its_images_take() -> None:
    assert overview.backlog_seconds(totals(rate=4, backlog=200)) == 50
    assert overview.backlog_seconds(totals(rate=0, backlog=200)) is None
    assert overview.backlog_seconds(totals(rate=4, backlog=0)) is None


WELL = Worker(WORKER, True, 1.0, 0.0, 1, "", 0, 0, 0, "")


@pytest.mark.parametrize(
    ("found", "workers", "what"),
    [
        (totals(queued=1), [WELL], ""),
        (totals(done=9), [], ""),
        (totals(queued=1), [], "no worker is there"),
        (totals(queued=1), [replace(WELL, alive=False)], "no worker is there"),
        (totals(queued=1), [replace(WELL, alive=False), replace(WELL, drained="blame")], "every worker is drained"),
        (totals(queued=1), [WELL, replace(WELL, drained="blame")], ""),
    ],
)
def test_an_operator_is_told_when_nobody_takes_the_jobs(found: Totals, workers: list[Worker], what: str) -> None:
    said = overview.trouble(found, workers)

    assert what in said
    assert bool(what) == bool(said)


def test_a_few_pictures_show_every_partition_and_style_in_turns() -> None:
    spec = RenderSpec(styles=("flat", "ink"), camera=CameraSpec(views=2, yaw=(-10, 10)))

    found = overview.some_pictures(job(0), spec)

    assert [(picture.partition, picture.style) for picture in found[:4]] == [
        (Partition.FRONTAL, "flat"), (Partition.FRONTAL, "ink"), (Partition.ROTATED, "flat"), (Partition.ROTATED, "ink"),
    ]  # fmt: skip
    assert [picture.file for picture in found] == [f"{'a' * 16}_{sample:05d}_v00.png" for sample in (0, 2, 4, 6, 8, 10)]
