"""What pictures say of a model reaches people: its proposals, the table of its collections, and whose word an order has."""

from contextlib import nullcontext
from pathlib import Path

import pytest

from farm.annotations.annotations import Annotations
from farm.annotations.counting import counting
from farm.annotations.groups import Collection
from farm.annotations.verdicts import NOTHING_SAID, AnnotationRecord, Saying, Verdict, VerdictStatus
from farm.catalog import Catalog
from farm.models.package import Package
from farm.morphs.annotation import read_table
from farm.morphs.evidence import PictureChange
from farm.morphs.panels import Panel
from farm.morphs.provenance import NOBODYS
from farm.morphs.refs import MorphRef
from farm.spec import RenderSpec
from farm.storage import LocalStore
from tests.farm.inspection.swapping import Swap, package_of

WINK = "ウィンク２右"
LEFT_CHANGES = PictureChange(count=300, picture_left=0, picture_right=300)


@pytest.fixture(scope="module")
def winking(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Package:
    """nagi with a texture for a wink that is named for the other side, and a mouth that vertices move."""
    swaps = (Swap(WINK, Panel.EYE, {"ウィンク２": 1}),)
    return package_of(mascots, tmp_path_factory.mktemp("winking") / "model", swaps, kept=("お",))


def test_proposals_and_tables_follow_what_was_seen_and_orders_stay(winking: Package, tmp_path: Path) -> None:
    # GIVEN a collection that was looked at before anybody had drawn its model
    store, model = LocalStore(tmp_path), winking.id
    catalog = Catalog(store)
    catalog.add(winking)
    annotations = Annotations(catalog, store, nullcontext)
    annotations.collections.create(Collection(name="spring", models=(model,), who="me", when="2026-01-01T00:00:00Z"))
    spec = RenderSpec()
    before = annotations.ordered(model, spec, None, known=False)
    assert [row.proposals for row in annotations.rows("spring").digest.rows if row.name == WINK] == [
        {"eye/closed/right": 1}
    ]

    # WHEN a worker keeps what it saw
    catalog.keep_pictures(model, {0: LEFT_CHANGES})

    # THEN whoever asks now hears of the other side, and the same request is the same order
    fresh = Annotations(Catalog(store), store, nullcontext)
    assert set(fresh.effect(model).targets) == {"eye/closed/left", "mouth/o"}
    assert [row.proposals for row in fresh.rows("spring").digest.rows if row.name == WINK] == [{"eye/closed/left": 1}]
    assert list(fresh.rows("spring").digest.unseen) == [model]  # its mouth was not drawn

    # AND when the other morphs are drawn, that is news as well
    catalog.keep_pictures(model, {1: PictureChange(count=0, picture_left=0, picture_right=0)})
    last = Annotations(Catalog(store), store, nullcontext)
    assert last.rows("spring").digest.unseen == {}
    assert set(last.effect(model).targets) == {"eye/closed/left"}
    assert fresh.ordered(model, spec, None, known=False) == before


def test_what_was_seen_by_another_version_is_seen_again(
    winking: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(LocalStore(tmp_path))
    catalog.add(winking)
    catalog.keep_pictures(winking.id, {0: LEFT_CHANGES})
    assert catalog.pictured(winking.id) is not None

    monkeypatch.setattr("farm.catalog.EVIDENCE_VERSION", 0)

    assert catalog.pictured(winking.id) is None
    assert catalog.proposals(winking.id) == winking.inventory


def test_decided_by_another_version_the_same_pictures_decide_again(
    winking: Package, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    catalog = Catalog(LocalStore(tmp_path))
    catalog.add(winking)
    with monkeypatch.context() as earlier:
        earlier.setattr("farm.models.inventory.DECISION_VERSION", "earlier")
        catalog.keep_pictures(winking.id, {0: LEFT_CHANGES})

    found = catalog.pictured(winking.id)

    assert found is not None
    assert found.decided_by == winking.inventory.decided_by
    assert "eye/closed/left" in found.annotation


def test_an_order_says_of_which_textures_people_have_spoken(winking: Package) -> None:
    inventory, spec = winking.inventory, RenderSpec()
    wink, mouth = MorphRef(index=0, name=WINK), MorphRef(index=1, name="お")

    def own(record: AnnotationRecord = NOTHING_SAID, table: str | None = None) -> tuple[str, ...]:
        read = None if table is None else read_table(table)
        return counting(winking.id, inventory, spec, read, {}, record)[1].own

    said = Saying(who="me", when="2026-01-01T00:00:00Z", why="").model_dump()
    confirmed = {
        target: Verdict(**said, status=status, morph=ref)
        for target, status, ref in (
            ("eye/closed/right", VerdictStatus.CONFIRMED, wink),
            ("eye/closed/left", VerdictStatus.REJECTED, None),
            ("mouth/o", VerdictStatus.CONFIRMED, mouth),
        )
    }
    assert counting(winking.id, inventory, spec, None)[1] == NOBODYS
    assert own(AnnotationRecord(**said, version=1, verdicts=confirmed)) == (
        "eye/closed/left",
        "eye/closed/right",
        "mouth/o",
    )
    assert own(table=f"source_morph,target\n{WINK},eye/closed/left\n") == ()
    row = f"source_morph,target,model,morph\n{WINK},eye/closed/both,{winking.id},0\n"
    assert own(table=row) == ("eye/closed/both",)
