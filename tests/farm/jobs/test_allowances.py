"""What one user may have of what all share: memory of Redis, the price of previews; and what is kept for operators."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from farm.annotations.annotations import Annotations
from farm.cameras import CameraSpec
from farm.catalog import Catalog
from farm.errors import AllowanceError, FullError, SpecError
from farm.jobs import states
from farm.jobs.allowances import JOB_BYTES, Memory
from farm.jobs.batches import Batch
from farm.jobs.reconcile import reconcile
from farm.jobs.submission import BatchControl, Entry, Request
from farm.morphs.refs import MorphRef
from farm.prices import price
from farm.spec import RenderSpec
from farm.storage import LocalStore
from tests.support.audit import audit
from tests.support.fixtures import read_mascot
from tests.support.jobs import Core, make_core

SPEC = RenderSpec(samples=2, size=64, styles=("flat",))
FIT = 6
PIXELS = FIT * price(SPEC, 2) + price(SPEC, 1)
"""What a user's previews may cost: so many of them."""


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(fresh_redis, tmp_path)
    yield made
    made.connection.redis.config_set("maxmemory", 0)
    assert audit(made.connection) == []


@pytest.fixture
def control(core: Core, tmp_path: Path) -> BatchControl:
    store = LocalStore(tmp_path)
    catalog = Catalog(store)
    annotations = Annotations(catalog, store, core.connection.lock)
    return BatchControl(
        catalog, annotations, core.book, core.jobs, core.queue, lambda _: None, Memory(core.connection), PIXELS
    )


@pytest.fixture
def momo(mascots: dict[str, Path], tmp_path: Path) -> Entry:
    package = read_mascot(mascots, "momo")
    Catalog(LocalStore(tmp_path)).add(package)
    return Entry(package.id, "momo")


def preview(control: BatchControl, momo: Entry, owner: str = "alice", bound: bool = True) -> Batch:
    request = Request([momo], SPEC, priority=10, owner=owner, bound=bound, preview=True)
    return control.submit(request)[0]


def previews_until_refused(control: BatchControl, momo: Entry, owner: str = "alice") -> list[Batch]:
    made: list[Batch] = []
    while len(made) < 100:
        try:
            made.append(preview(control, momo, owner))
        except AllowanceError as error:
            taken = f"{FIT * price(SPEC, 2) / 1e6:.1f}"
            assert f"previews that are not drawn yet cost {taken} million pixels" in str(error)
            return made
    raise AssertionError("a hundred were taken")


def test_previews_take_no_more_than_their_pixels_and_give_them_back_when_they_end(
    core: Core, control: BatchControl, momo: Entry
) -> None:
    made = previews_until_refused(control, momo)

    assert len(made) == FIT
    assert len(list(core.book.ids())) == len(made), "what was refused is no order that a reconciliation would make"
    assert preview(control, momo, "bob").priority == 10, "another user's are another's"
    assert preview(control, momo, "olga", bound=False).priority == 10
    control.submit(Request([momo], SPEC, owner="alice", bound=True))  # no preview: it waits like all others
    control.cancel(made[0].id)
    preview(control, momo)
    previews_until_refused(control, momo)
    job = core.begin()
    core.jobs.change(job.id, lambda j: states.finish(j, 1))
    preview(control, momo)
    previews_until_refused(control, momo)


def test_many_previews_at_once_take_no_more_than_one_after_the_other(
    core: Core, control: BatchControl, momo: Entry
) -> None:
    def ask(_: int) -> bool:
        try:
            return preview(control, momo).priority == 10
        except AllowanceError:
            return False

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(24))) == FIT


def test_a_preview_that_an_operator_tries_again_counts_again_and_a_forgotten_one_does_not(
    core: Core, control: BatchControl, momo: Entry
) -> None:
    first, *_ = previews_until_refused(control, momo)
    control.cancel(first.id)
    control.retry(first.id, frozenset((states.State.CANCELLED,)))
    previews_until_refused(control, momo)
    control.cancel(first.id)
    core.jobs.remove_batch(first.id)
    preview(control, momo)
    previews_until_refused(control, momo)


def test_what_users_have_is_known_again_after_redis_was_lost(
    core: Core, control: BatchControl, momo: Entry, tmp_path: Path
) -> None:
    made = previews_until_refused(control, momo)
    control.cancel(made[0].id)
    before = core.connection.redis.hgetall("farm:owner:alice")
    core.connection.redis.flushall()

    reconcile(LocalStore(tmp_path), core.jobs)

    after = core.connection.redis.hgetall("farm:owner:alice")
    assert after["preview_pixels"] == before["preview_pixels"]
    assert core.jobs.batch(made[0].id).record == made[0].record
    preview(control, momo)
    previews_until_refused(control, momo)


def test_one_user_takes_a_share_of_the_memory_and_leaves_the_rest_to_others(
    core: Core, control: BatchControl, momo: Entry
) -> None:
    redis = core.connection.redis
    redis.config_set("maxmemory", int(redis.info("memory")["used_memory"]) * 4)
    most = Memory(core.connection).allowance(None).bytes
    assert most is not None
    core.add_for("alice", most - 500)

    with pytest.raises(AllowanceError, match=r"one user may have \d+\.\d MB"):
        control.submit(Request([momo], SPEC, owner="alice", bound=True))
    control.submit(Request([momo], SPEC, owner="bob", bound=True))
    control.submit(Request([momo], SPEC, owner="alice"))


def test_submissions_are_refused_before_the_memory_is_full_and_operators_still_stop_what_runs(
    core: Core, control: BatchControl, momo: Entry
) -> None:
    batch, _ = control.submit(Request([momo], SPEC, owner="alice"))
    redis = core.connection.redis
    redis.set("ballast", "x" * 2**22)
    size = int(int(redis.info("memory")["used_memory"]) / 0.85)
    redis.config_set("maxmemory", size)

    for bound in (True, False):
        with pytest.raises(FullError, match="above 80% of its memory"):
            control.submit(Request([momo], SPEC, owner="olga", bound=bound))
    assert core.connection.check(), "there is room for work that goes on"
    redis.config_set("maxmemory", 2**20)  # even now
    control.set_priority(batch.id, 3)
    control.set_paused(batch.id, True)
    assert control.cancel(batch.id).ended
    core.jobs.remove_batch(batch.id)
    redis.delete("ballast")


def test_a_morph_with_a_name_without_measure_makes_no_job(core: Core, control: BatchControl, momo: Entry) -> None:
    catalog = control._catalog
    held = catalog.inventory(momo.model)
    target, morph = next(iter(held.annotation.items()))
    for name in (" " * JOB_BYTES, "あ" * (JOB_BYTES // 3 + 1), "\\" * (JOB_BYTES // 2)):
        long = MorphRef(index=morph.index, name=name)
        morphs = [m.model_copy(update={"name": name}) if m.index == morph.index else m for m in held.morphs]
        changed = held.model_copy(update={"annotation": {**held.annotation, target: long}, "morphs": morphs})
        catalog._store.put(f"models/{momo.model}/inventory.json", changed.model_dump_json().encode())
        with pytest.raises(SpecError, match="names of its model's morphs are too long"):
            control.submit(Request([momo], SPEC))

    assert list(core.book.ids()) == []
    assert core.connection.redis.keys("farm:batch:*") == []


def test_a_batch_of_before_owners_is_nobodys(core: Core) -> None:
    record = core.jobs.batch(core.add(1)[0].batch).record
    old = record.to_json()
    del old["owner"], old["preview"]

    assert type(record).from_json(old) == replace(record, owner="", preview=False)


def test_one_model_has_no_more_images_than_its_worker_can_hold(control: BatchControl, momo: Entry) -> None:
    views = CameraSpec(views=64, yaw=(-60, 60))
    for bound, styles in ((True, ("flat",)), (False, ("flat", "ink"))):
        spec = RenderSpec(samples=10_000, camera=views, styles=styles)
        with pytest.raises(SpecError, match=r"would have [\d,]+ images, over the limit of 250,000"):
            control.submit(Request([momo], spec, owner="alice", bound=bound))
    most = RenderSpec(samples=10_000, styles=("default", "toon", "flat", "ink"))
    assert control.submit(Request([momo], most, owner="alice", bound=True))[0].images_total == 80_000
