"""A fringe over one eye: pixels say less than vertices, and whoever closes both eyes closes both."""

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.drawing.blender import Blender
from farm.inspection.drawing import draw_pictures
from farm.inspection.page import Index, Inspected
from farm.inspection.pictured import decided_by_pictures
from farm.models.description import Character, VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model, to_bytes

pytestmark = pytest.mark.blender
_MARGIN = 0.35
"""Of the eye's width and height, by which the fringe reaches beyond it."""
_BEFORE = 0.6
"""How far before the eye it hangs, in the model's units."""


def covered(character: Character, wink: str) -> Character:
    """The character with a strand of hair before the eye that `wink` closes."""
    (morph,) = (each for each in character.morphs if each.name == wink and isinstance(each, VertexMorph))
    eye = character.positions[morph.vertices]
    low, high = eye.min(axis=0), eye.max(axis=0)
    low, high = low - _MARGIN * (high - low), high + _MARGIN * (high - low)
    front = low[2] - _BEFORE  # the face looks along -z
    corners = np.array(
        [(x, y, front) for x, y in ((low[0], low[1]), (high[0], low[1]), (high[0], high[1]), (low[0], high[1]))]
    )
    first, like = len(character.positions), int(morph.vertices[0])
    faces = np.array([(0, 1, 2), (0, 2, 3), (2, 1, 0), (3, 2, 0)], np.int32) + first
    hair = next(material for material in character.mmd_materials if "髪" in material.name)
    strand = replace(hair, name="前髪", first_triangle=len(character.triangles), triangle_count=len(faces))

    def longer(values: np.ndarray, rows: np.ndarray | None = None) -> np.ndarray:
        more = np.repeat(values[like : like + 1], 4, axis=0) if rows is None else rows.astype(values.dtype)
        return np.concatenate([values, more])

    return replace(
        character,
        positions=longer(character.positions, corners),
        normals=longer(character.normals, np.tile((0.0, 0.0, -1.0), (4, 1))),
        uvs=longer(character.uvs),
        bone_indices=longer(character.bone_indices),
        bone_weights=longer(character.bone_weights),
        edge_scales=longer(character.edge_scales),
        triangles=np.concatenate([character.triangles, faces.astype(character.triangles.dtype)]),
        materials=(*character.mmd_materials, strand),
    )


@pytest.fixture
def package(mascots: dict[str, Path], tmp_path: Path) -> Package:
    folder = tmp_path / "model"
    shutil.copytree(mascots["nagi"].parent, folder)
    path = folder / mascots["nagi"].name
    path.write_bytes(pmx_bytes(covered(read_character(".pmx", path.read_bytes()), "ｳｨﾝｸ２右")))
    return read_model(path)


def test_what_closes_both_eyes_closes_both_though_one_is_behind_a_fringe(
    package: Package, lasting_blender: Blender
) -> None:
    # GIVEN pictures in which only the left eye closes
    inspection = draw_pictures(lasting_blender, package.id, to_bytes(package), package.inventory).inspection
    names = {morph.index: morph.name for morph in package.inventory.morphs}
    blink = next(morph for morph in inspection.morphs if names[morph.index] == "まばたき")
    assert blink.change.picture_left < 0.1 * blink.change.picture_right

    # WHEN they decide as well
    seen = decided_by_pictures(package, inspection)

    # THEN the blink is of both sides, the wink that nobody sees plays nothing, and the page says the same
    plays = {target: ref.name for target, ref in seen.annotation.items()}
    assert (plays["eye/closed/both"], plays["eye/closed/left"]) == ("まばたき", "ウィンク２")
    assert "eye/closed/right" not in plays
    index = Index()
    index.add(Inspected("nagi", seen, inspection))
    shown = {names[morph]: side for morph, _, _, side, *_ in index.collection()["models"][0]["morphs"]}
    assert (shown["まばたき"], shown["ウィンク２"], shown["ｳｨﾝｸ２右"]) == ("both", "left", "")
