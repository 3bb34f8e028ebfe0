"""Batches: orders are taken once, checked, kept in the store, and changed."""

import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from farm.annotations.annotations import Annotations
from farm.catalog import Catalog
from farm.errors import ConflictError, NotFoundError, ServiceError, SpecError
from farm.jobs import states
from farm.jobs.allowances import Memory
from farm.jobs.orders import OrderBook, Standing
from farm.jobs.states import State
from farm.jobs.submission import MAX_MODELS, BatchControl, Entry, IdempotencyError, Request
from farm.morphs.annotation import MappingTable
from farm.morphs.names import normalise
from farm.spec import RenderSpec, render_key
from farm.storage import LocalStore
from tests.support.audit import audit
from tests.support.fixtures import read_mascot
from tests.support.jobs import Core, make_core

PIXELS = 10**6
SPEC = RenderSpec(seed=1, samples=2, size=48)


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(fresh_redis, tmp_path)
    yield made
    assert audit(made.connection) == []


class Woken:
    """Notes how many workers were woken."""

    def __init__(self) -> None:
        self.counts: list[int] = []
        self.away = False

    def __call__(self, count: int) -> None:
        if self.away:
            raise ServiceError("Redis is away.")
        self.counts.append(count)


@pytest.fixture
def woken() -> Woken:
    return Woken()


@pytest.fixture
def control(core: Core, woken: Woken, tmp_path: Path) -> BatchControl:
    store = LocalStore(tmp_path)
    catalog = Catalog(store)
    annotations = Annotations(catalog, store, core.connection.lock)
    return BatchControl(catalog, annotations, core.book, core.jobs, core.queue, woken, Memory(core.connection), PIXELS)


@pytest.fixture
def entries(mascots: dict[str, Path], tmp_path: Path) -> list[Entry]:
    catalog, found = Catalog(LocalStore(tmp_path)), []
    for name in ("momo", "nagi"):
        package = read_mascot(mascots, name)
        catalog.add(package)
        found.append(Entry(package.id, name))
    return found


def test_a_request_becomes_a_batch_of_annotated_jobs(
    core: Core, control: BatchControl, woken: Woken, entries: list[Entry]
) -> None:
    batch, new = control.submit(Request(entries, SPEC, name="two", priority=3))

    assert new
    assert (batch.record.name, batch.priority, batch.paused, batch.counts[State.QUEUED]) == ("two", 3, False, 2)
    jobs = core.jobs.jobs(batch.id)
    assert [(job.model, job.name) for job in jobs] == [(entry.model, entry.name) for entry in entries]
    for job in jobs:
        assert "mouth/a" in job.annotation
        assert job.render_key == render_key(job.model, job.annotation, SPEC)
        assert (job.samples, job.images_total) == (2, 2 * 2 * 4)
    assert core.book.read(batch.id).jobs() == jobs
    assert woken.counts == [2]


def test_without_a_key_every_request_is_another_batch(control: BatchControl, entries: list[Entry]) -> None:
    assert control.submit(Request(entries, SPEC))[0].id != control.submit(Request(entries, SPEC))[0].id


def test_the_same_key_and_request_give_the_same_batch(
    core: Core, control: BatchControl, woken: Woken, entries: list[Entry]
) -> None:
    request = Request(entries, SPEC, idempotency_key="user key", fingerprint="f")
    first, new = control.submit(request)
    core.begin()

    again, newer = control.submit(request)

    assert (new, newer) == (True, False)
    assert again.id == first.id
    assert again.counts[State.LEASED] == 1
    assert woken.counts == [2]


def test_the_same_key_with_another_request_is_refused(core: Core, control: BatchControl, entries: list[Entry]) -> None:
    first = control.submit(Request(entries, SPEC, idempotency_key="k", fingerprint="f"))[0]

    with pytest.raises(IdempotencyError, match=first.id) as refused:
        control.submit(Request(entries[:1], SPEC, idempotency_key="k", fingerprint="g"))

    assert refused.value.code == "idempotency-key-reused"
    assert len(core.jobs.batches(10)) == 1


def test_the_same_key_at_the_same_time_gives_one_batch(core: Core, control: BatchControl, entries: list[Entry]) -> None:
    request = Request(entries, SPEC, idempotency_key="k", fingerprint="f")
    barrier = threading.Barrier(8)

    def submit(_: int) -> tuple[str, bool]:
        barrier.wait(10)
        batch, new = control.submit(request)
        return batch.id, new

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(submit, range(8)))

    assert len({batch for batch, _ in answers}) == 1
    assert Counter(new for _, new in answers) == {False: 7, True: 1}
    assert core.jobs.totals().counts[State.QUEUED] == 2


def test_of_different_requests_with_one_key_at_the_same_time_one_stands_in_redis_and_in_the_store(
    core: Core, control: BatchControl, entries: list[Entry]
) -> None:
    barrier = threading.Barrier(6)

    def submit(number: int) -> str:
        barrier.wait(10)
        request = Request(
            entries, RenderSpec(seed=number), priority=number, idempotency_key="k", fingerprint=f"{number}"
        )
        try:
            return control.submit(request)[0].record.request
        except IdempotencyError:
            return "refused"

    with ThreadPoolExecutor(6) as pool:
        answers = Counter(pool.map(submit, range(6)))

    assert answers.pop("refused") == 5
    (batch,) = core.jobs.batches(10)
    order = core.book.read(batch.id)
    assert order.record == batch.record
    assert answers == {order.request: 1}
    assert core.book.standing(batch.id).priority == batch.priority == int(order.request)


def test_a_request_whose_first_try_was_cut_off_after_the_order_is_taken_up_again(
    core: Core, control: BatchControl, entries: list[Entry]
) -> None:
    request = Request(entries, SPEC, idempotency_key="k", fingerprint="f")
    first = control.submit(request)[0]
    core.connection.redis.flushall()

    again, new = control.submit(request)

    assert new
    assert (again.id, again.record) == (first.id, first.record)
    core.connection.redis.flushall()
    with pytest.raises(IdempotencyError):
        control.submit(Request(entries, SPEC, idempotency_key="k", fingerprint="other"))


def test_an_unknown_model_or_background_is_named_and_nothing_is_made(
    core: Core, control: BatchControl, entries: list[Entry]
) -> None:
    with pytest.raises(NotFoundError, match="f" * 64):
        control.submit(Request([*entries, Entry("f" * 64, "x")], SPEC))
    with pytest.raises(NotFoundError, match="a" * 64):
        control.submit(Request(entries, SPEC.model_copy(update={"backgrounds": ("a" * 64,)})))

    assert core.jobs.batches(10) == []
    assert list(core.book.ids()) == []


def test_lists_that_are_empty_too_long_or_have_a_model_twice_are_refused(
    control: BatchControl, entries: list[Entry]
) -> None:
    with pytest.raises(SpecError, match="no models"):
        control.submit(Request([], SPEC))
    with pytest.raises(SpecError, match=f"{MAX_MODELS + 1} models, over the limit of {MAX_MODELS}"):
        control.submit(Request([Entry(f"{n:064x}", "x") for n in range(MAX_MODELS + 1)], SPEC))
    with pytest.raises(SpecError, match="twice"):
        control.submit(Request([entries[0], entries[0]], SPEC))


@pytest.mark.parametrize("priority", [-11, 11, 1000])
def test_priorities_have_bounds(control: BatchControl, entries: list[Entry], priority: int) -> None:
    with pytest.raises(SpecError, match=f"{priority} is no priority"):
        control.submit(Request(entries, SPEC, priority=priority))
    batch = control.submit(Request(entries, SPEC))[0]
    with pytest.raises(SpecError, match=f"{priority} is no priority"):
        control.set_priority(batch.id, priority)


def test_a_table_decides_the_annotation(core: Core, control: BatchControl, entries: list[Entry]) -> None:
    proposed = core.jobs.jobs(control.submit(Request(entries, SPEC))[0].id)
    source = proposed[0].annotation["mouth/a"]
    table = MappingTable({(normalise(source.name), "*"): (1, None)})

    decided = core.jobs.jobs(control.submit(Request(entries, SPEC, table=table))[0].id)

    assert decided[0].annotation.get("mouth/a") != source
    assert decided[0].render_key != proposed[0].render_key


def test_a_paused_batch_wakes_nobody_until_it_goes_on(
    core: Core, control: BatchControl, woken: Woken, entries: list[Entry]
) -> None:
    batch = control.submit(Request(entries, SPEC, paused=True))[0]
    assert (batch.paused, woken.counts) == (True, [])

    assert not control.set_paused(batch.id, False).paused
    assert len(woken.counts) == 1
    assert core.book.standing(batch.id) == Standing()


def test_what_is_asked_for_is_done_although_nobody_can_be_woken(
    control: BatchControl, woken: Woken, entries: list[Entry]
) -> None:
    woken.away = True

    batch, new = control.submit(Request(entries, SPEC))

    assert new
    control.cancel(batch.id)
    assert control.retry(batch.id, frozenset((State.CANCELLED,))) == 2


def test_every_change_of_mind_stands_in_the_store(core: Core, control: BatchControl, entries: list[Entry]) -> None:
    batch = control.submit(Request(entries, SPEC, priority=1))[0].id
    assert core.book.standing(batch) == Standing(priority=1)

    control.set_priority(batch, 7), control.set_paused(batch, True), control.cancel(batch)

    assert core.book.standing(batch) == Standing(priority=7, paused=True, cancelled=True)
    assert core.jobs.batch(batch).ended
    control.retry_job(f"{batch}-0")
    assert core.book.standing(batch) == Standing(priority=7, paused=True, cancelled=True, wanted=(0,))


def test_a_batch_without_an_order_can_still_be_cancelled(core: Core, control: BatchControl) -> None:
    jobs = core.add(2)

    assert control.cancel(jobs[0].batch).ended


def test_a_retry_is_for_those_who_failed_and_for_others_when_asked(
    core: Core, control: BatchControl, woken: Woken, entries: list[Entry]
) -> None:
    batch = control.submit(Request(entries, SPEC))[0].id
    core.begin()
    core.jobs.change(f"{batch}-0", lambda j: states.fail(j, 1, "code", "sentence"))
    control.cancel(batch)
    woken.counts.clear()

    assert control.retry(batch) == 1
    assert woken.counts == [1]
    assert [job.state for job in core.jobs.jobs(batch)] == [State.QUEUED, State.CANCELLED]
    assert control.retry(batch) == 0


def test_a_job_that_has_not_gone_wrong_is_not_retried(core: Core, control: BatchControl, entries: list[Entry]) -> None:
    batch = control.submit(Request(entries, SPEC))[0].id

    with pytest.raises(ConflictError, match="is queued; only failed"):
        control.retry_job(f"{batch}-0")
    with pytest.raises(NotFoundError):
        control.retry_job(f"{batch}-9")


def test_unknown_batches_are_not_found_and_leave_nothing_in_the_store(
    control: BatchControl, core: Core, tmp_path: Path
) -> None:
    for ask in (control.cancel, control.retry):
        with pytest.raises(NotFoundError):
            ask("nothing")
    with pytest.raises(NotFoundError):
        control.set_paused("nothing", True)
    with pytest.raises(NotFoundError):
        control.set_priority("nothing", 3)

    assert list(OrderBook(LocalStore(tmp_path)).ids()) == []
