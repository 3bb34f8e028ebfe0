"""KeptPictures to annotate by as jobs: asked for once, kept by content, and not lost with a worker."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farm.annotations.annotations import Annotations
from farm.catalog import Catalog
from farm.errors import NotFoundError, StorageError
from farm.inspection.pictures import KeptPictures, PictureOrders, inspection_key
from farm.inspection.record import DrawnInspection, Inspection, picture_version
from farm.jobs import states
from farm.jobs.allowances import Memory
from farm.jobs.orders import OrderBook
from farm.jobs.reconcile import reconcile
from farm.jobs.states import Job, State, Work
from farm.jobs.submission import BatchControl
from farm.models.package import Package
from farm.storage import LocalStore
from tests.support import servers
from tests.support.audit import audit
from tests.support.fixtures import read_mascot
from tests.support.jobs import Core, make_core


class Farm:
    """A control plane with two models, and no worker."""

    def __init__(self, core: Core, store: LocalStore, packages: list[Package]) -> None:
        self.core, self.store, self.packages = core, store, packages
        catalog = Catalog(store)
        for package in packages:
            catalog.add(package)
        annotations = Annotations(catalog, store, core.connection.lock)
        batches = BatchControl(
            catalog,
            annotations,
            OrderBook(store),
            core.jobs,
            core.queue,
            core.tickets.issue,
            Memory(core.connection),
            10**9,
        )
        self.pictures = KeptPictures(store)
        self.orders = PictureOrders(store, self.pictures, catalog, core.jobs, batches)
        self.models = sorted(package.id for package in packages)

    def keep(self, model: str) -> None:
        record = Inspection(version=picture_version(), model=model, size=8, head=(0, 0, 8, 8), sprite=(8, 8), morphs=[])
        self.pictures.keep(DrawnInspection(record, b"webp"))

    def jobs(self, batch: str) -> list[Job]:
        return list(self.core.jobs.jobs(batch))


@pytest.fixture
def farm(fresh_redis: str, tmp_path: Path, mascots: dict[str, Path]) -> Iterator[Farm]:
    core = make_core(fresh_redis, tmp_path)
    yield Farm(core, LocalStore(tmp_path), [read_mascot(mascots, name) for name in ("momo", "nagi")])
    assert audit(core.connection) == []


def test_what_is_missing_is_asked_for_once(farm: Farm) -> None:
    assert farm.orders.standing("spring", farm.models).batch is None

    asked = farm.orders.ask("spring", farm.models)
    again = farm.orders.ask("spring", farm.models)

    assert asked.batch is not None
    assert again.batch is not None
    assert asked.batch.id == again.batch.id
    jobs = farm.jobs(asked.batch.id)
    assert {(job.work, job.render_key) for job in jobs} == {
        (Work.INSPECTION, inspection_key(model)) for model in farm.models
    }
    assert sum(job.images_total for job in jobs) == asked.batch.images_total == 2 + 5 + 30


def test_what_is_drawn_is_drawn_for_every_collection(farm: Farm) -> None:
    first, second = farm.models
    with pytest.raises(NotFoundError, match="not drawn yet"):
        farm.pictures.record(first)
    farm.keep(first)

    asked = farm.orders.ask("autumn", farm.models)

    assert asked.batch is not None
    assert [job.model for job in farm.jobs(asked.batch.id)] == [second]
    farm.keep(second)
    assert farm.orders.ask("winter", farm.models).batch is None
    assert farm.pictures.record(second).model == second


def test_what_went_wrong_is_asked_for_again_and_only_that(farm: Farm) -> None:
    # GIVEN a batch that ended with one of two
    asked = farm.orders.ask("spring", farm.models)
    assert asked.batch is not None
    farm.keep(farm.models[0])
    farm.core.jobs.change_all(asked.batch.id, states.cancel)

    # WHEN it is asked again, THEN there is a new one, of the other
    again = farm.orders.ask("spring", farm.models)
    assert again.batch is not None
    assert again.batch.id != asked.batch.id
    assert [job.model for job in farm.jobs(again.batch.id)] == [farm.models[1]]


def test_a_batch_of_pictures_survives_the_loss_of_redis(farm: Farm) -> None:
    asked = farm.orders.ask("spring", farm.models)
    assert asked.batch is not None
    before = farm.jobs(asked.batch.id)
    farm.core.connection.redis.flushdb()

    assert reconcile(farm.store, farm.core.jobs).rebuilt == 1

    assert farm.jobs(asked.batch.id) == before


def test_a_damaged_record_says_what_to_do(farm: Farm) -> None:
    farm.keep(farm.models[0])
    farm.store.put(f"renders/{inspection_key(farm.models[0])}/inspection.json", b"{}")

    with pytest.raises(StorageError, match="remove it, and open the model's collection again"):
        farm.pictures.record(farm.models[0])


@pytest.mark.blender
def test_a_worker_that_dies_loses_no_picture(
    new_database: Callable[[], str], tmp_path: Path, mascots: dict[str, Path]
) -> None:
    # GIVEN two models whose pictures a worker draws
    url = new_database()
    core = make_core(url, tmp_path / "store")
    farm = Farm(core, LocalStore(tmp_path / "store"), [read_mascot(mascots, name) for name in ("momo", "nagi")])
    environment = {
        "FARM_REDIS_URL": url,
        "FARM_STORAGE_URL": f"file://{tmp_path}/store",
        "FARM_LEASE_SECONDS": "5",
    }
    asked = farm.orders.ask("spring", farm.models)
    assert asked.batch is not None
    batch = asked.batch.id
    with servers.worker_process(tmp_path / "first", {**environment, "FARM_WORKER_NAME": "first"}) as (process, _):
        servers.wait_until(lambda: core.jobs.batch(batch).images_done > 1, "a first picture")
        # WHEN it is killed in the middle
        servers.end(process)

    # THEN another draws what is left
    with servers.worker_process(tmp_path / "second", {**environment, "FARM_WORKER_NAME": "second"}):
        servers.wait_until(lambda: core.jobs.batch(batch).ended, "the batch ending")
    assert {job.state for job in farm.jobs(batch)} == {State.DONE}
    for package in farm.packages:
        drawn = [morph.index for morph in farm.pictures.record(package.id).morphs]
        assert drawn == [morph.index for morph in package.inventory.morphs if morph.moved]
        assert farm.store.get(farm.pictures.sprite(package.id))[:4] == b"RIFF"
