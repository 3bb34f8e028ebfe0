"""Normal maps and MToon's maps of the shade's edge, on both canvases: known tones at known places of a file made here."""

import math
from dataclasses import replace

import numpy as np
import pytest

from farm.drawing.blender import Blender
from farm.models.materials import MToon, Shading, TextureUse, Wrap
from farm.models.vrm.writer import vrm_bytes
from farm.spec import CanvasName
from tests.blender_worker.canvases.patches import AWAY, Drawn, Patch, draw, solid, wall
from tests.blender_worker.canvases.test_surfaces import GREY_LIGHT, NEAR, PICTURES, PLAIN, RED_BLUE, gltf, toon

pytestmark = [pytest.mark.blender, pytest.mark.timeout(600)]
WAYS = [("1.0", CanvasName.FORWARD), ("0.x", CanvasName.FORWARD), ("1.0", CanvasName.EEVEE)]
LEVEL, RIGHT, UP, HALF, WHITE = (len(PICTURES) + number for number in range(5))
MORE = (
    solid(128, 128, 255, 255),
    solid(218, 128, 218, 255),
    solid(128, 218, 218, 255),
    solid(128, 128, 128, 255),
    solid(255, 255, 255, 255),
)
"""Normals straight ahead, and half way to the texture's right and top; numbers of 0.5 and 1."""
SHADED = MToon(shade_colour=(0.0, 0.0, 0.0))
BALL = replace(PLAIN, matcap=TextureUse(RED_BLUE), matcap_colour=(0.5, 0.5, 0.5), rim_mix=0.0)
"""Its light is red from the left and blue from the right."""
MIRRORED = TextureUse(RIGHT, scale=(-1.0, 1.0))
PATCHES = {
    "lit": Patch(toon(PLAIN)),
    "level": Patch(gltf(Shading.PBR, normal=TextureUse(LEVEL))),
    "slanted": Patch(gltf(Shading.PBR, normal=TextureUse(RIGHT))),
    "less slanted": Patch(gltf(Shading.PBR, normal=TextureUse(RIGHT), normal_scale=0.5)),
    "unlit": Patch(gltf(Shading.UNLIT, normal=TextureUse(RIGHT))),
    "ball": Patch(toon(BALL)),
    "ball to the right": Patch(toon(BALL, normal=TextureUse(RIGHT))),
    "ball mirrored": Patch(toon(BALL, base=replace(MIRRORED, texture=0), normal=MIRRORED), u=1.0),
    "ball turned": Patch(
        toon(BALL, base=TextureUse(0, rotation=math.pi / 2), normal=TextureUse(UP, rotation=math.pi / 2))
    ),
    "moved into the light": Patch(toon(replace(SHADED, shift_map=TextureUse(WHITE), shift_scale=2.0)), normal=AWAY),
    "not moved": Patch(toon(replace(SHADED, shift_map=TextureUse(WHITE), shift_scale=0.0)), normal=AWAY),
    "moved from the light": Patch(toon(replace(SHADED, shift_map=TextureUse(HALF), shift_scale=-1.5))),
    "both ways": Patch(toon(replace(SHADED, shift=-1.0, shift_map=TextureUse(WHITE)))),
    "half": Patch(toon(replace(SHADED, shift_map=TextureUse(RED_BLUE, wrap=(Wrap.CLAMP,) * 2), shift_scale=-2.0))),
    **{f"plain {number}": Patch(gltf()) for number in range(5)},
}
NUMBER = {name: number for number, name in enumerate(PATCHES)}


@pytest.fixture(scope="module", params=WAYS, ids=lambda way: f"{way[0]} {way[1].value}")
def drawn(blender: Blender, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Drawn:
    version, canvas = request.param
    folder = tmp_path_factory.mktemp("wall")
    made = wall(list(PATCHES.values()), (*PICTURES, *MORE))
    (folder / "wall.vrm").write_bytes(vrm_bytes(made, version))
    styles = ("flat", "toon", "default")
    drawn = draw(blender, folder / "wall.vrm", folder / "files", canvas, range(len(PATCHES)), styles=styles)
    drawn.pictures["version"] = np.array(version == "1.0")
    return drawn


def test_a_normal_map_turns_what_the_light_meets(drawn: Drawn) -> None:
    def shown(patch: str, style: str = "default") -> float:
        return float(drawn.linear(style, NUMBER[patch])[0])

    def expected(slant: float) -> float:
        x = (218 / 255 * 2 - 1) * slant
        z = 218 / 255 * 2 - 1
        return GREY_LIGHT * (0.42 + 0.68 * 0.6 * (0.15 + 0.85 * z / math.hypot(x, z)))

    assert shown("level") == pytest.approx(expected(0), abs=0.01)
    assert shown("slanted") == pytest.approx(expected(1), abs=0.01)
    assert shown("less slanted") == pytest.approx(expected(0.5), abs=0.01)
    assert shown("unlit") == pytest.approx(expected(0), abs=0.01)
    assert shown("slanted", "flat") == pytest.approx(GREY_LIGHT, abs=NEAR)


def test_its_axes_are_those_of_the_texture(drawn: Drawn) -> None:
    """A matcap is red where the normal points to the left and blue where it points to the right."""

    def light(patch: str) -> np.ndarray:
        return np.asarray(drawn.linear("toon", NUMBER[patch]) - drawn.linear("toon", NUMBER["lit"]))[:3]

    right, left, turned = (light(f"ball {name}") for name in ("to the right", "mirrored", "turned"))

    assert right[2] > 0.15 > 0.05 > abs(right[0])
    assert left[0] > 0.15 > 0.05 > abs(left[2])
    # Its coordinates are turned counter-clockwise by a quarter, its picture clockwise: the texture's top lies to the right.
    if drawn.pictures["version"]:
        assert turned[2] > 0.15 > 0.05 > abs(turned[0])


def test_a_map_moves_the_edge_of_the_shade(drawn: Drawn) -> None:
    def share(patch: str, across: float = 0.5) -> float:
        return float((drawn.linear("toon", NUMBER[patch], across)[0]) / drawn.linear("toon", NUMBER["lit"])[0])

    if drawn.pictures["version"]:
        found = {
            name: share(name) for name in ("moved into the light", "not moved", "moved from the light", "both ways")
        }
        assert found == pytest.approx(
            {"moved into the light": 1.0, "not moved": 0.0, "moved from the light": 0.0, "both ways": 1.0}, abs=0.05
        )
        # Its red channel counts: the left half is red.
        assert (share("half", 0.25), share("half", 0.75)) == pytest.approx((0.0, 1.0), abs=0.05)
    else:  # MToon 0.x has no such map
        assert share("not moved") == pytest.approx(0.0, abs=0.05)
        assert share("half", 0.25) == share("half", 0.75) == pytest.approx(1.0, abs=0.05)
