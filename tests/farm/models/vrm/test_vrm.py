"""VRM: what the file says becomes a character, whichever version."""

import copy
from pathlib import Path

import numpy as np
import pytest

from farm.errors import NoNeckBoneError
from farm.mascots.cast import MASCOTS
from farm.models.gltf.values import Json
from farm.models.vrm.reader import read_vrm
from farm.models.vrm.writer import vrm_bytes
from tests.farm.models import made_files as made
from tests.farm.models.vrm import as_read
from tests.farm.models.vrm.as_read import VERSIONS
from tests.support.characters import mascot


@VERSIONS
def test_a_vrm_is_the_character_that_was_written(version: str) -> None:
    character = as_read.character(made.vrm(version))
    wanted = made.vrm_character()

    assert (character.format, character.name, character.comment) == (f"VRM {version}", "子", "誰か")
    corners = [as_read.world(character)[character.triangles], as_read.world(wanted)[wanted.triangles]]
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
    held = as_read.inventory_of(as_read.character(made.vrm(version)))

    assert (held.neck, held.head, held.bone_rule) == ("首", "頭", "humanoid")
    assert (held.vertices, held.triangles, held.meshes, held.bones) == (6, 2, 1, 4)
    assert held.textures_found == ["1 inside the file"]
    blink, a = ("blink", "a") if version == "0.x" else ("blink", "aa")
    assert [(m.name, m.kind, m.moved) for m in held.morphs] == [
        (blink, "expression", 1),
        (a, "expression", 0),
        ("照れ", "expression", 1),
    ]
    assert held.annotation == {}
    assert held.morphs[0].reasons == ["it changes nothing that shows"]  # six vertices that are no face
    assert held.samples == 20
    assert "unknown" not in held.licence
    assert held.licence["name" if version == "1.0" else "title"] == "子"


@VERSIONS
def test_a_target_moves_the_vertices_of_every_primitive(version: str) -> None:
    character = as_read.character(made.vrm(version))
    (place, weight) = as_read.expressions(character)[0].targets[0]
    target = character.targets[place]

    assert (weight, target.name, target.number) == (1.0, "まばたき", 0)
    height = np.array([[0, -0.04, 0], [0, -0.04, 0], [0, -0.02, 0]], np.float32)
    np.testing.assert_allclose(target.offsets, height, atol=1e-6)


@pytest.mark.parametrize("name", list(MASCOTS))
@VERSIONS
def test_a_mascot_is_the_same_as_a_vrm(name: str, version: str) -> None:
    character = mascot(name)
    read = read_vrm(vrm_bytes(character, version))
    made.assert_sound(read)

    order = {
        (round(x, 5), round(y, 5), round(z, 5))
        for x, y, z in as_read.world(character)[character.triangles].reshape(-1, 3).tolist()
    }
    there = {(round(x, 5), round(y, 5), round(z, 5)) for x, y, z in as_read.world(read).tolist()}
    assert len(order ^ there) <= 0.02 * len(order)  # but for what rounding sorts elsewhere
    assert len(read.triangles) == len(character.triangles)
    assert {"eye/closed/both", "mouth/a", "mouth/i", "mouth/o"} <= set(as_read.inventory_of(read).annotation)


@VERSIONS
@pytest.mark.parametrize(("absent", "neck", "head"), [("neck", "頭", "頭"), ("head", "首", "首")])
def test_neck_and_head_stand_for_each_other(version: str, absent: str, neck: str, head: str) -> None:
    draft = made.vrm(version)
    bones = as_read.extension(draft)["humanoid"]["humanBones"]
    if version == "1.0":
        del bones[absent]
    else:
        bones[:] = [bone for bone in bones if bone["bone"] != absent]

    held = as_read.inventory_of(as_read.character(draft))

    assert (held.neck, held.head) == (neck, head)


@VERSIONS
@pytest.mark.parametrize(
    "humanoid", [{}, {"humanBones": {}}, {"humanBones": []}, {"humanBones": {"neck": {"node": 99}}}]
)
def test_a_vrm_without_neck_and_head_is_refused_with_what_to_do(version: str, humanoid: Json) -> None:
    draft = made.vrm(version)
    as_read.extension(draft)["humanoid"] = humanoid

    with pytest.raises(NoNeckBoneError, match="Assign the bone 'neck'"):
        as_read.character(draft)


@VERSIONS
def test_nodes_need_no_names(version: str) -> None:
    draft = made.vrm(version)
    for node in draft.content["nodes"]:
        node.pop("name")

    held = as_read.inventory_of(as_read.character(draft))

    assert (held.neck, held.head) == ("bone 1", "bone 2")
    assert [morph.moved for morph in held.morphs] == [1, 0, 1]


@pytest.mark.parametrize("mark", ["firstPersonOnly", "FirstPersonOnly"])
@VERSIONS
def test_what_the_wearer_alone_sees_is_not_read(version: str, mark: str) -> None:
    draft = made.vrm(version)
    mesh = draft.add("meshes", {"primitives": copy.deepcopy(draft.content["meshes"][0]["primitives"])})
    node = draft.add("nodes", {"mesh": mesh, "translation": [1, 0, 0]})
    draft.content["scenes"][0]["nodes"].append(node)
    assert len(as_read.character(draft).positions) == 12
    marks = [{"node": node, "type": mark}, {"node": 3, "type": "thirdPersonOnly"}]
    if version == "0.x":
        marks = [{"mesh": mesh, "firstPersonFlag": mark}, {"mesh": 0, "firstPersonFlag": "ThirdPersonOnly"}]
    as_read.extension(draft)["firstPerson"] = {"meshAnnotations": marks}

    assert len(as_read.character(draft).positions) == 6


@pytest.mark.parametrize(
    ("scale", "shown"), [([0, 0, 0], False), ([1, 0, 0], False), ([1, 1, 0], True), ([1, 1, 1], True)]
)
def test_a_node_that_is_scaled_to_nothing_is_hidden(scale: list[float], shown: bool) -> None:
    draft = made.vrm("1.0")
    draft.content["scenes"][0]["nodes"].append(draft.add("nodes", {"mesh": 0, "scale": scale}))

    assert len(as_read.character(draft).positions) == (12 if shown else 6)


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
    held = as_read.inventory_of(character)

    assert (held.format, held.neck, held.head) == (version, neck, head)
    assert (len(held.morphs), held.vertices) == (expressions, vertices)
    assert held.warnings == []


def test_godette_s_presets_are_target_morphs(real_models: Path) -> None:
    held = as_read.inventory_of(read_vrm((real_models / "vrm_godette/Godette_vrm_v4.vrm").read_bytes()))

    expected = {"closed/both": "blink", "closed/left": "blink_l", "closed/right": "blink_r"}
    assert {name: held.annotation[f"eye/{name}"].name for name in expected} == expected
    assert [held.annotation[f"mouth/{vowel}"].name for vowel in "aeiou"] == list("aeiou")
    assert (held.target_morphs, held.samples) == (8, 100)
