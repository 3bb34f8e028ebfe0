"""VRM: which expressions a file has, what they move and colour, and which of them a picture can show."""

from collections.abc import Callable

import numpy as np
import pytest

from farm.models.description import ColourBind, Tint, TransformBind
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.gltf.values import Json
from farm.morphs.expressions import Rule
from farm.morphs.refs import MorphRef
from tests.farm.models import made_files as made
from tests.farm.models.vrm import as_read
from tests.farm.models.vrm.as_read import VERSIONS


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
    as_read.expression_of(draft)["binds"] = [bind]

    held = as_read.inventory_of(as_read.character(draft))

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
    change(draft, as_read.expression_of(draft))

    held = as_read.inventory_of(as_read.character(draft))

    assert held.annotation == {}
    assert "Expression 'blink' changes nothing that a picture can show." in held.warnings


def _wearer_alone(draft: GlbWriter, node: int) -> None:
    as_read.extension(draft)["firstPerson"] = {"meshAnnotations": [{"node": node, "type": "firstPersonOnly"}]}


def _scaled_to_nothing(draft: GlbWriter, node: int) -> None:
    draft.content["nodes"][node]["scale"] = [0, 0, 0]


def _below_nothing(draft: GlbWriter, node: int) -> None:
    above = draft.add("nodes", {"scale": [0.0, 0.0, 0.0], "children": [node]})
    draft.content["scenes"][0]["nodes"] = [*draft.content["scenes"][0]["nodes"][:-1], above]


def _in_no_scene(draft: GlbWriter, node: int) -> None:
    draft.content["scenes"][0]["nodes"].pop()


@pytest.mark.parametrize("hide", [_wearer_alone, _scaled_to_nothing, _below_nothing, _in_no_scene])
def test_a_bind_to_what_nobody_sees_is_not_annotated(hide: Callable[[GlbWriter, int], None]) -> None:
    draft = made.vrm("1.0")
    second = draft.add("nodes", {"mesh": 0, "translation": [1, 0, 0]})
    draft.content["scenes"][0]["nodes"].append(second)
    as_read.expression_of(draft)["morphTargetBinds"][0]["node"] = second
    assert as_read.annotation_of(as_read.character(draft)) != {}

    hide(draft, second)
    held = as_read.inventory_of(as_read.character(draft))

    assert held.annotation == as_read.annotation_of(as_read.character(draft)) == {}
    assert "Expression 'blink' changes nothing that a picture can show." in held.warnings


@pytest.mark.parametrize("name", ["まばたき", "Blink"])
def test_of_two_groups_of_ones_own_name_the_one_with_binds_plays(name: str) -> None:
    draft = made.vrm("0.x")
    groups = as_read.extension(draft)["blendShapeMaster"]["blendShapeGroups"]
    groups[0] |= {"name": name, "presetName": "unknown"}
    groups.insert(0, {"name": name, "presetName": "Unknown", "binds": []})

    held = as_read.annotation_of(as_read.character(draft))

    assert held == {"eye/closed/both": MorphRef(index=1, name=name)}


@pytest.mark.parametrize("spelling", ["blink", "Blink", "BLINK"])
def test_of_two_groups_of_one_preset_the_one_with_binds_plays(spelling: str) -> None:
    draft = made.vrm("0.x")
    groups = as_read.extension(draft)["blendShapeMaster"]["blendShapeGroups"]
    groups.insert(0, {"name": "Empty", "presetName": spelling, "binds": []})
    groups[1]["presetName"] = spelling

    held = as_read.inventory_of(as_read.character(draft))

    assert [(m.name, m.moved) for m in held.morphs[:2]] == [("blink", 0), ("blink", 1)]
    assert as_read.annotation_of(as_read.character(draft)) == {"eye/closed/both": MorphRef(index=1, name="blink")}


def test_a_mesh_on_two_nodes_moves_where_the_bind_says() -> None:
    draft = made.vrm("1.0")
    second = draft.add("nodes", {"mesh": 0, "translation": [1, 0, 0]})  # without the skin
    draft.content["scenes"][0]["nodes"].append(second)
    as_read.expression_of(draft)["morphTargetBinds"][0]["node"] = second

    character = as_read.character(draft)

    ((place, _),) = as_read.expressions(character)[0].targets
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

    assert [share for _, share in as_read.expressions(as_read.character(draft))[0].targets] == [1.0, 1.0]


def test_weights_of_vrm_0_are_hundredths() -> None:
    draft = made.vrm("0.x")
    as_read.expression_of(draft)["binds"] = [
        {"mesh": 0, "index": 0, "weight": 25},
        {"mesh": 0, "index": 2, "weight": 500},
    ]

    assert [share for _, share in as_read.expressions(as_read.character(draft))[0].targets] == [0.25, 1.0]


def test_colours_and_texture_transforms_of_vrm_1_are_read() -> None:
    draft = made.vrm("1.0")
    colours = [{"material": 0, "type": tint.value, "targetValue": [0.9, 0.8, 0.7, 0.6]} for tint in Tint]
    as_read.expression_of(draft)["materialColorBinds"] = colours
    as_read.expression_of(draft)["textureTransformBinds"] = [{"material": 0, "scale": [2, 1], "offset": [0.5, 0]}]

    character = as_read.character(draft)

    face = [material.name for material in character.materials].index("顔")
    expression = as_read.expressions(character)[0]
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
    as_read.expression_of(draft)["materialValues"] = [
        {"materialName": "顔", "propertyName": name, "targetValue": [1.0, 0.5, 0.0, 0.25]} for name in names
    ]

    found = {bind.tint: bind.colour for bind in as_read.expressions(as_read.character(draft))[0].colours}

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
    as_read.expression_of(draft)["materialValues"] = [
        {"materialName": "顔", "propertyName": name, "targetValue": value} for name, value in values.items()
    ]

    (bind,) = as_read.expressions(as_read.character(draft))[0].transforms

    assert bind.scale == pytest.approx(scale)
    assert bind.offset == pytest.approx(offset)


def test_rules_of_expressions_are_read() -> None:
    draft = made.vrm("1.0")
    asked = {"isBinary": True, "overrideBlink": "block", "overrideMouth": "none", "overrideLookAt": "blend"}
    as_read.expression_of(draft).update(asked)

    held = as_read.inventory_of(as_read.character(draft))

    assert held.rules == {0: Rule(binary=True, overrides={"blink": "block", "lookAt": "blend"})}


@VERSIONS
def test_without_an_expression_that_does_something_the_shape_keys_are_offered(version: str) -> None:
    draft = made.vrm(version)
    vrm = as_read.extension(draft)
    vrm.pop("expressions", None)
    vrm.pop("blendShapeMaster", None)

    held = as_read.inventory_of(as_read.character(draft))

    assert [(m.name, m.kind, m.moved) for m in held.morphs] == [
        ("まばたき", "shape key", 1),
        ("あ", "shape key", 0),
        ("照れ", "shape key", 1),
    ]
