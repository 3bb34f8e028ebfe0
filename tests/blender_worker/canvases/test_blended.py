"""Blended surfaces that write no depth: a file may give their order, and where it gives none, depth does."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.drawing.blender import Blender
from farm.labels import LabelName
from farm.models.materials import AlphaMode, GltfMaterial, MToon, Shading, TextureUse
from farm.models.vrm.writer import vrm_bytes
from farm.spec import CanvasName
from tests.blender_worker.canvases.patches import Drawn, Patch, draw, pixel, solid, wall
from tests.blender_worker.canvases.test_surfaces import GREY_LIGHT, NEAR, lens, toon

pytestmark = pytest.mark.blender
RED, BLUE, HALVES = range(3)
PICTURES = (solid(188, 0, 0, 255), solid(0, 0, 188, 255), solid(188, 0, 0, 255, 0, 188, 0, 128))
"""The last is solid on its left half, and half transparent on its right one."""
NEARER = 0.02


def blended(texture: int, queue: int = 3000) -> GltfMaterial:
    return replace(lens(base=TextureUse(texture)), queue=queue)


def blended_toon(texture: int, queue: int) -> GltfMaterial:
    material = toon(MToon(shade_colour=(1.0, 1.0, 1.0), shade=TextureUse(texture)), base=TextureUse(texture))
    return replace(material, alpha_mode=AlphaMode.BLEND, queue=queue, writes_depth=False)


def pair(near: GltfMaterial, far: GltfMaterial) -> list[Patch]:
    """One patch before another, in the order in which the nearer would vanish."""
    return [Patch(near, ahead=NEARER), Patch(far, place=0)]


def drawn(blender: Blender, patches: list[Patch], room: Path) -> Drawn:
    room.mkdir(exist_ok=True)
    (room / "wall.vrm").write_bytes(vrm_bytes(wall(patches, PICTURES)))
    return draw(blender, room / "wall.vrm", room / "files", CanvasName.FORWARD, [0, 0], styles=("flat",))


@pytest.mark.parametrize("kind", ["unlit", "pbr", "toon", "vertex colours"])
def test_what_is_solid_hides_what_lies_behind_it_whatever_the_order(
    blender: Blender, tmp_path: Path, kind: str
) -> None:
    near = {
        "unlit": blended(RED),
        "pbr": replace(blended(RED), shading=Shading.PBR),
        "toon": blended_toon(RED, 3000),
        "vertex colours": blended(RED),
    }[kind]
    patches = pair(near, blended(BLUE))
    if kind == "vertex colours":
        patches[0].colour = (1.0, 1.0, 1.0, 0.5)

    found = drawn(blender, patches, tmp_path)

    # THEN the nearer one is seen, and labelled; one that its vertices make half clear is drawn over, as it was
    shown = found.linear("flat", 0)
    depths = found.labels[LabelName.DEPTH]
    expected = [0, 0, GREY_LIGHT, 1] if kind == "vertex colours" else [GREY_LIGHT, 0, 0, 1]
    np.testing.assert_allclose(shown, expected, atol=NEAR)
    if kind != "vertex colours":
        assert depths[pixel(0)] < depths[depths > 0].max() - NEARER / 2


def test_of_one_surface_only_what_is_solid_hides(blender: Blender, tmp_path: Path) -> None:
    # GIVEN one whose triangles look up the solid half of its texture, and one with triangles in both
    left, whole = (
        drawn(blender, [Patch(blended(HALVES), u=u, ahead=NEARER), Patch(blended(BLUE), place=0)], tmp_path / name)
        for u, name in ((0.45, "a"), (1.0, "b"))
    )

    np.testing.assert_allclose(left.linear("flat", 0), [GREY_LIGHT, 0, 0, 1], atol=NEAR)
    np.testing.assert_allclose(whole.linear("flat", 0, across=0.75), [0, 0, GREY_LIGHT, 1], atol=NEAR)


def test_an_order_that_the_file_gives_counts(blender: Blender, tmp_path: Path) -> None:
    # GIVEN brows that are to be seen through the hair before them: their queue is a later one
    found = drawn(blender, pair(blended_toon(RED, 2999), blended_toon(BLUE, 3000)), tmp_path)

    np.testing.assert_allclose(found.linear("flat", 0), [0, 0, GREY_LIGHT, 1], atol=NEAR)
