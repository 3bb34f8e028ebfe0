"""One character in many words of glTF: however a file spells it, it is read as the same."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from farm.models.description import Character, Expression
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.gltf.values import Json
from tests.farm.models import made_files as made
from tests.farm.models.gltf.written import accessors_of, read_draft

_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}


def primitives(w: GlbWriter) -> list[Json]:
    return [primitive for mesh in w.content["meshes"] for primitive in mesh["primitives"]]


def values(w: GlbWriter, number: int) -> NDArray[Any]:
    """(count, width) what an accessor holds, floats as they are."""
    entry = w.content["accessors"][number]
    width = _WIDTHS[entry["type"]]
    held = accessors_of(w)
    return held.floats(number, (width,)) if entry["componentType"] == 5126 else held.integers(number, width)


def dense_targets(w: GlbWriter) -> None:
    for primitive in primitives(w):
        for target in primitive["targets"]:
            target["POSITION"] = w.accessor(values(w, target["POSITION"]).astype("<f4"))


def a_mesh_for_each_primitive(w: GlbWriter) -> None:
    mesh, first = w.content["meshes"][0], len(w.content["nodes"]) - 1
    nodes = [first]
    for primitive in mesh["primitives"][1:]:
        number = w.add("meshes", {"primitives": [primitive], "extras": mesh["extras"]})
        nodes.append(w.add("nodes", {"mesh": number, "skin": 0}))
        w.content["scenes"][0]["nodes"].append(nodes[-1])
    del mesh["primitives"][1:]
    for kind in w.content["extensions"]["VRMC_vrm"]["expressions"].values():
        for expression in kind.values():
            binds = expression.get("morphTargetBinds", [])
            expression["morphTargetBinds"] = [bind | {"node": node} for bind in binds for node in nodes]


def shared_buffers(w: GlbWriter) -> None:
    """As UniVRM writes: all primitives look into the same arrays."""
    found = primitives(w)
    names = list(found[0]["attributes"])
    counts = [w.content["accessors"][each["attributes"]["POSITION"]]["count"] for each in found]
    kinds = {name: {"JOINTS_0": "<u2"}.get(name, "<f4") for name in names}
    shared = {
        name: w.accessor(np.concatenate([values(w, each["attributes"][name]) for each in found]).astype(kinds[name]))
        for name in names
    }
    targets = [
        {
            "POSITION": w.accessor(
                np.concatenate([values(w, each["targets"][t]["POSITION"]) for each in found]).astype("<f4")
            )
        }
        for t in range(len(found[0]["targets"]))
    ]
    for number, each in enumerate(found):
        each["indices"] = w.accessor((values(w, each["indices"])[:, 0] + sum(counts[:number])).astype("<u4"))
        each["attributes"], each["targets"] = shared, targets


def interleaved(w: GlbWriter) -> None:
    for each in primitives(w):
        points, normals = (values(w, each["attributes"][name]) for name in ("POSITION", "NORMAL"))
        view = w.view(np.hstack([points, normals]).astype("<f4").tobytes(), byteStride=24)
        for name, offset in (("POSITION", 0), ("NORMAL", 12)):
            place = {"bufferView": view, "byteOffset": offset, "componentType": 5126}
            each["attributes"][name] = w.add("accessors", place | {"count": len(points), "type": "VEC3"})


def quantised(w: GlbWriter) -> None:
    """KHR_mesh_quantization: shorts that the skin's matrices make large."""
    largest = max(float(np.abs(values(w, each["attributes"]["POSITION"])).max()) for each in primitives(w))

    def short(number: int) -> int:
        return w.accessor(np.round(values(w, number) / largest * 32767).astype("<i2"), normalized=True)

    for each in primitives(w):
        attributes = each["attributes"]
        attributes["POSITION"] = short(attributes["POSITION"])
        for target in each["targets"]:
            target["POSITION"] = short(target["POSITION"])
        attributes["NORMAL"] = w.accessor(np.round(values(w, attributes["NORMAL"]) * 127).astype("i1"), normalized=True)
        shares = np.round(values(w, attributes["WEIGHTS_0"]) * 255).astype("u1")
        attributes["WEIGHTS_0"] = w.accessor(shares, normalized=True)
        attributes["JOINTS_0"] = w.accessor(values(w, attributes["JOINTS_0"]).astype("u1"))
    skin = w.content["skins"][0]
    bind = values(w, skin["inverseBindMatrices"]).reshape(-1, 4, 4).copy()
    bind[:, :3] *= largest  # in columns
    skin["inverseBindMatrices"] = w.accessor(bind.reshape(-1, 16).astype("<f4"))


def weights_that_do_not_sum_to_one(w: GlbWriter) -> None:
    for each in primitives(w):
        halved = values(w, each["attributes"]["WEIGHTS_0"]) * 0.5
        each["attributes"]["WEIGHTS_0"] = w.accessor(halved.astype("<f4"))


def an_armature_in_centimetres(w: GlbWriter) -> None:
    """As from FBX: bones in centimetres with z up, below a node that makes metres with y up of them."""
    turn, scale = -math.pi / 2, 0.01
    cosine, sine = math.cos(turn), math.sin(turn)
    rotation = np.array([[1, 0, 0], [0, cosine, -sine], [0, sine, cosine]])
    nodes, skin = w.content["nodes"], w.content["skins"][0]
    for node in nodes[:-1]:
        node["translation"] = (np.array(node["translation"]) @ rotation / scale).tolist()
    binds = []
    for head in -values(w, skin["inverseBindMatrices"]).reshape(-1, 4, 4)[:, 3, :3]:
        world = np.eye(4)
        world[:3, :3], world[:3, 3] = rotation * scale, head
        binds.append(np.linalg.inv(world).T.ravel())
    skin["inverseBindMatrices"] = w.accessor(np.array(binds, "<f4"))
    scene, mesh = w.content["scenes"][0], len(nodes) - 1
    below = [root for root in scene["nodes"] if root != mesh]
    quaternion = [math.sin(turn / 2), 0, 0, math.cos(turn / 2)]
    scene["nodes"] = [w.add("nodes", {"children": below, "scale": [scale] * 3, "rotation": quaternion}), mesh]


def triangles_the_other_way_round(w: GlbWriter) -> None:
    for each in primitives(w):
        turned = values(w, each["indices"]).reshape(-1, 3)[:, ::-1]
        each["indices"] = w.accessor(np.ascontiguousarray(turned).ravel().astype("<u4"))


def names_in_the_primitive(w: GlbWriter) -> None:
    primitives(w)[0]["extras"] = w.content["meshes"][0].pop("extras")


def weights_at_rest(w: GlbWriter) -> None:
    """VRM: "set all MorphTargets to 0", whatever the mesh's own weights are."""
    w.content["meshes"][0]["weights"] = [1.0] * len(primitives(w)[0]["targets"])


def without_a_scene(w: GlbWriter) -> None:
    del w.content["scenes"]


SPELLINGS = [
    dense_targets,
    a_mesh_for_each_primitive,
    shared_buffers,
    interleaved,
    quantised,
    weights_that_do_not_sum_to_one,
    an_armature_in_centimetres,
    triangles_the_other_way_round,
    names_in_the_primitive,
    weights_at_rest,
    without_a_scene,
]


def corners(character: Character) -> NDArray[np.float32]:
    """(m, 3, 3) where the triangles' corners are, as drawn."""
    return character.positions[character.triangles]


def moved(character: Character, name: str) -> NDArray[np.float32]:
    """(m, 3, 3) where they are when an expression plays."""
    (played,) = (morph for morph in character.morphs if morph.name == name)
    assert isinstance(played, Expression)
    positions = character.positions.copy()
    for target, weight in played.targets:
        positions[character.targets[target].vertices] += character.targets[target].offsets * np.float32(weight)
    return positions[character.triangles]


@pytest.mark.parametrize("spell", SPELLINGS, ids=lambda spell: spell.__name__)
def test_it_is_the_same_character_in_other_words(spell: Callable[[GlbWriter], None]) -> None:
    draft = made.vrm()
    expected = read_draft(made.vrm())

    spell(draft)
    found = read_draft(draft)

    size = float(np.ptp(expected.positions))
    np.testing.assert_allclose(corners(found), corners(expected), atol=1e-4 * size)
    np.testing.assert_array_equal(found.uvs[found.triangles], expected.uvs[expected.triangles])
    np.testing.assert_allclose(found.normals[found.triangles], expected.normals[expected.triangles], atol=0.02)
    assert [morph.name for morph in found.morphs] == [morph.name for morph in expected.morphs]
    for morph in expected.morphs:
        np.testing.assert_allclose(moved(found, morph.name), moved(expected, morph.name), atol=1e-4 * size)
    heads = [np.array([bone.position for bone in each.bones[: len(expected.bones)]]) for each in (found, expected)]
    np.testing.assert_allclose(heads[0], heads[1], atol=1e-4 * size)
    named = [
        [each.bones[place].name for place in each.bone_indices[each.triangles, 0].ravel()] for each in (found, expected)
    ]
    assert named[0] == named[1]
