"""What the parts say where something half transparent lies before a face, and where a material morph closes its eyes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from farm.drawing.blender import Blender
from farm.labels import Part
from farm.models.description import Character, MaterialMorph, MaterialOffset, VertexMorph
from farm.models.materials import MaterialFlag
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from farm.morphs.panels import Panel
from tests.blender_worker.anatomy.drawn import Seen, seen

pytestmark = pytest.mark.blender
BLINK, WINKS = "まばたき", ("ウィンク２", "ｳｨﾝｸ２右")
EYES = (Part.EYE_LEFT, Part.EYE_RIGHT)
type Show = Callable[[Character], dict[str, Seen]]


@pytest.fixture(scope="module")
def nagi(mascots: dict[str, Path]) -> Character:
    return read_character(".pmx", mascots["nagi"].read_bytes())


@pytest.fixture
def show(blender: Blender, mascots: dict[str, Path], tmp_path: Path) -> Show:
    copytree(mascots["nagi"].parent / "tex", tmp_path / "tex")

    def draw(character: Character) -> dict[str, Seen]:
        path = tmp_path / "overlaid.pmx"
        path.write_bytes(pmx_bytes(character))
        return seen(blender, path, tmp_path / "files", ["eye/closed"])

    return draw


def eyes_of(character: Character) -> np.ndarray:
    """(n, 3) where the vertices are that winking moves."""
    winks = [m.vertices for m in character.morphs if m.name in WINKS and isinstance(m, VertexMorph)]
    return character.positions[np.concatenate(winks)]


def before_the_eyes(character: Character, name: str, alpha: float, ahead: float) -> Character:
    """The character with a plain plate before both eyes, of the head's bone."""
    points = eyes_of(character)
    (left, low, front), (right, high, _) = points.min(axis=0) - 0.3, points.max(axis=0) + 0.3
    (head,) = (i for i, bone in enumerate(character.bones) if bone.name == "頭")
    z, first = front - ahead, len(character.positions)
    corners = np.array([[left, low, z], [right, low, z], [right, high, z], [left, high, z]], np.float32)

    def longer(values: np.ndarray, row: object) -> np.ndarray:
        return np.concatenate([values, np.repeat(np.array([row], values.dtype), 4, axis=0)])

    plate = replace(
        character.mmd_materials[0],
        name=name,
        name_en="",
        diffuse=(1.0, 0.9, 0.8, alpha),
        texture=None,
        flags=MaterialFlag.DOUBLE_SIDED,
        first_triangle=len(character.triangles),
        triangle_count=2,
    )
    return replace(
        character,
        positions=np.concatenate([character.positions, corners]),
        normals=longer(character.normals, (0, 0, -1)),
        uvs=longer(character.uvs, (0, 0)),
        bone_indices=longer(character.bone_indices, (head, -1, -1, -1)),
        bone_weights=longer(character.bone_weights, (1, 0, 0, 0)),
        edge_scales=longer(character.edge_scales, 0.0),
        triangles=np.concatenate([character.triangles, np.array([[0, 2, 1], [0, 3, 2]], np.int32) + first]),
        materials=(*character.materials, plate),
    )


@pytest.mark.parametrize(("alpha", "eyes", "ignored"), [(0.3, True, False), (0.6, False, True), (0.9, False, False)])
def test_what_is_half_seen_through_is_to_be_ignored(
    nagi: Character, show: Show, alpha: float, eyes: bool, ignored: bool
) -> None:
    bare = show(nagi)[""]
    assert bare.area(*EYES) > 500
    assert bare.area(Part.IGNORE) < 50

    covered = show(before_the_eyes(nagi, "前髪", alpha, 0.2))[""]

    assert (covered.area(*EYES) > 0.9 * bare.area(*EYES)) == eyes
    assert (covered.area(Part.IGNORE) > 0.9 * bare.area(*EYES)) == ignored
    if not eyes:
        assert covered.area(*EYES) < 0.1 * bare.area(*EYES)


@pytest.mark.parametrize("name", ["目閉じ", "顔2", "材質9"])
def test_eyes_that_a_material_closes_are_gone_from_the_parts(nagi: Character, show: Show, name: str) -> None:
    # GIVEN a plate before the eyes that nobody sees until a material morph brings it
    made = before_the_eyes(nagi, name, 0.0, 0.2)
    nothing = (0.0, 0.0, 0.0)
    comes = MaterialOffset(
        material=len(made.materials) - 1,
        adds=True,
        diffuse=(*nothing, 1.0),
        specular=nothing,
        shininess=0.0,
        ambient=nothing,
        edge_colour=(*nothing, 0.0),
        edge_size=0.0,
        texture_tint=(*nothing, 0.0),
        sphere_tint=(*nothing, 0.0),
        toon_tint=(*nothing, 0.0),
    )
    morphs = tuple(m for m in made.morphs if isinstance(m, VertexMorph))
    blink = MaterialMorph(BLINK, "", Panel.EYE, (comes,))

    poses = show(replace(made, morphs=(blink, *morphs)))

    # THEN it is no part of the open eyes, and takes them from the closed ones
    assert poses[""].area(*EYES) > 0.9 * show(nagi)[""].area(*EYES)
    assert poses["eye/closed"].area(*EYES) < 0.1 * poses[""].area(*EYES)
