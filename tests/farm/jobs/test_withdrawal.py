"""A model that is taken back leaves the farm with all that was made of it, and does not come back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farm.annotations.annotations import Annotations
from farm.catalog import Catalog
from farm.errors import WithdrawnModelError
from farm.jobs.allowances import Memory
from farm.jobs.overview import Reasons
from farm.jobs.reconcile import reconcile
from farm.jobs.states import RETRIABLE, State
from farm.jobs.submission import BatchControl, Entry, Request
from farm.jobs.withdrawal import withdraw
from farm.licences.tombstones import Tombstone
from farm.spec import RenderSpec
from farm.storage import LocalStore
from tests.support.audit import audit
from tests.support.finished import finish, take
from tests.support.fixtures import read_mascot
from tests.support.jobs import Core, make_core

SPEC = RenderSpec(seed=1, samples=2, size=48)


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(fresh_redis, tmp_path / "store")
    yield made
    assert audit(made.connection) == []


def control_of(core: Core, catalog: Catalog, store: LocalStore) -> BatchControl:
    annotations = Annotations(catalog, store, core.connection.lock)
    return BatchControl(
        catalog, annotations, core.book, core.jobs, core.queue, lambda count: None, Memory(core.connection), 10**9
    )


def test_jobs_results_and_files_go_and_neither_upload_nor_order_brings_them_back(
    core: Core, mascots: dict[str, Path], tmp_path: Path
) -> None:
    store = LocalStore(tmp_path / "store")
    catalog = Catalog(store)
    nagi, momo = (read_mascot(mascots, name) for name in ("nagi", "momo"))
    catalog.add(nagi)
    catalog.add(momo)
    control = control_of(core, catalog, store)
    done, _ = control.submit(Request([Entry(nagi.id, "nagi"), Entry(momo.id, "momo")], SPEC))
    for _ in range(2):
        finish(core.connection, store, take(core.connection), SPEC, tmp_path)
    waiting, _ = control.submit(Request([Entry(nagi.id, "nagi")], SPEC.model_copy(update={"seed": 2})))
    running, _ = control.submit(Request([Entry(nagi.id, "nagi")], SPEC.model_copy(update={"seed": 3})))
    core.jobs.job(f"{running.id}-0")
    stone = Tombstone(model=nagi.id, who="Rin", when=datetime.now(UTC), why="the creator asked")

    gone = withdraw(stone, store, catalog, core.book, core.jobs, pulse=0)

    assert (gone.cancelled, gone.results) == (2, 1)
    assert core.jobs.job(f"{waiting.id}-0").state is State.CANCELLED
    assert core.jobs.job(f"{done.id}-0").state is State.DONE
    for batch, place in ((waiting, 0), (done, 0)):
        told = core.jobs.job(f"{batch.id}-{place}")
        assert (told.error_code, told.error) == ("model-withdrawn", str(stone.error()))
        assert core.jobs.batch(batch.id).errors == {"model-withdrawn": 1}
    assert [(found.code, found.count) for found in Reasons(core.jobs).of(core.jobs.batch(done.id))] == [
        ("model-withdrawn", 1)
    ]
    with pytest.raises(WithdrawnModelError, match="the creator asked"):
        control.retry_job(f"{waiting.id}-0")
    assert control.retry(waiting.id, frozenset(RETRIABLE)) == 0
    keys = [job.render_key for job in core.jobs.jobs(done.id)]
    assert [bool(store.list(f"renders/{key}/")) for key in keys] == [False, True]
    assert store.list(f"models/{nagi.id}/") == []
    assert store.exists(f"models/{momo.id}/inventory.json")
    with pytest.raises(WithdrawnModelError, match=r"by Rin .the creator asked., and is kept out"):
        catalog.add(nagi)
    with pytest.raises(WithdrawnModelError):
        control.submit(Request([Entry(nagi.id, "nagi")], SPEC))
    later = Tombstone(model=nagi.id, who="Ran", when=datetime.now(UTC), why="once more")
    assert withdraw(later, store, catalog, core.book, core.jobs, pulse=0).results == 0
    assert "by Rin" in core.jobs.job(f"{done.id}-0").error


def test_results_of_batches_that_the_farm_forgot_go_too(core: Core, mascots: dict[str, Path], tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    catalog = Catalog(store)
    nagi, momo = (read_mascot(mascots, name) for name in ("nagi", "momo"))
    for model in (nagi, momo):
        catalog.add(model)
    control = control_of(core, catalog, store)
    batch, _ = control.submit(Request([Entry(nagi.id, "nagi"), Entry(momo.id, "momo")], SPEC))
    for _ in range(2):
        finish(core.connection, store, take(core.connection), SPEC, tmp_path)
    keys = [job.render_key for job in core.jobs.jobs(batch.id)]
    store.put(f"renders/{'e' * 64}/inspection.json", f'{{"version":"1","model":"{nagi.id}"}}'.encode())
    core.jobs.remove_batch(batch.id)
    core.book.remove(batch.id)
    stone = Tombstone(model=nagi.id, who="Rin", when=datetime.now(UTC), why="the creator asked")

    gone = withdraw(stone, store, catalog, core.book, core.jobs, pulse=0)

    assert gone.results == 2
    assert [bool(store.list(f"renders/{key}/")) for key in (*keys, "e" * 64)] == [False, True, False]


def test_a_rebuilt_redis_knows_of_the_withdrawal(core: Core, mascots: dict[str, Path], tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    catalog = Catalog(store)
    momo = read_mascot(mascots, "momo")
    catalog.add(momo)
    control = control_of(core, catalog, store)
    batch, _ = control.submit(Request([Entry(momo.id, "momo")], SPEC))
    stone = Tombstone(model=momo.id, who="Rin", when=datetime.now(UTC), why="the creator asked")
    withdraw(stone, store, catalog, core.book, core.jobs, pulse=0)
    core.connection.redis.flushdb()

    reconcile(store, core.jobs)

    job = core.jobs.job(f"{batch.id}-0")
    assert (job.state, job.error) == (State.CANCELLED, str(stone.error()))
