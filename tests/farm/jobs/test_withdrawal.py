"""A model that is taken back leaves the farm with all that was made of it, and does not come back."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farm.annotations.annotations import Annotations
from farm.catalog import Catalog
from farm.errors import WithdrawnModelError
from farm.jobs.allowances import Memory
from farm.jobs.states import State
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


def test_jobs_results_and_files_go_and_neither_upload_nor_order_brings_them_back(
    core: Core, mascots: dict[str, Path], tmp_path: Path
) -> None:
    store = LocalStore(tmp_path / "store")
    catalog = Catalog(store)
    nagi, momo = (read_mascot(mascots, name) for name in ("nagi", "momo"))
    catalog.add(nagi)
    catalog.add(momo)
    annotations = Annotations(catalog, store, core.connection.lock)
    control = BatchControl(
        catalog, annotations, core.book, core.jobs, core.queue, lambda count: None, Memory(core.connection), 10**9
    )
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
    keys = [job.render_key for job in core.jobs.jobs(done.id)]
    assert [bool(store.list(f"renders/{key}/")) for key in keys] == [False, True]
    assert store.list(f"models/{nagi.id}/") == []
    assert store.exists(f"models/{momo.id}/inventory.json")
    with pytest.raises(WithdrawnModelError, match=r"by Rin .the creator asked., and is kept out"):
        catalog.add(nagi)
    with pytest.raises(WithdrawnModelError):
        control.submit(Request([Entry(nagi.id, "nagi")], SPEC))
    assert withdraw(stone, store, catalog, core.book, core.jobs, pulse=0).results == 0
