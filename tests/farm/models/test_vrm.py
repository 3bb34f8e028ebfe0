"""VRM: what the file says becomes a character, whichever version, and no other error than ours whatever it says."""

import copy
import dataclasses
import json
import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from farm.errors import FarmError, ModelFormatError, ModelTruncatedError, NoNeckBoneError
from farm.mascots.cast import MASCOTS
from farm.models import inventory
from farm.models.description import Character, ColourBind, Expression, Tint, TransformBind
from farm.models.gltf.glb_writer import GlbWriter, glb_bytes
from farm.models.gltf.values import Json
from farm.models.inventory import Inventory
from farm.models.materials import AlphaMode, GltfMaterial, OutlineMode, Shading, Wrap
from farm.models.vrm.reader import read_vrm
from farm.models.vrm.writer import vrm_bytes
from farm.morphs.expressions import Rule
from farm.morphs.refs import MorphRef
from tests.farm.models import made_files as made

VERSIONS = pytest.mark.parametrize("version", ["0.x", "1.0"])


def _read(draft: GlbWriter) -> Character:
    character = read_vrm(draft.to_bytes())
    made.assert_sound(character)
    return character


def _held(character: Character) -> Inventory:
    return inventory.of_character(character, {}, [])


def _vrm(draft: GlbWriter) -> Json:
    found: Json = next(iter(draft.content["extensions"].values()))
    return found


def _expressions(character: Character) -> list[Expression]:
    return [morph for morph in character.morphs if isinstance(morph, Expression)]


def _expression(draft: GlbWriter, number: int = 0) -> Json:
    """The JSON of an expression of either version."""
    vrm = _vrm(draft)
    if "expressions" in vrm:
        sections = vrm["expressions"]
        found: Json = [*sections["preset"].values(), *sections["custom"].values()][number]
    else:
        found = vrm["blendShapeMaster"]["blendShapeGroups"][number]
    return found


def _material(character: Character, name: str) -> GltfMaterial:
    (found,) = (material for material in character.materials if material.name == name)
    assert isinstance(found, GltfMaterial)
    return found


def _world(character: Character) -> NDArray[np.float64]:
    placed: NDArray[np.float64] = character.positions @ np.array(character.axes.to_world).T * character.axes.metres
    return placed


@VERSIONS
def test_a_vrm_is_the_character_that_was_written(version: str) -> None:
    character = _read(made.vrm(version))
    wanted = made.vrm_character()

    assert (character.format, character.name, character.comment) == (f"VRM {version}", "子", "誰か")
    corners = [_world(character)[character.triangles], _world(wanted)[wanted.triangles]]
    # An odd number of mirrors between the axes turns a triangle's corners round, so that it still faces the same way.
    np.testing.assert_allclose(corners[0][:, ::-1], corners[1], atol=1e-6)
    assert [(m.name, m.first_triangle, m.triangle_count) for m in character.materials] == [("顔", 0, 1), ("髪", 1, 1)]
    assert [bone.name for bone in character.bones] == ["全ての親", "首", "頭", "Face"]
    assert [bone.parent for bone in character.bones] == [None, 0, 1, None]
    np.testing.assert_allclose(np.sort(character.bone_weights, axis=1)[:, 2:], [[0.25, 0.75]] * 6)
    assert character.bound is None
    assert character.embedded == {0: made.PICTURE}
    assert character.textures == ("face.png",)


@VERSIONS
def test_the_inventory_of_a_vrm_comes_from_the_character(version: str) -> None:
    held = _held(_read(made.vrm(version)))

    assert (held.neck, held.head, held.bone_rule) == ("首", "頭", "humanoid")
    assert (held.vertices, held.triangles, held.meshes, held.bones) == (6, 2, 1, 4)
    assert held.textures_found == ["1 inside the file"]
    blink, a = ("blink", "a") if version == "0.x" else ("blink", "aa")
    assert [(m.name, m.kind, m.moved) for m in held.morphs] == [
        (blink, "expression", 1),
        (a, "expression", 0),
        ("照れ", "expression", 1),
    ]
    assert held.annotation == {"eye/closed/both": MorphRef(index=0, name="blink")}
    assert held.samples == 20
    assert "unknown" not in held.licence
    assert held.licence["name" if version == "1.0" else "title"] == "子"


@VERSIONS
def test_a_target_moves_the_vertices_of_every_primitive(version: str) -> None:
    character = _read(made.vrm(version))
    (place, weight) = _expressions(character)[0].targets[0]
    target = character.targets[place]

    assert (weight, target.name, target.number) == (1.0, "まばたき", 0)
    height = np.array([[0, -0.04, 0], [0, -0.04, 0], [0, -0.02, 0]], np.float32)
    np.testing.assert_allclose(target.offsets, height, atol=1e-6)


@pytest.mark.parametrize("name", list(MASCOTS))
@VERSIONS
def test_a_mascot_is_the_same_as_a_vrm(name: str, version: str) -> None:
    mascot = MASCOTS[name]().character
    read = read_vrm(vrm_bytes(mascot, version))
    made.assert_sound(read)

    order = {
        (round(x, 5), round(y, 5), round(z, 5)) for x, y, z in _world(mascot)[mascot.triangles].reshape(-1, 3).tolist()
    }
    there = {(round(x, 5), round(y, 5), round(z, 5)) for x, y, z in _world(read).tolist()}
    assert len(order ^ there) <= 0.02 * len(order)  # but for what rounding sorts elsewhere
    assert len(read.triangles) == len(mascot.triangles)
    assert {"eye/closed/both", "mouth/a", "mouth/i", "mouth/o"} <= set(_held(read).annotation)


# What a neck is


@VERSIONS
@pytest.mark.parametrize(("absent", "neck", "head"), [("neck", "頭", "頭"), ("head", "首", "首")])
def test_neck_and_head_stand_for_each_other(version: str, absent: str, neck: str, head: str) -> None:
    draft = made.vrm(version)
    bones = _vrm(draft)["humanoid"]["humanBones"]
    if version == "1.0":
        del bones[absent]
    else:
        bones[:] = [bone for bone in bones if bone["bone"] != absent]

    held = _held(_read(draft))

    assert (held.neck, held.head) == (neck, head)


@VERSIONS
@pytest.mark.parametrize(
    "humanoid", [{}, {"humanBones": {}}, {"humanBones": []}, {"humanBones": {"neck": {"node": 99}}}]
)
def test_a_vrm_without_neck_and_head_is_refused_with_what_to_do(version: str, humanoid: Json) -> None:
    draft = made.vrm(version)
    _vrm(draft)["humanoid"] = humanoid

    with pytest.raises(NoNeckBoneError, match="Assign the bone 'neck'"):
        _read(draft)


@VERSIONS
def test_nodes_need_no_names(version: str) -> None:
    draft = made.vrm(version)
    for node in draft.content["nodes"]:
        node.pop("name")

    held = _held(_read(draft))

    assert (held.neck, held.head) == ("bone 1", "bone 2")
    assert held.annotation == {"eye/closed/both": MorphRef(index=0, name="blink")}


# Expressions


@pytest.mark.parametrize(
    "bind",
    [
        {"mesh": 9, "index": 0, "weight": 100},
        {"mesh": 0, "index": 3, "weight": 100},
        {"mesh": 0, "index": 1, "weight": 100},
        {"mesh": 0, "index": 0, "weight": 0},
        {"mesh": 0, "index": -1, "weight": 100},
        {"mesh": "0", "index": 0},
    ],
)
def test_an_expression_whose_binds_move_nothing_is_not_annotated(bind: Json) -> None:
    draft = made.vrm("0.x")
    _expression(draft)["binds"] = [bind]

    held = _held(_read(draft))

    assert held.annotation == {}
    assert "Expression 'blink' changes nothing that a picture can show." in held.warnings


def _normals_only(draft: GlbWriter, entry: Json) -> None:
    for primitive in draft.content["meshes"][0]["primitives"]:
        primitive["targets"][0] = {"NORMAL": primitive["targets"][0]["POSITION"]}


def _rim_only(draft: GlbWriter, entry: Json) -> None:
    entry["morphTargetBinds"] = []
    entry["materialColorBinds"] = [{"material": 0, "type": "rimColor", "targetValue": [1, 1, 1, 1]}]


def _no_material(draft: GlbWriter, entry: Json) -> None:
    entry["morphTargetBinds"] = []
    entry["materialColorBinds"] = [{"material": 7, "type": "color", "targetValue": [1, 1, 1, 1]}]


def _as_at_rest(draft: GlbWriter, entry: Json) -> None:
    entry["morphTargetBinds"] = []
    entry["materialColorBinds"] = [{"material": 0, "type": "color", "targetValue": [0.25, 0.5, 0.75, 0.5]}]
    entry["textureTransformBinds"] = [{"material": 0, "scale": [0.5, 0.25], "offset": [0.125, 0.5]}]


@pytest.mark.parametrize("change", [_normals_only, _rim_only, _no_material, _as_at_rest])
def test_an_expression_that_no_picture_shows_is_not_annotated(change: Callable[[GlbWriter, Json], None]) -> None:
    draft = made.vrm("1.0")
    change(draft, _expression(draft))

    held = _held(_read(draft))

    assert held.annotation == {}
    assert "Expression 'blink' changes nothing that a picture can show." in held.warnings


@pytest.mark.parametrize("spelling", ["blink", "Blink", "BLINK"])
def test_of_two_groups_of_one_preset_the_one_with_binds_plays(spelling: str) -> None:
    draft = made.vrm("0.x")
    groups = _vrm(draft)["blendShapeMaster"]["blendShapeGroups"]
    groups.insert(0, {"name": "Empty", "presetName": spelling, "binds": []})
    groups[1]["presetName"] = spelling

    held = _held(_read(draft))

    assert [(m.name, m.moved) for m in held.morphs[:2]] == [("blink", 0), ("blink", 1)]
    assert held.annotation == {"eye/closed/both": MorphRef(index=1, name="blink")}


def test_a_mesh_on_two_nodes_moves_where_the_bind_says() -> None:
    draft = made.vrm("1.0")
    second = draft.add("nodes", {"mesh": 0, "translation": [1, 0, 0]})  # without the skin
    draft.content["scenes"][0]["nodes"].append(second)
    _expression(draft)["morphTargetBinds"][0]["node"] = second

    character = _read(draft)

    ((place, _),) = _expressions(character)[0].targets
    target = character.targets[place]
    assert target.node == second
    assert len(character.positions) == 12
    assert target.vertices.min() >= 6
    np.testing.assert_allclose(character.positions[6:] - character.positions[:6], [[1, 0, 0]] * 6, atol=1e-6)
    assert set(character.bone_indices[6:, 0]) == {second}


def test_a_bind_of_vrm_0_moves_the_mesh_on_all_its_nodes() -> None:
    draft = made.vrm("0.x")
    second = draft.add("nodes", {"mesh": 0, "translation": [1, 0, 0]})
    draft.content["scenes"][0]["nodes"].append(second)

    assert [share for _, share in _expressions(_read(draft))[0].targets] == [1.0, 1.0]


def test_weights_of_vrm_0_are_hundredths() -> None:
    draft = made.vrm("0.x")
    _expression(draft)["binds"] = [{"mesh": 0, "index": 0, "weight": 25}, {"mesh": 0, "index": 2, "weight": 500}]

    assert [share for _, share in _expressions(_read(draft))[0].targets] == [0.25, 1.0]


def test_colours_and_texture_transforms_of_vrm_1_are_read() -> None:
    draft = made.vrm("1.0")
    colours = [{"material": 0, "type": tint.value, "targetValue": [0.9, 0.8, 0.7, 0.6]} for tint in Tint]
    _expression(draft)["materialColorBinds"] = colours
    _expression(draft)["textureTransformBinds"] = [{"material": 0, "scale": [2, 1], "offset": [0.5, 0]}]

    character = _read(draft)

    face = [material.name for material in character.materials].index("顔")
    expression = _expressions(character)[0]
    assert expression.colours == tuple(ColourBind(face, tint, (0.9, 0.8, 0.7, 0.6)) for tint in Tint)
    assert expression.transforms == (TransformBind(face, (2.0, 1.0), (0.5, 0.0)),)
    assert expression.shown == 1 + 4 + 1


def test_material_values_of_vrm_0_are_read() -> None:
    draft = made.vrm("0.x")
    names = {
        "_Color": Tint.COLOUR,
        "_ShadeColor": Tint.SHADE,
        "_EmissionColor": Tint.EMISSION,
        "_OutlineColor": Tint.OUTLINE,
    }
    _expression(draft)["materialValues"] = [
        {"materialName": "顔", "propertyName": name, "targetValue": [1.0, 0.5, 0.0, 0.25]} for name in names
    ]

    found = {bind.tint: bind.colour for bind in _expressions(_read(draft))[0].colours}

    dark = ((0.5 + 0.055) / 1.055) ** 2.4
    assert found[Tint.EMISSION] == (1.0, 0.5, 0.0, 0.25)  # Unity keeps it in linear light
    for tint in (Tint.COLOUR, Tint.SHADE, Tint.OUTLINE):
        assert found[tint] == pytest.approx((1.0, dark, 0.0, 0.25))


@pytest.mark.parametrize(
    ("values", "scale", "offset"),
    [
        ({"_MainTex_ST": [2, 3, 0.5, 0.25]}, (2, 3), (0.5, 1 - 3 - 0.25)),
        ({"_MainTex_ST_S": [2, 3, 0.5, 0.25]}, (2, 0.25), (0.5, 0.5)),
        ({"_MainTex_ST_T": [2, 3, 0.5, 0.25]}, (0.5, 3), (0.125, 1 - 3 - 0.25)),
        ({"_MainTex_ST_S": [2, 9, 0.5, 9], "_MainTex_ST_T": [9, 3, 9, 0.25]}, (2, 3), (0.5, 1 - 3 - 0.25)),
    ],
)
def test_a_texture_moves_as_vrm_0_says(values: Json, scale: tuple[float, float], offset: tuple[float, float]) -> None:
    draft = made.vrm("0.x")
    _expression(draft)["materialValues"] = [
        {"materialName": "顔", "propertyName": name, "targetValue": value} for name, value in values.items()
    ]

    (bind,) = _expressions(_read(draft))[0].transforms

    assert bind.scale == pytest.approx(scale)
    assert bind.offset == pytest.approx(offset)


def test_rules_of_expressions_are_read() -> None:
    draft = made.vrm("1.0")
    asked = {"isBinary": True, "overrideBlink": "block", "overrideMouth": "none", "overrideLookAt": "blend"}
    _expression(draft).update(asked)

    held = _held(_read(draft))

    assert held.rules == {0: Rule(binary=True, overrides={"blink": "block", "lookAt": "blend"})}


@VERSIONS
def test_without_an_expression_that_does_something_the_shape_keys_are_offered(version: str) -> None:
    draft = made.vrm(version)
    vrm = _vrm(draft)
    vrm.pop("expressions", None)
    vrm.pop("blendShapeMaster", None)

    held = _held(_read(draft))

    assert [(m.name, m.kind, m.moved) for m in held.morphs] == [
        ("まばたき", "shape key", 1),
        ("あ", "shape key", 0),
        ("照れ", "shape key", 1),
    ]


# Materials


@VERSIONS
def test_a_material_of_mtoon_keeps_its_numbers_in_both_versions(version: str) -> None:
    character = _read(made.vrm(version))
    face = _material(character, "顔")
    wanted = made.toon(first=face.first_triangle)

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
    properties = _vrm(draft)["materialProperties"][0] | {"shader": shader, "renderQueue": -1}
    _vrm(draft)["materialProperties"][0] = properties

    face = _material(_read(draft), "顔")

    assert (face.shading, face.alpha_mode, face.writes_depth, face.queue) == (Shading.UNLIT, mode, writes_depth, queue)
    assert face.colour == pytest.approx((0.25, 0.5, 0.75, 0.5))
    assert face.base is not None


def test_a_shader_that_gltf_describes_is_left_to_gltf() -> None:
    draft = made.vrm("0.x")
    hair = _material(_read(draft), "髪")

    assert (hair.shading, hair.mtoon) == (Shading.UNLIT, None)


@pytest.mark.parametrize(
    ("blend", "asked", "queue"),
    [(0, 3000, 2000), (1, -1, 2450), (2, -1, 3000), (2, 2990, 2990), (2, 5000, 3000), (3, 2510, 2510), (3, 3000, 2550)],
)
def test_the_render_queue_of_vrm_0_counts_within_its_kind(blend: int, asked: int, queue: int) -> None:
    draft = made.vrm("0.x")
    properties = _vrm(draft)["materialProperties"][0]
    properties["floatProperties"]["_BlendMode"] = blend
    properties["renderQueue"] = asked

    face = _material(_read(draft), "顔")

    assert face.queue == queue


@pytest.mark.parametrize(("mode", "width", "expected"), [(0, 1, 0), (1, 1, 0.01), (2, 1, 0.005), (1, -1, 0)])
def test_the_outline_of_vrm_0_is_counted_in_centimetres_or_hundredths(mode: int, width: float, expected: float) -> None:
    draft = made.vrm("0.x")
    numbers = _vrm(draft)["materialProperties"][0]["floatProperties"]
    numbers |= {"_OutlineWidthMode": mode, "_OutlineWidth": width}

    face = _material(_read(draft), "顔")

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

    materials = _read(draft).materials

    assert [(m.name, m.first_triangle) for m in materials] == [("髪", 0), ("顔", 1)]
    assert [m.queue for m in materials if isinstance(m, GltfMaterial)] == [3001, 3002]
    assert [m.writes_depth for m in materials if isinstance(m, GltfMaterial)] == [False, False]


def test_strong_emission_is_multiplied_in() -> None:
    draft = made.vrm("1.0")
    material = draft.content["materials"][0]
    material["emissiveFactor"] = [1, 0.5, 0]
    material["extensions"]["KHR_materials_emissive_strength"] = {"emissiveStrength": 3}

    assert _material(_read(draft), "顔").emission_colour == (3, 1.5, 0)


@pytest.mark.parametrize(
    ("shading", "expected"), [("KHR_materials_unlit", True), ("none", True), ("VRMC_materials_mtoon", False)]
)
def test_vertex_colours_count_but_for_mtoon(shading: str, expected: bool) -> None:
    draft = made.vrm("1.0")
    for primitive in draft.content["meshes"][0]["primitives"]:
        primitive["attributes"]["COLOR_0"] = draft.accessor(np.full((3, 4), 128, np.uint8), normalized=True)
    for material in draft.content["materials"]:
        material["extensions"] = {shading: {}}

    colours = _read(draft).colours

    assert (colours is not None) is expected
    if colours is not None:
        np.testing.assert_allclose(colours, 128 / 255)


@pytest.mark.parametrize(
    ("code", "wrap"), [(10497, Wrap.REPEAT), (33648, Wrap.MIRROR), (33071, Wrap.CLAMP), (7, Wrap.REPEAT)]
)
def test_samplers_are_honoured(code: int, wrap: Wrap) -> None:
    draft = made.vrm("1.0")
    draft.content["samplers"][0] = {"wrapS": code, "magFilter": 9728}

    (base,) = (m.base for m in _read(draft).materials if isinstance(m, GltfMaterial) and m.base)

    assert (base.wrap, base.smooth) == ((wrap, Wrap.REPEAT), False)


@pytest.mark.parametrize("fallback", [True, False])
def test_a_webp_texture_is_used_before_its_fallback(fallback: bool) -> None:
    draft = made.vrm("1.0")
    image = draft.picture(b"RIFFwebp", "face.webp", "image/webp")
    draft.content["textures"][0] |= {"extensions": {"EXT_texture_webp": {"source": image}}}
    if not fallback:
        del draft.content["textures"][0]["source"]

    character = _read(draft)

    assert {m.texture for m in character.materials} == {image, None}
    assert character.embedded[image] == b"RIFFwebp"


def test_a_texture_in_ktx2_alone_is_named_in_a_warning() -> None:
    draft = made.vrm("1.0")
    image = draft.picture(b"KTX 20", "face in ktx", "image/ktx2")
    draft.content["textures"][0] = {"extensions": {"KHR_texture_basisu": {"source": image}}}

    character = _read(draft)

    assert {m.texture for m in character.materials} == {None}
    assert any("face in ktx" in warning and "KTX2" in warning for warning in character.warnings)


def test_a_picture_may_be_spelled_in_base64() -> None:
    draft = made.vrm("1.0")
    draft.content["images"][0] = {"uri": "data:image/png;base64,AAAA"}

    assert _read(draft).embedded == {0: b"\0\0\0"}


# What is not shown


@pytest.mark.parametrize("mark", ["firstPersonOnly", "FirstPersonOnly"])
@VERSIONS
def test_what_the_wearer_alone_sees_is_not_read(version: str, mark: str) -> None:
    draft = made.vrm(version)
    mesh = draft.add("meshes", {"primitives": copy.deepcopy(draft.content["meshes"][0]["primitives"])})
    node = draft.add("nodes", {"mesh": mesh, "translation": [1, 0, 0]})
    draft.content["scenes"][0]["nodes"].append(node)
    assert len(_read(draft).positions) == 12
    marks = [{"node": node, "type": mark}, {"node": 3, "type": "thirdPersonOnly"}]
    if version == "0.x":
        marks = [{"mesh": mesh, "firstPersonFlag": mark}, {"mesh": 0, "firstPersonFlag": "ThirdPersonOnly"}]
    _vrm(draft)["firstPerson"] = {"meshAnnotations": marks}

    assert len(_read(draft).positions) == 6


@pytest.mark.parametrize(
    ("scale", "shown"), [([0, 0, 0], False), ([1, 0, 0], False), ([1, 1, 0], True), ([1, 1, 1], True)]
)
def test_a_node_that_is_scaled_to_nothing_is_hidden(scale: list[float], shown: bool) -> None:
    draft = made.vrm("1.0")
    draft.content["scenes"][0]["nodes"].append(draft.add("nodes", {"mesh": 0, "scale": scale}))

    assert len(_read(draft).positions) == (12 if shown else 6)


# Bytes that are no VRM


def test_a_json_chunk_padded_with_nul_is_read() -> None:
    draft = made.vrm("1.0")
    for name in ("x", "xx", "xxx", "xxxx"):
        draft.content["asset"]["generator"] = name
        assert len(read_vrm(draft.to_bytes(padding=b"\0")).positions) == 6


def test_a_plain_gltf_is_refused_as_no_vrm() -> None:
    with pytest.raises(ModelFormatError, match="no VRM extension"):
        read_vrm(glb_bytes({"asset": {"version": "2.0"}}))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "cannot be read"),
        (b"rubbish", "cannot be read"),
        (b"\xff\xfe\xfd\xfc", "cannot be read"),
        (b"[" * 200_000, "cannot be read"),
        (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "cannot be read"),
        (b'{"a": ' + b"9" * 10_000 + b"}", "cannot be read"),
        (b"[]", "no object"),
        (b"null", "no object"),
        (b'"VRM"', "no object"),
        (b"", "cannot be read"),
    ],
)
def test_a_json_chunk_that_cannot_be_read_is_refused(content: bytes, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        read_vrm(glb_bytes(content))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "cut off"),
        (b"glT", "cut off"),
        (b'{"asset": {}}' + bytes(30), "does not begin with 'glTF'"),
        (b"glTF" + struct.pack("<II", 1, 12) + bytes(30), "glTF version 1"),
        (b"glTF" + struct.pack("<II", 2, 2**31 - 1), "cut off"),
        (b"glTF" + struct.pack("<II", 2, 12), "cut off"),
        (b"glTF" + struct.pack("<IIII", 2, 24, 4, 0x004E4942) + b"{}  ", "not JSON"),
        (b"glTF" + struct.pack("<IIII", 2, 24, 2**32 - 1, 0x4E4F534A) + b"{}  ", "not JSON of a usable size"),
        (b"glTF" + struct.pack("<IIII", 2, 24, 2**20, 0x4E4F534A) + b"{}  ", "cut off"),
    ],
)
def test_what_is_no_binary_gltf_2_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        read_vrm(data)


@VERSIONS
def test_a_file_cut_at_any_byte_is_refused_as_cut_off(version: str) -> None:
    data = made.vrm(version).to_bytes()

    for length in range(0, len(data), 3):
        with pytest.raises(ModelTruncatedError):
            read_vrm(data[:length])


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (key,)
        yield from ((key, *path) for path in _paths(inner))


_DEEP = json.loads("[" * 5000 + "]" * 5000)
_WRONG = [None, True, 5, -1, 10**30, 1.5, float("inf"), "x", "", "\ud800", [], {}, [[1]], [1, "a", None], {"a": 1}]


@VERSIONS
def test_a_value_of_the_wrong_type_anywhere_is_no_other_error_than_ours(version: str) -> None:
    draft = made.vrm(version)
    paths = list(_paths(draft.content))
    assert len(paths) > 300
    outcomes = set()
    for number, path in enumerate(paths):
        inner = draft.content
        for key in path[:-1]:
            inner = inner[key]
        kept = inner[path[-1]]
        for wrong in [*_WRONG[number % 3 :: 3], *([_DEEP] if number % 20 == 0 else [])]:
            inner[path[-1]] = wrong
            try:
                character = read_vrm(glb_bytes(draft.content, bytes(draft.binary)))
                made.assert_sound(character)
                held = _held(character)
                assert Inventory.model_validate_json(held.model_dump_json()) == held
                outcomes.add("read")
            except FarmError as error:
                outcomes.add(error.code)
                str(error).encode()
        inner[path[-1]] = kept

    assert {"read", "model-format", "no-neck-bone"} <= outcomes


def test_half_surrogates_in_names_are_replaced() -> None:
    draft = made.vrm("1.0")
    _vrm(draft)["meta"]["name"] = "\ud800x"
    custom = _vrm(draft)["expressions"]["custom"]
    custom["\udfff"] = custom.pop("照れ")

    held = _held(_read(draft))

    assert held.title == "?x"
    assert held.morphs[-1].name == "?"
    held.model_dump_json().encode()


@pytest.mark.parametrize("kind", ["buffers", "images"])
@pytest.mark.parametrize(
    "uri",
    [
        "/etc/passwd",
        "../../secret.png",
        "file:///etc/passwd",
        "http://example.org/x",
        5,
        "data:/../../proc/self/environ",
        "data:image/png,AAAA",
        "data:../x;base64,AAAA",
        "DATA:image/png;base64,AAAA",
        "",
    ],
)
def test_a_vrm_that_refers_to_another_file_is_refused(kind: str, uri: object) -> None:
    draft = made.vrm("0.x")
    draft.content[kind].append({"uri": uri})

    with pytest.raises(ModelFormatError, match="refers to another file"):
        _read(draft)


def test_broken_base64_is_refused() -> None:
    draft = made.vrm("1.0")
    draft.content["images"].append({"uri": "data:image/png;base64,AA*A"})

    with pytest.raises(ModelFormatError, match="broken base64"):
        _read(draft)


@pytest.mark.parametrize("name", ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"])
def test_a_compression_that_cannot_be_undone_is_refused_by_its_name(name: str) -> None:
    draft = made.vrm("1.0")
    draft.content["extensionsRequired"] = [name]

    with pytest.raises(ModelFormatError, match=name):
        _read(draft)


def test_plain_data_beside_a_compressed_form_are_used() -> None:
    draft = made.vrm("1.0")
    for primitive in draft.content["meshes"][0]["primitives"]:
        primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}

    assert len(_read(draft).positions) == 6

    position = draft.content["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    del draft.content["accessors"][position]["bufferView"]
    with pytest.raises(ModelFormatError, match="KHR_draco_mesh_compression"):
        _read(draft)


# Other people's files


@pytest.mark.parametrize(
    ("path", "version", "neck", "head", "expressions", "vertices"),
    [
        ("vrm_godette/Godette_vrm_v4.vrm", "VRM 0.x", "neck_Armature", "head_Armature", 17, 3109),
        ("vrm_256_ryuunoko_v0/npc.vrm", "VRM 0.x", "neck", "head", 17, 362),
        ("vrm_cool_loops_v0/cool_loops.vrm", "VRM 0.x", "mixamorig:Neck", "mixamorig:Head", 8, 1898),
        ("vrm_mtoon_conformance_v1/mtoon_default.vrm", "VRM 1.0", "neck", "head", 0, 1225),
    ],
)
def test_real_vrms_are_read(
    real_models: Path, path: str, version: str, neck: str, head: str, expressions: int, vertices: int
) -> None:
    character = read_vrm((real_models / path).read_bytes())
    made.assert_sound(character)
    held = _held(character)

    assert (held.format, held.neck, held.head) == (version, neck, head)
    assert (len(held.morphs), held.vertices) == (expressions, vertices)
    assert held.warnings == []


def test_godette_s_presets_are_target_morphs(real_models: Path) -> None:
    held = _held(read_vrm((real_models / "vrm_godette/Godette_vrm_v4.vrm").read_bytes()))

    expected = {"closed/both": "blink", "closed/left": "blink_l", "closed/right": "blink_r"}
    assert {name: held.annotation[f"eye/{name}"].name for name in expected} == expected
    assert [held.annotation[f"mouth/{vowel}"].name for vowel in "aeiou"] == list("aeiou")
    assert (held.target_morphs, held.samples) == (8, 100)
