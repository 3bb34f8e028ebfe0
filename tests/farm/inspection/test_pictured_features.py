"""What is drawn before an eye or between the lips decides too: hearts are no blink, and clenched teeth no open vowel."""

from pathlib import Path
from typing import Any

import pytest

from farm.drawing.blender import Blender
from farm.inspection.drawing import draw_pictures
from farm.inspection.pictured import decided_by_pictures
from farm.models.inventory import Inventory, MorphEntry
from farm.models.package import Package, to_bytes
from farm.morphs.panels import Panel
from tests.farm.inspection.swapping import Swap, package_of

pytestmark = pytest.mark.blender
EYE, MOUTH = Panel.EYE, Panel.MOUTH
HEARTS, BLINK, SURPRISE, HALF, GRIN, OPEN, ROUND, WIDE = (
    "まばたき", "まばたき２", "びっくり", "じと目", "あ", "あ２", "お", "い",
)  # fmt: skip
FACES = (
    Swap(HEARTS, EYE, {}, comic=True),
    Swap(BLINK, EYE, {"まばたき": 1}),
    Swap(SURPRISE, EYE, {"びっくり": 1}, comic=True),
    Swap(HALF, EYE, {"じと目": 1}, comic=True),
    Swap(GRIN, MOUTH, {"い": 1}),
    Swap(OPEN, MOUTH, {"あ": 1}),
    Swap(ROUND, MOUTH, {"い": 1}),
    Swap(WIDE, MOUTH, {"い": 1}),
)


@pytest.fixture(scope="module")
def faces(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Package:
    return package_of(mascots, tmp_path_factory.mktemp("features") / "model", FACES)


@pytest.fixture(scope="module")
def drawn(faces: Package, lasting_blender: Blender) -> Inventory:
    return decided_by_pictures(
        faces, draw_pictures(lasting_blender, faces.id, to_bytes(faces), faces.inventory).inspection
    )


def entry(inventory: Inventory, name: str) -> MorphEntry:
    (found,) = (morph for morph in inventory.morphs if morph.name == name)
    return found


def looks(inventory: Inventory, name: str) -> Any:
    evidence = entry(inventory, name).evidence
    assert evidence is not None
    assert evidence.picture is not None
    assert evidence.picture.looks is not None
    return evidence.picture.looks


def test_the_next_that_fits_plays_where_something_else_is_drawn(faces: Package, drawn: Inventory) -> None:
    by_names = {target: ref.name for target, ref in faces.inventory.annotation.items()}

    assert {
        "eye/closed/both": HEARTS,
        "eye/wide/both": SURPRISE,
        "eye/half_closed/both": HALF,
        "mouth/a": GRIN,
    }.items() <= by_names.items()
    assert by_names["mouth/o"] == ROUND
    assert {target: ref.name for target, ref in drawn.annotation.items()} == {
        "eye/closed/both": BLINK,
        "mouth/a": OPEN,
        "mouth/i": WIDE,
    }


@pytest.mark.parametrize("name", [HEARTS, SURPRISE, HALF])
def test_what_is_before_an_eye_is_measured_and_told(drawn: Inventory, name: str) -> None:
    assert min(looks(drawn, name).left_eye.overlaid, looks(drawn, name).right_eye.overlaid) > 0.3
    assert looks(drawn, BLINK).left_eye.overlaid < 0.1
    assert "something is before the eye in colours that the face has nowhere" in " ".join(entry(drawn, name).reasons)


@pytest.mark.parametrize("name", [GRIN, ROUND])
def test_clenched_teeth_are_measured_and_told(drawn: Inventory, name: str) -> None:
    assert looks(drawn, name).mouth.teeth > 0.55
    assert looks(drawn, OPEN).mouth.teeth < 0.4
    assert "in the picture teeth fill" in " ".join(entry(drawn, name).reasons)
