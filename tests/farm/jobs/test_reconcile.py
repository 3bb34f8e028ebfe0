"""After a total loss of Redis: the same batches, done by their manifests, treated as they were."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from farm.annotations.annotations import Annotations
from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, result_object
from farm.jobs import states
from farm.jobs.allowances import Memory
from farm.jobs.reconcile import Reconciled, reconcile
from farm.jobs.states import State
from farm.jobs.submission import BatchControl, Entry, Request
from farm.models.package import Package
from farm.morphs.annotation import resolve
from farm.morphs.refs import BARE
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.storage import LocalStore, open_store
from tests.support import finished
from tests.support.audit import audit
from tests.support.fixtures import read_mascot
from tests.support.jobs import Core, make_core
from tests.support.servers import S3Server


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(fresh_redis, tmp_path)
    yield made
    assert audit(made.connection) == []


@pytest.fixture
def store(tmp_path: Path) -> LocalStore:
    return LocalStore(tmp_path)


@pytest.fixture
def control(core: Core, store: LocalStore) -> BatchControl:
    catalog = Catalog(store)
    annotations = Annotations(catalog, store, core.connection.lock)
    return BatchControl(
        catalog, annotations, core.book, core.jobs, core.queue, lambda count: None, Memory(core.connection), 10**9
    )


@pytest.fixture(scope="module")
def packages(mascots: dict[str, Path]) -> list[Package]:
    return [read_mascot(mascots, name) for name in ("momo", "nagi")]


@pytest.fixture
def entries(packages: list[Package], store: LocalStore) -> list[Entry]:
    for package in packages:
        Catalog(store).add(package)
    return [Entry(package.id, package.name) for package in packages]


def finish_one(core: Core, store: LocalStore) -> str:
    """The next job, done, its manifest in the store; its id."""
    job = core.begin()
    store.put(result_object(job.render_key, MANIFEST), b"{}")
    core.jobs.change(job.id, lambda j: states.finish(j, 1))
    return job.id


def picture(core: Core) -> dict[str, tuple[object, ...]]:
    """All that a user sees of batches and jobs and that survives."""
    seen: dict[str, tuple[object, ...]] = {}
    for batch in core.jobs.batches(100):
        seen[batch.id] = (batch.record, batch.priority, batch.paused, batch.counts, batch.images_total)
        for job in core.jobs.jobs(batch.id):
            seen[job.id] = (replace(job, attempt=0, worker="", attempts=(), warnings=()),)
    return seen


def test_batches_come_back_as_they_were(
    core: Core, control: BatchControl, store: LocalStore, entries: list[Entry]
) -> None:
    specs = [RenderSpec(seed=seed, samples=2, size=48) for seed in range(4)]
    first = control.submit(Request(entries, specs[0], name="first", priority=2))[0]
    finish_one(core, store)
    control.submit(Request(entries, specs[1], paused=True))
    cancelled = control.submit(Request(entries, specs[2]))[0]
    control.cancel(cancelled.id)
    control.set_priority(control.submit(Request(entries, specs[3]))[0].id, -4)
    control.set_paused(first.id, True)
    before = picture(core)
    core.connection.redis.flushall()

    assert reconcile(store, core.jobs) == Reconciled(known=0, rebuilt=4, done=1, queued=5, damaged=())

    assert picture(core) == before
    assert core.jobs.batch(cancelled.id).ended
    assert reconcile(store, core.jobs) == Reconciled(known=4, rebuilt=0, done=0, queued=0, damaged=())
    assert picture(core) == before


def test_a_result_of_fewer_samples_than_were_ordered_comes_back_as_it_is(
    core: Core, control: BatchControl, store: LocalStore, entries: list[Entry], tmp_path: Path
) -> None:
    spec = RenderSpec(styles=("flat",))
    batch = control.submit(Request(entries[1:], spec))[0]
    job = finished.take(core.connection)
    assert job.samples == 100
    made = finished.finish(core.connection, store, states.with_samples(job, 20), spec, tmp_path)
    before = picture(core)
    core.connection.redis.flushall()

    reconcile(store, core.jobs)

    assert picture(core) == before
    assert core.jobs.batch(batch.id).images_total == core.jobs.batch(batch.id).images_done == len(made.images)


def test_only_what_is_not_known_is_rebuilt(
    core: Core, control: BatchControl, store: LocalStore, entries: list[Entry]
) -> None:
    control.submit(Request(entries, RenderSpec(seed=1)))
    core.connection.redis.flushall()
    present = control.submit(Request(entries, RenderSpec(seed=2)))[0]
    core.begin()
    before = core.jobs.jobs(present.id)

    found = reconcile(store, core.jobs)

    assert (found.known, found.rebuilt) == (1, 1)
    assert core.jobs.jobs(present.id) == before


def test_the_work_goes_on_after_it_and_nothing_done_is_done_again(
    core: Core, control: BatchControl, store: LocalStore, entries: list[Entry]
) -> None:
    control.submit(Request(entries, RenderSpec(seed=1)))
    done = finish_one(core, store)
    core.connection.redis.flushall()

    reconcile(store, core.jobs)

    assert finish_one(core, store) != done
    assert core.queue.take("worker@a") is None
    assert core.jobs.totals().counts[State.DONE] == 2


def test_jobs_of_a_cancelled_batch_that_were_asked_for_again_are_not_cancelled_again(
    core: Core, control: BatchControl, store: LocalStore, entries: list[Entry]
) -> None:
    batch = control.submit(Request(entries, RenderSpec(seed=1)))[0].id
    control.cancel(batch)
    control.retry_job(f"{batch}-1")
    core.connection.redis.flushall()
    reconcile(store, core.jobs)
    assert [job.state for job in core.jobs.jobs(batch)] == [State.CANCELLED, State.QUEUED]

    control.retry(batch, frozenset((State.CANCELLED,)))
    core.connection.redis.flushall()
    reconcile(store, core.jobs)
    assert [job.state for job in core.jobs.jobs(batch)] == [State.QUEUED, State.QUEUED]

    control.cancel(batch)
    core.connection.redis.flushall()
    reconcile(store, core.jobs)
    assert core.jobs.batch(batch).ended


def test_what_an_older_renderer_made_is_found_under_its_own_name(
    core: Core, control: BatchControl, store: LocalStore, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    batch = control.submit(Request(entries, RenderSpec(seed=1)))[0].id
    finish_one(core, store), finish_one(core, store)
    core.connection.redis.flushall()
    monkeypatch.setattr("farm.spec.RENDERER_VERSION", 10_000)

    reconcile(store, core.jobs)

    assert core.jobs.batch(batch).counts[State.DONE] == 2


def test_an_order_of_an_earlier_version_comes_back_with_its_bare_names(
    core: Core, control: BatchControl, store: LocalStore, entries: list[Entry]
) -> None:
    batch = control.submit(Request(entries, RenderSpec(seed=1)))[0].id
    before = core.jobs.jobs(batch)
    order = json.loads(store.get(f"batches/{batch}/order.json"))
    for model in order["models"]:
        model["annotation"] = {target: name for target, (_, name) in model["annotation"].items()}
    store.put(f"batches/{batch}/order.json", json.dumps(order).encode())
    core.connection.redis.flushall()

    reconcile(store, core.jobs)

    for job, then in zip(core.jobs.jobs(batch), before, strict=True):
        assert (job.render_key, job.samples) == (then.render_key, then.samples)
        assert all(morph.index == BARE for morph in job.annotation.values())
        assert resolve(job.annotation, Catalog(store).inventory(job.model).source_morphs()) == then.annotation


def test_a_damaged_order_is_named_and_the_others_come_back(
    core: Core, control: BatchControl, store: LocalStore, entries: list[Entry]
) -> None:
    whole = control.submit(Request(entries, RenderSpec(seed=1)))[0].id
    store.put("batches/0123/order.json", b'{"id": 1')
    store.put("batches/4567/standing.json", b"{}")  # what is left of a batch that was forgotten
    core.connection.redis.flushall()

    found = reconcile(store, core.jobs)

    assert found.damaged == ("0123",)
    assert [batch.id for batch in core.jobs.batches(10)] == [whole]


def test_batches_come_back_in_the_order_of_submission(
    core: Core, control: BatchControl, store: LocalStore, entries: list[Entry], monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = []
    for second in (5, 3, 9, 1):
        monkeypatch.setattr("farm.jobs.submission.utc_now", lambda s=second: f"2026-01-01T00:00:0{s}+00:00")
        ids.append((second, control.submit(Request(entries, RenderSpec(seed=second)))[0].id))
    core.connection.redis.flushall()
    looked_at: list[str] = []

    reconcile(store, core.jobs, looked_at.append)

    assert [batch.id for batch in reversed(core.jobs.batches(10))] == [id_ for _, id_ in sorted(ids)]
    assert sorted(looked_at) == sorted(id_ for _, id_ in ids)


@pytest.mark.s3
def test_a_farm_in_a_prefix_takes_over_its_own_batches_and_no_neighbours(
    core: Core,
    control: BatchControl,
    store: LocalStore,
    entries: list[Entry],
    s3: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name, value in s3.environment("neighbours").items():
        monkeypatch.setenv(name, value)
    batch = control.submit(Request(entries, RenderSpec(seed=1)))[0].id
    one, two, whole = (
        open_store(Settings(storage_url=f"s3://neighbours{end}")) for end in ("/farms/one/", "/farms/two", "")
    )
    for key in store.list(""):
        one.put(key, store.get(key))
    core.connection.redis.flushall()

    assert [reconcile(farm, core.jobs).rebuilt for farm in (two, whole, one)] == [0, 0, 1]
    assert [found.id for found in core.jobs.batches(10)] == [batch]
