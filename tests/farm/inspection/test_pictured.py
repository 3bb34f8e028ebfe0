"""Textures that swap: no vertex moves, and the picture says whose eye it is."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.drawing.blender import Blender
from farm.inspection.drawing import draw_pictures
from farm.inspection.pictured import decided_by_pictures
from farm.models.description import UVMorph, VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model, to_bytes
from farm.morphs.panels import Panel
from farm.morphs.vocabulary import Side

pytestmark = pytest.mark.blender
NAMED_RIGHT, SHOWS_NOTHING = "ウィンク２右", "びっくり左"


def swapping(mascots: dict[str, Path], folder: Path) -> Package:
    """nagi, whose only morphs swap what is painted on her left eye, under the name of the right one; or nothing."""
    shutil.copytree(mascots["nagi"].parent, folder)
    path = folder / mascots["nagi"].name
    character = read_character(".pmx", path.read_bytes())
    left = next(morph for morph in character.morphs if morph.name == "ウィンク２")
    assert isinstance(left, VertexMorph)
    offsets = np.zeros((len(left.vertices), 4), np.float32)
    nothing = UVMorph(SHOWS_NOTHING, "", Panel.EYE, 0, left.vertices, offsets + np.float32(1e-7))
    offsets[:, 0] = 0.4
    swap = UVMorph(NAMED_RIGHT, "", Panel.EYE, 0, left.vertices, offsets)
    path.write_bytes(pmx_bytes(replace(character, morphs=(swap, nothing))))
    return read_model(path)


def test_the_side_is_the_one_that_changes_and_what_changes_nothing_plays_nothing(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN names alone, which are believed where nothing was measured
    package = swapping(mascots, tmp_path / "model")
    assert set(package.inventory.annotation) == {"eye/closed/right", "eye/wide/left"}

    # WHEN the pictures are looked at
    drawn = draw_pictures(blender, package.id, to_bytes(package), package.inventory)
    inventory = decided_by_pictures(package, drawn.inspection)

    # THEN the left eye's morph is the left one's, the other plays nothing, and both are told why
    assert {target: ref.name for target, ref in inventory.annotation.items()} == {"eye/closed/left": NAMED_RIGHT}
    swap, nothing = inventory.morphs
    assert swap.evidence is not None
    assert swap.evidence.side is Side.LEFT
    assert swap.confidence is not None
    named = package.inventory.morphs[0].confidence
    assert named is not None
    assert swap.confidence > named
    assert any("taken as left" in reason for reason in swap.reasons)
    assert nothing.reasons == ["it changes nothing that shows"]
    assert not nothing.judgement().shows
    assert inventory.model_copy(update={"morphs": [], "annotation": {}, "target_morphs": 0, "samples": 0}) == (
        package.inventory.model_copy(update={"morphs": [], "annotation": {}, "target_morphs": 0, "samples": 0})
    )
