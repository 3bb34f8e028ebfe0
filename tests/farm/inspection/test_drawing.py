"""Pictures of morphs, drawn by a real Blender and taken apart again."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from farm.drawing.blender import Blender
from farm.inspection.drawing import draw_pictures
from farm.inspection.record import DrawnInspection
from farm.models.package import Package, read_model, to_bytes
from farm.morphs.evidence import Evidence
from farm.morphs.traits import moved_side
from tests.support.fixtures import read_mascot

pytestmark = pytest.mark.blender


@pytest.fixture(scope="module")
def nagi(blender: Blender, mascots: dict[str, Path]) -> DrawnInspection:
    return drawn(blender, read_mascot(mascots, "nagi"))


def drawn(blender: Blender, package: Package) -> DrawnInspection:
    return draw_pictures(blender, package.id, to_bytes(package), package.inventory)


@pytest.mark.parametrize(
    ("name", "effect", "side"),
    [
        ("ウィンク２", "closes the left eye", "left"),
        ("ｳｨﾝｸ２右", "closes the right eye", "right"),
        ("まばたき", "closes both eyes", "both"),
        ("じと目左", "narrows the left eye", "left"),
        ("びっくり", "widens both eyes", "both"),
        ("上右", "raises the right brow", "right"),
        ("下", "lowers both brows", "both"),
        ("あ", "opens the mouth", "both"),
    ],
)
def test_side_and_effect_are_said(
    nagi: DrawnInspection, mascots: dict[str, Path], name: str, effect: str, side: str
) -> None:
    index = next(m.index for m in read_mascot(mascots, "nagi").inventory.morphs if m.name == name)
    (morph,) = (m for m in nagi.inspection.morphs if m.index == index)

    assert (morph.effect, moved_side(Evidence(picture=morph.change))) == (effect, side or None)


def test_the_sprite_holds_each_box_of_new_pixels(nagi: DrawnInspection) -> None:
    record = nagi.inspection
    assert record.unusable == ()
    with Image.open(io.BytesIO(nagi.sprite)) as file:
        assert file.size == record.sprite
        pixels = np.asarray(file.convert("RGB"))
    for morph in record.morphs:
        assert morph.box is not None
        assert morph.place is not None
        (left, top, right, bottom), (x, y) = morph.box, morph.place
        before, after = pixels[top:bottom, left:right], pixels[y : y + bottom - top, x : x + right - left]
        assert before.shape == after.shape
        changed = int((np.abs(before.astype(int) - after).sum(axis=-1) > 24).sum())
        # Counted in the picture of half the size.
        assert morph.change.count * 4 == pytest.approx(changed, rel=0.25, abs=40)


def test_a_model_that_would_not_be_rendered_says_why(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    bare = tmp_path / "nagi.pmx"
    bare.write_bytes(mascots["nagi"].read_bytes())  # without its textures
    package = read_model(bare)
    few = package.inventory.model_copy(update={"morphs": []})

    (reason,) = draw_pictures(blender, package.id, to_bytes(package), few).inspection.unusable

    assert reason.startswith("Textures of its head are missing")


def test_the_same_package_gives_the_same_bytes(blender: Blender, mascots: dict[str, Path]) -> None:
    momo = read_mascot(mascots, "momo")

    assert drawn(blender, momo) == drawn(blender, momo)
