"""Surfaces are drawn as their formats say, on both canvases: known colours at known places of files made here."""

from dataclasses import replace

import numpy as np
import pytest

from farm.drawing.blender import Blender
from farm.labels import LabelName
from farm.models.materials import (
    AlphaMode,
    GltfMaterial,
    MaterialFlag,
    MmdMaterial,
    MToon,
    Shading,
    SphereMode,
    TextureUse,
    Wrap,
)
from farm.models.mmd.pmx_writer import Layout, pmx_bytes
from farm.models.vrm.writer import vrm_bytes
from farm.spec import CanvasName
from tests.blender_worker.canvases.patches import AWAY, Drawn, Patch, draw, pixel, solid, wall
from tests.farm.models.made_files import material

pytestmark = pytest.mark.blender
CANVASES = (CanvasName.FORWARD, CanvasName.EEVEE)
NEAR = 0.02
"""Linear light: a byte of a bright colour is 0.008, and half clear texels are near."""
GREY, CLEAR, HALVES, RED_BLUE, GREEN, MASK = range(6)
PICTURES = (
    solid(188, 188, 188, 255),
    solid(200, 100, 50, 0),
    solid(255, 0, 0, 100, 0, 255, 0, 200),
    solid(255, 0, 0, 255, 0, 0, 255, 255),
    solid(0, 188, 0, 255),
    solid(255, 0, 255, 255),
)
GREY_LIGHT = 0.503


def gltf(shading: Shading = Shading.UNLIT, **changes: object) -> GltfMaterial:
    plain = GltfMaterial(
        name="patch",
        shading=shading,
        colour=(1.0, 1.0, 1.0, 1.0),
        base=TextureUse(GREY),
        emission_colour=(0.0, 0.0, 0.0),
        emission=None,
        alpha_mode=AlphaMode.OPAQUE,
        cutoff=0.5,
        double_sided=False,
        queue=2000,
        writes_depth=True,
        first_triangle=0,
        triangle_count=0,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


def toon(toon: MToon, **changes: object) -> GltfMaterial:
    return gltf(Shading.MTOON, mtoon=replace(toon, shade=toon.shade or TextureUse(GREY)), **changes)


def lens(**changes: object) -> GltfMaterial:
    return gltf(Shading.UNLIT, alpha_mode=AlphaMode.BLEND, queue=3000, writes_depth=False, **changes)


def wrapped(wrap: Wrap) -> GltfMaterial:
    return gltf(base=TextureUse(RED_BLUE, wrap=(wrap, Wrap.CLAMP if wrap is Wrap.MIRROR else wrap)))


PLAIN = MToon(shade_colour=(1.0, 1.0, 1.0))
PATCHES = {
    "unlit tint": Patch(gltf(colour=(0.5, 0.25, 1.0, 1.0))),
    "pbr tint": Patch(gltf(Shading.PBR, colour=(0.5, 0.25, 1.0, 1.0))),
    "unlit vertex colours": Patch(gltf(), colour=(0.25, 1.0, 0.5, 1.0)),
    "pbr vertex colours": Patch(gltf(Shading.PBR), colour=(0.25, 1.0, 0.5, 1.0)),
    "toon vertex colours": Patch(toon(PLAIN), colour=(0.25, 1.0, 0.5, 1.0)),
    "opaque": Patch(gltf(base=TextureUse(CLEAR))),
    "mask": Patch(gltf(base=TextureUse(HALVES), alpha_mode=AlphaMode.MASK, queue=2450)),
    "emission": Patch(
        gltf(Shading.PBR, colour=(0.0, 0.0, 0.0, 1.0), emission_colour=(1.0, 0.5, 1.0), emission=TextureUse(RED_BLUE))
    ),
    "mirror": Patch(wrapped(Wrap.MIRROR), u=2.0),
    "clamp": Patch(wrapped(Wrap.CLAMP), u=2.0),
    "repeat": Patch(wrapped(Wrap.REPEAT), u=2.0),
    "shaded": Patch(toon(MToon(shade_colour=(0.5, 0.8, 0.5), shade=TextureUse(GREEN))), normal=AWAY),
    "shaded plain": Patch(toon(MToon(shade_colour=(0.5, 0.25, 0.125))), normal=AWAY),
    "shaded pbr": Patch(gltf(Shading.PBR), normal=AWAY),
    "lit": Patch(toon(PLAIN)),
    "rim": Patch(
        toon(replace(PLAIN, rim_colour=(0.5, 0.5, 0.5), rim=TextureUse(MASK), rim_lift=0.5, rim_power=1.0, rim_mix=0.0))
    ),
    "matcap": Patch(toon(replace(PLAIN, matcap=TextureUse(GREEN), matcap_colour=(0.0, 0.5, 0.0), rim_mix=0.0))),
    "lens": Patch(lens(colour=(1.0, 0.0, 0.0, 0.75)), ahead=0.01, place=18),
    "eye": Patch(lens(base=TextureUse(GREEN))),
}
NUMBER = {name: number for number, name in enumerate(PATCHES)}


@pytest.fixture(scope="module", params=CANVASES)
def drawn(blender: Blender, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Drawn:
    folder = tmp_path_factory.mktemp("wall")
    (folder / "wall.vrm").write_bytes(vrm_bytes(wall(list(PATCHES.values()), PICTURES)))
    places = [number if patch.place is None else patch.place for number, patch in enumerate(PATCHES.values())]
    return draw(blender, folder / "wall.vrm", folder / "files", request.param, places)


@pytest.mark.parametrize(
    ("patch", "across", "shown"),
    [
        ("unlit tint", 0.5, (0.25, 0.126, 0.503)),
        ("pbr tint", 0.5, (0.25, 0.126, 0.503)),
        ("unlit vertex colours", 0.5, (0.126, 0.503, 0.25)),
        ("pbr vertex colours", 0.5, (0.126, 0.503, 0.25)),
        ("toon vertex colours", 0.5, (0.503, 0.503, 0.503)),
        ("opaque", 0.5, (0.578, 0.127, 0.032)),
        ("mask", 0.75, (0.0, 1.0, 0.0)),
        ("emission", 0.25, (1.0, 0.0, 0.0)),
        ("emission", 0.75, (0.0, 0.0, 1.0)),
        ("mirror", 0.125, (1.0, 0.0, 0.0)),
        ("mirror", 0.875, (1.0, 0.0, 0.0)),
        ("clamp", 0.625, (0.0, 0.0, 1.0)),
        ("clamp", 0.875, (0.0, 0.0, 1.0)),
        ("repeat", 0.625, (1.0, 0.0, 0.0)),
        ("repeat", 0.875, (0.0, 0.0, 1.0)),
        ("rim", 0.5, (0.503, 0.503, 0.503)),
        ("matcap", 0.5, (0.503, 0.503, 0.503)),
    ],
)
def test_flat_shows_colour_texture_tint_and_emission(
    drawn: Drawn, patch: str, across: float, shown: tuple[float, float, float]
) -> None:
    np.testing.assert_allclose(drawn.linear("flat", NUMBER[patch], across), [*shown, 1.0], atol=NEAR)


def test_a_mask_cuts_out(drawn: Drawn) -> None:
    assert drawn.linear("flat", NUMBER["mask"], 0.25)[3] == 0


def test_mtoon_is_shaded_by_its_own_colour_and_texture(drawn: Drawn) -> None:
    exposure = drawn.linear("toon", NUMBER["lit"])[0] / GREY_LIGHT

    np.testing.assert_allclose(
        drawn.linear("toon", NUMBER["shaded"])[:3], np.array([0, 0.8 * GREY_LIGHT, 0]) * exposure, atol=NEAR
    )
    np.testing.assert_allclose(
        drawn.linear("toon", NUMBER["shaded plain"])[:3],
        np.array([0.5, 0.25, 0.125]) * GREY_LIGHT * exposure,
        atol=NEAR,
    )


def test_without_a_toon_there_is_no_shade(drawn: Drawn) -> None:
    lit, shaded = (drawn.linear("toon", NUMBER[name]) for name in ("lit", "shaded pbr"))

    np.testing.assert_allclose(shaded, lit, atol=NEAR)


def test_rim_light_and_matcap_are_added_where_light_shows(drawn: Drawn) -> None:
    lit = drawn.linear("toon", NUMBER["lit"])

    # The patch faces the eye, so the rim is (1 - 1 + lift) to the power of 1, of the colour, times its texture.
    np.testing.assert_allclose(drawn.linear("toon", NUMBER["rim"]) - lit, [0.25, 0, 0.25, 0], atol=NEAR)
    np.testing.assert_allclose(drawn.linear("toon", NUMBER["matcap"]) - lit, [0, 0.25, 0, 0], atol=NEAR)


def test_what_is_drawn_after_a_lens_without_depth_is_seen_through_it(drawn: Drawn) -> None:
    shown = drawn.linear("flat", NUMBER["eye"])

    assert shown[1] > 0.08  # on Eevee, which knows no order, a quarter of the eye's green shines through
    if drawn.labels:
        np.testing.assert_allclose(shown, [0, GREY_LIGHT, 0, 1], atol=NEAR)
        depth = drawn.labels[LabelName.DEPTH]
        eye, other = depth[pixel(NUMBER["eye"])], depth[pixel(NUMBER["opaque"])]
        assert eye == pytest.approx(other, abs=0.002)


def mmd(**changes: object) -> MmdMaterial:
    plain = replace(
        material(texture=GREY),
        diffuse=(1.0, 1.0, 1.0, 1.0),
        ambient=(0.5, 0.5, 0.5),
        flags=MaterialFlag(0),
        shared_toon=None,
    )
    return replace(plain, **changes)  # type: ignore[arg-type]


MMD_PATCHES = {
    "lit": Patch(mmd()),
    "no toon": Patch(mmd(), normal=AWAY),
    "toon01": Patch(mmd(shared_toon=0), normal=AWAY),
    "toon02": Patch(mmd(shared_toon=1), normal=AWAY),
    "toon10": Patch(mmd(shared_toon=9), normal=AWAY),
    "red": Patch(mmd(sphere=RED_BLUE, sphere_mode=SphereMode.SUB_TEXTURE), second=(0.25, 0.5)),
    "blue": Patch(mmd(sphere=RED_BLUE, sphere_mode=SphereMode.SUB_TEXTURE), second=(0.75, 0.5)),
    "vertex colours": Patch(mmd(flags=MaterialFlag.VERTEX_COLOUR), colour=(1.0, 0.5, 0.0, 1.0)),
}
MMD_NUMBER = {name: number for number, name in enumerate(MMD_PATCHES)}


@pytest.fixture(scope="module", params=CANVASES)
def mmd_drawn(blender: Blender, tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Drawn:
    folder = tmp_path_factory.mktemp("mmd_wall")
    for number, data in enumerate(PICTURES):
        (folder / f"{number}.png").write_bytes(data)
    # Plain patches up to the wall's stated height: the head is framed by what is seen of it.
    plain = [Patch(mmd())] * (len(PATCHES) - len(MMD_PATCHES))
    made = wall([*MMD_PATCHES.values(), *plain], PICTURES)
    (folder / "wall.pmx").write_bytes(pmx_bytes(made, Layout(version=2.1, additional_uvs=1)))
    return draw(blender, folder / "wall.pmx", folder / "files", request.param, range(len(MMD_PATCHES)))


def test_shared_toons_shade_and_no_toon_does_not(mmd_drawn: Drawn) -> None:
    shares = {
        name: mmd_drawn.linear("toon", MMD_NUMBER[name])[:3] / mmd_drawn.linear("toon", MMD_NUMBER["lit"])[:3]
        for name in MMD_NUMBER
    }

    np.testing.assert_allclose(shares["no toon"], 1, atol=0.03)
    np.testing.assert_allclose(shares["toon10"], 1, atol=0.03)
    np.testing.assert_allclose(shares["toon01"], 0.61, atol=0.03)
    assert shares["toon02"][0] > shares["toon02"][1] + 0.1  # pink


def test_a_sub_texture_is_looked_up_at_the_additional_coordinates_and_multiplied(mmd_drawn: Drawn) -> None:
    np.testing.assert_allclose(mmd_drawn.linear("flat", MMD_NUMBER["red"]), [GREY_LIGHT, 0, 0, 1], atol=NEAR)
    np.testing.assert_allclose(mmd_drawn.linear("flat", MMD_NUMBER["blue"]), [0, 0, GREY_LIGHT, 1], atol=NEAR)


def test_colours_of_vertices_are_multiplied_as_they_show_on_screen(mmd_drawn: Drawn) -> None:
    shown = mmd_drawn.linear("flat", MMD_NUMBER["vertex colours"])

    np.testing.assert_allclose(shown, [GREY_LIGHT, GREY_LIGHT * 0.214, 0, 1], atol=NEAR)
