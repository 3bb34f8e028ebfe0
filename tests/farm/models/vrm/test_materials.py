"""VRM: materials and textures of either version in one set of terms."""

import copy
import dataclasses
import json
from typing import Any

import numpy as np
import pytest

from farm.models.materials import AlphaMode, GltfMaterial, OutlineMode, Shading, Wrap
from tests.farm.models import made_files as made
from tests.farm.models.vrm import as_read
from tests.farm.models.vrm.as_read import VERSIONS


@VERSIONS
def test_a_material_of_mtoon_keeps_its_numbers_in_both_versions(version: str) -> None:
    character = as_read.character(made.vrm(version))
    face = as_read.material(character, "顔")
    wanted = made.toon(first=face.first_triangle)
    assert wanted.mtoon is not None
    channel = 1 if version == "1.0" else 0  # green, and red: MToon changed its mind
    wanted = dataclasses.replace(wanted, mtoon=dataclasses.replace(wanted.mtoon, outline_width_channel=channel))

    def flat(value: Any) -> Any:
        return json.loads(json.dumps(dataclasses.asdict(value)))

    assert flat(face).keys() == flat(wanted).keys()
    for key, value in flat(wanted).items():
        found = flat(face)[key]
        if isinstance(value, dict):
            assert {k: pytest.approx(v) if isinstance(v, list | float) else v for k, v in value.items()} == found
        else:
            assert found == (pytest.approx(value) if isinstance(value, list | float) else value), key


@pytest.mark.parametrize(
    ("shader", "mode", "writes_depth", "queue"),
    [
        ("VRM/UnlitTexture", AlphaMode.OPAQUE, True, 2000),
        ("VRM/UnlitCutout", AlphaMode.MASK, True, 2450),
        ("VRM/UnlitTransparent", AlphaMode.BLEND, False, 3000),
        ("VRM/UnlitTransparentZWrite", AlphaMode.BLEND, True, 2501),
    ],
)
def test_the_unlit_shaders_of_vrm_0_are_read(shader: str, mode: AlphaMode, writes_depth: bool, queue: int) -> None:
    draft = made.vrm("0.x")
    properties = as_read.extension(draft)["materialProperties"][0] | {"shader": shader, "renderQueue": -1}
    as_read.extension(draft)["materialProperties"][0] = properties

    face = as_read.material(as_read.character(draft), "顔")

    assert (face.shading, face.alpha_mode, face.writes_depth, face.queue) == (Shading.UNLIT, mode, writes_depth, queue)
    assert face.colour == pytest.approx((0.25, 0.5, 0.75, 0.5))
    assert face.base is not None


def test_a_shader_that_gltf_describes_is_left_to_gltf() -> None:
    draft = made.vrm("0.x")
    hair = as_read.material(as_read.character(draft), "髪")

    assert (hair.shading, hair.mtoon) == (Shading.UNLIT, None)


@pytest.mark.parametrize(
    ("blend", "asked", "queue"),
    [(0, 3000, 2000), (1, -1, 2450), (2, -1, 3000), (2, 2990, 2990), (2, 5000, 3000), (3, 2510, 2510), (3, 3000, 2550)],
)
def test_the_render_queue_of_vrm_0_counts_within_its_kind(blend: int, asked: int, queue: int) -> None:
    draft = made.vrm("0.x")
    properties = as_read.extension(draft)["materialProperties"][0]
    properties["floatProperties"]["_BlendMode"] = blend
    properties["renderQueue"] = asked

    face = as_read.material(as_read.character(draft), "顔")

    assert face.queue == queue


@pytest.mark.parametrize(("mode", "width", "expected"), [(0, 1, 0), (1, 1, 0.01), (2, 1, 0.005), (1, -1, 0)])
def test_the_outline_of_vrm_0_is_counted_in_centimetres_or_hundredths(mode: int, width: float, expected: float) -> None:
    draft = made.vrm("0.x")
    numbers = as_read.extension(draft)["materialProperties"][0]["floatProperties"]
    numbers |= {"_OutlineWidthMode": mode, "_OutlineWidth": width}

    face = as_read.material(as_read.character(draft), "顔")

    assert face.mtoon is not None
    assert face.mtoon.outline_mode is list(OutlineMode)[mode]
    assert face.mtoon.outline_width == pytest.approx(expected)


def test_materials_stand_in_the_order_of_drawing() -> None:
    draft = made.vrm("1.0")
    face, hair = draft.content["materials"]
    toon = face["extensions"]["VRMC_materials_mtoon"]
    face["alphaMode"], toon["renderQueueOffsetNumber"] = "BLEND", 2
    hair["alphaMode"] = "BLEND"
    hair["extensions"]["VRMC_materials_mtoon"] = copy.deepcopy(toon) | {"renderQueueOffsetNumber": 1}

    materials = as_read.character(draft).materials

    assert [(m.name, m.first_triangle) for m in materials] == [("髪", 0), ("顔", 1)]
    assert [m.queue for m in materials if isinstance(m, GltfMaterial)] == [3001, 3002]
    assert [m.writes_depth for m in materials if isinstance(m, GltfMaterial)] == [False, False]


def test_strong_emission_is_multiplied_in() -> None:
    draft = made.vrm("1.0")
    material = draft.content["materials"][0]
    material["emissiveFactor"] = [1, 0.5, 0]
    material["extensions"]["KHR_materials_emissive_strength"] = {"emissiveStrength": 3}

    assert as_read.material(as_read.character(draft), "顔").emission_colour == (3, 1.5, 0)


@pytest.mark.parametrize(
    ("shading", "expected"), [("KHR_materials_unlit", True), ("none", True), ("VRMC_materials_mtoon", False)]
)
def test_vertex_colours_count_but_for_mtoon(shading: str, expected: bool) -> None:
    draft = made.vrm("1.0")
    for primitive in draft.content["meshes"][0]["primitives"]:
        primitive["attributes"]["COLOR_0"] = draft.accessor(np.full((3, 4), 128, np.uint8), normalized=True)
    for material in draft.content["materials"]:
        material["extensions"] = {shading: {}}

    colours = as_read.character(draft).colours

    assert (colours is not None) is expected
    if colours is not None:
        np.testing.assert_allclose(colours, 128 / 255)


@pytest.mark.parametrize(
    ("code", "wrap"), [(10497, Wrap.REPEAT), (33648, Wrap.MIRROR), (33071, Wrap.CLAMP), (7, Wrap.REPEAT)]
)
def test_samplers_are_honoured(code: int, wrap: Wrap) -> None:
    draft = made.vrm("1.0")
    draft.content["samplers"][0] = {"wrapS": code, "magFilter": 9728}

    (base,) = (m.base for m in as_read.character(draft).materials if isinstance(m, GltfMaterial) and m.base)

    assert (base.wrap, base.smooth) == ((wrap, Wrap.REPEAT), False)


@pytest.mark.parametrize("fallback", [True, False])
def test_a_webp_texture_is_used_before_its_fallback(fallback: bool) -> None:
    draft = made.vrm("1.0")
    image = draft.picture(b"RIFFwebp", "face.webp", "image/webp")
    draft.content["textures"][0] |= {"extensions": {"EXT_texture_webp": {"source": image}}}
    if not fallback:
        del draft.content["textures"][0]["source"]

    character = as_read.character(draft)

    assert {m.texture for m in character.materials} == {image, None}
    assert character.embedded[image] == b"RIFFwebp"


@VERSIONS
def test_a_texture_in_ktx2_alone_is_named_in_a_warning(version: str) -> None:
    draft = made.vrm(version)
    image = draft.picture(b"KTX 20", "face in ktx", "image/ktx2")
    draft.content["textures"][0] = {"extensions": {"KHR_texture_basisu": {"source": image}}}

    character = as_read.character(draft)

    assert {m.texture for m in character.materials} == {None}
    assert any("face in ktx" in warning and "KTX2" in warning for warning in character.warnings)
    assert [m.absent for m in character.materials if isinstance(m, GltfMaterial)] == ["face in ktx", ""]


def test_a_picture_may_be_spelled_in_base64() -> None:
    draft = made.vrm("1.0")
    draft.content["images"][0] = {"uri": "data:image/png;base64,AAAA"}

    assert as_read.character(draft).embedded == {0: b"\0\0\0"}


def test_a_glossy_material_shows_its_diffuse_colour() -> None:
    draft = made.vrm("1.0")
    face = draft.content["materials"][0]
    plain = face["pbrMetallicRoughness"]
    glossy = {"diffuseFactor": [0.5, 0.25, 1, 1], "diffuseTexture": plain.pop("baseColorTexture")}
    face["extensions"] = {"KHR_materials_pbrSpecularGlossiness": glossy}

    found = as_read.material(as_read.character(draft), "顔")

    assert (found.shading, found.colour) == (Shading.PBR, (0.5, 0.25, 1.0, 1.0))
    assert found.base is not None


def test_toon_and_unlit_go_before_gloss() -> None:
    for extension in ("VRMC_materials_mtoon", "KHR_materials_unlit"):
        draft = made.vrm("1.0")
        face = draft.content["materials"][0]
        glossy = {"diffuseFactor": [0.5, 0.25, 1, 1]}
        face["extensions"] = {
            "KHR_materials_pbrSpecularGlossiness": glossy,
            extension: face["extensions"].get(extension, {}),
        }

        assert as_read.material(as_read.character(draft), "顔").colour == pytest.approx((0.25, 0.5, 0.75, 0.5)), (
            extension
        )


def test_the_older_way_to_say_strong_emission_is_read_too() -> None:
    draft = made.vrm("1.0")
    material = draft.content["materials"][0]
    material["emissiveFactor"] = [1, 0.5, 0]
    material["extensions"]["VRMC_materials_hdr_emissiveMultiplier"] = {"emissiveMultiplier": 2}

    assert as_read.material(as_read.character(draft), "顔").emission_colour == (2, 1, 0)


@pytest.mark.parametrize(("culls", "double_sided", "turned"), [(0, True, False), (1, False, True), (2, False, False)])
def test_what_shows_its_back_alone_is_turned_inside_out(culls: int, double_sided: bool, turned: bool) -> None:
    """A hull that a creator made as an outline: shown from outside, it would hide all that is in it."""
    draft = made.vrm("0.x")
    plain = as_read.character(draft)
    draft.content["extensions"]["VRM"]["materialProperties"][0]["floatProperties"]["_CullMode"] = culls

    found = as_read.character(draft)

    face = as_read.material(found, "顔")
    assert face.double_sided == double_sided
    before, after = (each.triangles_of(as_read.material(each, "顔")) for each in (plain, found))
    np.testing.assert_array_equal(after, before[:, ::-1] if turned else before)
    corners = np.unique(after)
    np.testing.assert_allclose(found.normals[corners], plain.normals[corners] * (-1 if turned else 1), atol=1e-6)
    other = np.unique(found.triangles_of(as_read.material(found, "髪")))
    np.testing.assert_array_equal(found.normals[other], plain.normals[other])
