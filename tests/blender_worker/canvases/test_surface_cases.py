"""What people's files have beside the usual: alpha in every mode, placed textures, drawing order, morphs of surfaces."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.drawing.blender import Blender
from farm.models.description import (
    ColourBind,
    Expression,
    MaterialMorph,
    MaterialOffset,
    Morph,
    Tint,
    TransformBind,
    UVMorph,
)
from farm.models.materials import AlphaMode, MToon, Shading, SphereMode, TextureUse
from farm.models.mmd.pmx_writer import Layout, pmx_bytes
from farm.models.vrm.writer import vrm_bytes
from farm.morphs.panels import Panel
from farm.spec import CanvasName
from tests.blender_worker.canvases.patches import Drawn, Patch, draw, wall
from tests.blender_worker.canvases.test_surfaces import (
    CLEAR,
    GREEN,
    GREY,
    GREY_LIGHT,
    HALVES,
    MMD_PATCHES,
    NEAR,
    PICTURES,
    PLAIN,
    RED_BLUE,
    gltf,
    mmd,
    toon,
)

pytestmark = [pytest.mark.blender, pytest.mark.timeout(600)]
BASE_OF_CLEAR = (0.578, 0.127, 0.032)
BLACK = (0.0, 0.0, 0.0, 1.0)
SHADED = MToon(shade_colour=(0.5, 0.0, 0.0))


def blended(queue: int, writes_depth: bool, colour: tuple[float, float, float]) -> Patch:
    shade = MToon(shade_colour=colour)
    material = gltf(
        Shading.MTOON, base=None, mtoon=shade, alpha_mode=AlphaMode.BLEND, queue=queue, writes_depth=writes_depth
    )
    return Patch(replace(material, colour=(*colour, 1.0)))


def placed(**place: object) -> TextureUse:
    return replace(TextureUse(RED_BLUE), **place)  # type: ignore[arg-type]


GLOW = gltf(Shading.PBR, colour=BLACK, base=None, emission_colour=(1.0, 1.0, 1.0), emission=TextureUse(RED_BLUE))
PATCHES = {
    "pbr opaque": Patch(gltf(Shading.PBR, base=TextureUse(CLEAR))),
    "toon opaque": Patch(toon(PLAIN, base=TextureUse(CLEAR))),
    "opaque, clear colour": Patch(gltf(colour=(1.0, 1.0, 1.0, 0.0)), colour=(1.0, 1.0, 1.0, 0.0)),
    "pbr mask": Patch(gltf(Shading.PBR, base=TextureUse(HALVES), alpha_mode=AlphaMode.MASK, queue=2450)),
    "toon mask": Patch(toon(PLAIN, base=TextureUse(HALVES), alpha_mode=AlphaMode.MASK, queue=2450)),
    "blend": Patch(
        gltf(Shading.PBR, colour=(1.0, 1.0, 1.0, 0.5), alpha_mode=AlphaMode.BLEND, queue=3000, writes_depth=False)
    ),
    "unlit, emission": Patch(gltf(emission_colour=(1.0, 1.0, 1.0), emission=TextureUse(GREEN))),
    "strong emission": Patch(
        gltf(Shading.PBR, colour=BLACK, emission_colour=(1.8, 0.5, 0.0), emission=TextureUse(GREY))
    ),
    "half scale": Patch(gltf(base=placed(scale=(0.5, 1.0), offset=(0.5, 0.0)))),
    "quarter turn": Patch(gltf(base=placed(rotation=math.pi / 2))),
    "shifted shade": Patch(toon(replace(SHADED, shift=-1.0))),
    "shifted light": Patch(toon(replace(SHADED, shift=1.0))),
    "dyed": Patch(gltf()),
    "moved": Patch(gltf(base=placed())),
    "turned and moved": Patch(gltf(base=placed(rotation=math.pi / 2))),
    "glow": Patch(GLOW),
    "glowing": Patch(gltf(Shading.PBR, colour=BLACK)),
    "late": blended(3000, False, (1.0, 0.0, 0.0)),
    "early": replace(blended(2995, False, (0.0, 1.0, 0.0)), place=17),
}
"""What is late stands first in the file."""
NUMBER = {name: number for number, name in enumerate(PATCHES)}


def expression(name: str, *binds: ColourBind | TransformBind) -> Expression:
    colours = tuple(bind for bind in binds if isinstance(bind, ColourBind))
    transforms = tuple(bind for bind in binds if isinstance(bind, TransformBind))
    return Expression(name, (), colours, transforms)


MOVED = (1.0, 1.0), (0.5, 0.0)
ALL_AT_ONCE = expression(
    "all",
    ColourBind(NUMBER["dyed"], Tint.COLOUR, (0.0, 1.0, 0.0, 1.0)),
    ColourBind(NUMBER["glowing"], Tint.EMISSION, (0.0, 0.25, 1.0, 1.0)),
    *(TransformBind(NUMBER[name], *MOVED) for name in ("moved", "turned and moved", "glow")),
)
WAYS = [("1.0", CanvasName.FORWARD), ("0.x", CanvasName.FORWARD), ("1.0", CanvasName.EEVEE)]
PLACES = [number if patch.place is None else patch.place for number, patch in enumerate(PATCHES.values())]
type Draw = Callable[[str, CanvasName, int | None], Drawn]


@pytest.fixture(scope="module")
def drawn(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> Draw:
    known: dict[tuple[str, CanvasName, int | None], Drawn] = {}

    def get(version: str, canvas: CanvasName, morph: int | None) -> Drawn:
        key = version, canvas, morph
        if key not in known:
            folder = tmp_path_factory.mktemp("wall")
            (folder / "wall.vrm").write_bytes(vrm_bytes(wall(list(PATCHES.values()), PICTURES, [ALL_AT_ONCE]), version))
            known[key] = draw(blender, folder / "wall.vrm", folder / "files", canvas, PLACES, morph)
        return known[key]

    return get


RED, GREEN_LIGHT, BLUE = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
GREY_SHOWN = (GREY_LIGHT,) * 3


@pytest.mark.parametrize(("version", "canvas"), WAYS)
@pytest.mark.parametrize(
    ("patch", "across", "up", "shown"),
    [
        ("pbr opaque", 0.5, 0.5, BASE_OF_CLEAR),
        ("toon opaque", 0.5, 0.5, BASE_OF_CLEAR),
        ("opaque, clear colour", 0.5, 0.5, GREY_SHOWN),
        ("pbr mask", 0.75, 0.5, GREEN_LIGHT),
        ("toon mask", 0.75, 0.5, GREEN_LIGHT),
        ("unlit, emission", 0.5, 0.5, GREY_SHOWN),
        ("strong emission", 0.5, 0.5, (1.8 * GREY_LIGHT, 0.5 * GREY_LIGHT, 0.0)),
        ("half scale", 0.25, 0.5, BLUE),
        ("half scale", 0.75, 0.5, BLUE),
        ("quarter turn", 0.5, 0.75, RED),
        ("quarter turn", 0.5, 0.25, BLUE),
        ("moved", 0.25, 0.5, RED),
        ("turned and moved", 0.5, 0.75, RED),
        ("glow", 0.25, 0.5, RED),
        ("glowing", 0.5, 0.5, (0.0, 0.0, 0.0)),
    ],
)
def test_each_shows_what_its_format_says(
    drawn: Draw, version: str, canvas: CanvasName, patch: str, across: float, up: float, shown: tuple[float, ...]
) -> None:
    found = drawn(version, canvas, None).linear("flat", NUMBER[patch], across, up)

    np.testing.assert_allclose(found, [*shown, 1.0], atol=NEAR)


@pytest.mark.parametrize(("version", "canvas"), WAYS)
def test_alpha_cuts_or_fades_as_its_mode_says(drawn: Draw, version: str, canvas: CanvasName) -> None:
    found = drawn(version, canvas, None)

    for name in ("pbr mask", "toon mask"):
        assert found.linear("flat", NUMBER[name], 0.25)[3] == 0, name
    assert found.linear("flat", NUMBER["blend"])[3] == pytest.approx(
        0.5, abs=0.1 if canvas is CanvasName.EEVEE else 0.01
    )


@pytest.mark.parametrize("version", ["1.0", "0.x"])
def test_a_later_queue_is_drawn_on_top(drawn: Draw, version: str) -> None:
    found = drawn(version, CanvasName.FORWARD, None)

    np.testing.assert_allclose(found.linear("flat", NUMBER["early"]), [*RED, 1.0], atol=NEAR)


@pytest.mark.parametrize(("version", "canvas"), WAYS)
def test_the_shade_of_mtoon_is_shifted(drawn: Draw, version: str, canvas: CanvasName) -> None:
    found = drawn(version, canvas, None)
    shade, light = (found.linear("toon", NUMBER[name])[:3] for name in ("shifted shade", "shifted light"))

    np.testing.assert_allclose(light, 0.287, atol=0.01)
    assert shade[0] == pytest.approx(0.5 * light[0], abs=0.05)
    np.testing.assert_allclose(shade[1:], 0, atol=NEAR)


@pytest.mark.parametrize("canvas", [CanvasName.FORWARD, CanvasName.EEVEE])
@pytest.mark.parametrize(
    ("patch", "across", "up", "shown"),
    [
        ("dyed", 0.5, 0.5, (0.0, GREY_LIGHT, 0.0)),
        ("glowing", 0.5, 0.5, (0.0, 0.25, 1.0)),
        ("moved", 0.25, 0.5, BLUE),
        ("moved", 0.75, 0.5, RED),
        ("turned and moved", 0.5, 0.75, BLUE),
        ("turned and moved", 0.5, 0.25, RED),
        ("glow", 0.25, 0.5, BLUE),
        ("half scale", 0.25, 0.5, BLUE),
    ],
)
def test_expressions_dye_and_move_what_they_say(
    drawn: Draw, canvas: CanvasName, patch: str, across: float, up: float, shown: tuple[float, ...]
) -> None:
    found = drawn("1.0", canvas, 0).linear("flat", NUMBER[patch], across, up)

    np.testing.assert_allclose(found, [*shown, 1.0], atol=NEAR)


MMD_NUMBER = {name: number for number, name in enumerate(MMD_PATCHES)}
NOTHING = MaterialOffset(
    material=None,
    adds=True,
    diffuse=(0.0, 0.0, 0.0, 0.0),
    specular=(0.0, 0.0, 0.0),
    shininess=0.0,
    ambient=(0.0, 0.0, 0.0),
    edge_colour=(0.0, 0.0, 0.0, 0.0),
    edge_size=0.0,
    texture_tint=(0.0, 0.0, 0.0, 0.0),
    sphere_tint=(0.0, 0.0, 0.0, 0.0),
    toon_tint=(0.0, 0.0, 0.0, 0.0),
)
ONE = replace(
    NOTHING,
    adds=False,
    diffuse=(1.0,) * 4,
    specular=(1.0,) * 3,
    shininess=1.0,
    ambient=(1.0,) * 3,
    edge_colour=(1.0,) * 4,
    edge_size=1.0,
    texture_tint=(1.0,) * 4,
    sphere_tint=(1.0,) * 4,
    toon_tint=(1.0,) * 4,
)


def corners(patch: str) -> np.ndarray:
    return np.arange(4, dtype=np.int32) + np.int32(4 * MMD_NUMBER[patch])


def half_across(patch: str, channel: int) -> Morph:
    offsets = np.tile(np.array([0.5, 0, 0, 0], np.float32), (4, 1))
    return UVMorph("動く", "", Panel.OTHER, channel, corners(patch), offsets)


def material_morph(patch: str, entry: MaterialOffset) -> Morph:
    return MaterialMorph("色", "", Panel.OTHER, (replace(entry, material=MMD_NUMBER[patch]),))


@pytest.mark.parametrize(
    ("morph", "patch", "shown"),
    [
        (half_across("red", 1), "red", (0.0, 0.0, GREY_LIGHT, 1.0)),
        (half_across("lit", 1), "lit", (*GREY_SHOWN, 1.0)),
        (half_across("lit", 0), "lit", (*GREY_SHOWN, 1.0)),
        (material_morph("lit", replace(ONE, texture_tint=(1.0, 0.0, 0.0, 1.0))), "lit", (GREY_LIGHT, 0.0, 0.0, 1.0)),
        (material_morph("lit", replace(ONE, texture_tint=(1.0, 1.0, 1.0, 0.0))), "lit", (0.0, 0.0, 0.0, 0.0)),
        (
            material_morph("lit", replace(NOTHING, texture_tint=(0.0, 1.0, 0.0, 0.0))),
            "lit",
            (GREY_LIGHT, 1.0, GREY_LIGHT, 1.0),
        ),
        (material_morph("lit", replace(ONE, diffuse=(1.0, 1.0, 1.0, 0.0))), "lit", (0.0, 0.0, 0.0, 0.0)),
        (material_morph("red", replace(ONE, sphere_tint=(0.0, 1.0, 1.0, 1.0))), "red", (0.0, 0.0, 0.0, 1.0)),
    ],
)
def test_morphs_of_mikumikudance_move_and_dye_textures(
    blender: Blender, tmp_path: Path, morph: Morph, patch: str, shown: tuple[float, ...]
) -> None:
    for number, data in enumerate(PICTURES):
        (tmp_path / f"{number}.png").write_bytes(data)
    assert MMD_PATCHES["red"].material.sphere_mode is SphereMode.SUB_TEXTURE  # type: ignore[union-attr]
    made = wall([*MMD_PATCHES.values(), *[Patch(mmd())] * 12], PICTURES, [morph])
    (tmp_path / "wall.pmx").write_bytes(pmx_bytes(made, Layout(additional_uvs=1)))

    found = draw(
        blender, tmp_path / "wall.pmx", tmp_path / "files", CanvasName.FORWARD, range(len(MMD_PATCHES)), morph=0
    )

    np.testing.assert_allclose(found.linear("flat", MMD_NUMBER[patch]), shown, atol=NEAR)
