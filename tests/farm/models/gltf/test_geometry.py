"""Meshes of a glTF file: where bones put them, which way they face, what is left out."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from farm.models.description import Character
from farm.models.gltf.values import Json
from farm.models.vrm.reader import read_vrm
from tests.farm.models import made_files as made
from tests.farm.models.gltf.written import primitive_of, read_draft


def test_a_pose_that_is_not_the_bound_one_tells_the_bones_apart() -> None:
    draft = made.vrm()
    draft.content["nodes"][2]["translation"] = [0, 1, 0]  # the head stands a metre above where the skin was bound

    character = read_draft(draft)

    assert character.bound is not None
    at_rest = read_vrm(made.vrm().to_bytes()).positions
    lift = np.array([0, 1, 0], np.float32)
    np.testing.assert_allclose(character.positions, at_rest + 0.75 * lift, atol=1e-6)
    head = character.bone_indices == 2
    np.testing.assert_allclose(character.bound[head], at_rest + lift, atol=1e-6)
    np.testing.assert_allclose(character.bound[character.bone_indices == 1], at_rest, atol=1e-6)
    means = (character.bound * character.bone_weights[:, :, None]).sum(axis=1)
    np.testing.assert_allclose(means, character.positions, atol=1e-6)


def test_targets_turn_with_the_bones() -> None:
    draft = made.vrm()
    draft.content["nodes"][0]["rotation"] = [0, 0, 1, 0]  # half a turn about z, of all that hangs on the root

    character = read_draft(draft)

    np.testing.assert_allclose(character.targets[0].offsets[0], [0, 0.04, 0], atol=1e-6)
    np.testing.assert_allclose(character.targets[1].offsets[0], [0, 0, 0.08], atol=1e-6)


def _outward(character: Character) -> NDArray[np.bool_]:
    """(m,) whether each triangle's corners go round as its normals say."""
    a, b, c = (character.positions[character.triangles[:, corner]] for corner in range(3))
    return (np.cross(b - a, c - a) * character.normals[character.triangles].sum(axis=1)).sum(axis=1) > 0


@pytest.mark.parametrize("scale", [[-1, 1, 1], [1, -2, 1], [-1, -1, -1], [1, 1, 1], [3, 0.5, 1]])
def test_mirrored_nodes_still_face_outwards(scale: list[float]) -> None:
    draft = made.vrm()
    draft.content["scenes"][0]["nodes"].append(draft.add("nodes", {"mesh": 0, "scale": scale}))

    character = read_draft(draft)

    assert _outward(character).all()
    np.testing.assert_allclose(np.linalg.norm(character.normals, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(character.normals[6:, 2] * np.sign(scale[2]), character.normals[:6, 2], atol=1e-6)


def test_a_mirrored_bone_still_faces_outwards() -> None:
    draft = made.vrm()
    draft.content["nodes"][0]["scale"] = [-1, 1, 1]

    assert _outward(read_draft(draft)).all()


def test_a_mesh_whose_triangles_contradict_its_normals_is_turned() -> None:
    draft = made.vrm()
    for number in range(2):
        corners = read_draft(made.vrm()).triangles[number] - 3 * number
        primitive_of(draft, number)["indices"] = draft.accessor(corners[::-1].astype(np.uint32))

    assert _outward(read_draft(draft)).all()


def test_where_a_mesh_faces_outwards_and_its_normals_inwards_the_normals_are_wrong() -> None:
    cube = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], np.float32)
    faces = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    corners = np.array([(q[0], q[i], q[i + 1]) for q in faces for i in (1, 2)], np.uint32)
    for outwards in (True, False):
        draft = made.vrm()
        triangles = corners if outwards else corners[:, ::-1]
        attributes = {"POSITION": draft.accessor(cube), "NORMAL": draft.accessor(0.5 - cube)}
        primitive = {"attributes": attributes, "indices": draft.accessor(triangles.ravel())}
        mesh = draft.add("meshes", {"primitives": [primitive]})
        draft.content["scenes"][0]["nodes"].append(draft.add("nodes", {"mesh": mesh}))

        read = read_draft(draft)

        # Outwards they are left alone; inwards they agree with the normals, and nothing is wrong.
        drawn = read.triangles[(read.triangles >= len(read.positions) - len(cube)).all(axis=1)]
        a, b, c = (read.positions[drawn[:, corner]] for corner in range(3))
        assert ((np.cross(b - a, c - a) * (a - 0.5)).sum(axis=1) > 0).all() == outwards


def test_normals_are_made_where_a_file_has_none() -> None:
    draft = made.vrm()
    for primitive in draft.content["meshes"][0]["primitives"]:
        del primitive["attributes"]["NORMAL"]

    np.testing.assert_allclose(read_draft(draft).normals, [[0, 0, 1]] * 6, atol=1e-5)


@pytest.mark.parametrize(
    ("mode", "corners", "triangles"),
    [
        (4, [0, 1, 2, 2, 1], [[0, 1, 2]]),
        (5, [0, 1, 2, 0], [[0, 1, 2], [2, 1, 0]]),
        (6, [0, 1, 2, 1], [[0, 1, 2], [0, 2, 1]]),
        (5, [0, 1], []),
        (0, [0, 1, 2], []),
        (1, [0, 1, 2], []),
        ("x", [0, 1, 2], []),
    ],
)
def test_strips_and_fans_are_triangles_and_points_and_lines_are_none(
    mode: Any, corners: list[int], triangles: list[list[int]]
) -> None:
    draft = made.vrm()
    draft.content["meshes"][0]["primitives"] = [primitive_of(draft)]
    primitive_of(draft).update(mode=mode, indices=draft.accessor(np.array(corners, np.uint32)))
    del primitive_of(draft)["attributes"]["NORMAL"]

    assert read_draft(draft).triangles.tolist() == triangles


def test_triangles_without_their_vertices_are_left_out_with_a_warning() -> None:
    draft = made.vrm()
    primitive_of(draft)["indices"] = draft.accessor(np.array([0, 1, 2, 0, 1, 3, 0, 1, 2**32 - 1], np.uint32))

    character = read_draft(draft)

    assert len(character.triangles) == 2
    assert any(warning.startswith("2 triangles") for warning in character.warnings)


def test_vertices_that_no_triangle_uses_are_left_out() -> None:
    draft = made.vrm()
    points = np.zeros((5000, 3), "<f4")
    points[4000:4003] = [[0, 0, 0], [0, 1, 0], [1, 0, 0]]
    attributes = {"POSITION": draft.accessor(points)}
    draft.content["meshes"][0]["primitives"] = [
        {"attributes": attributes, "indices": draft.accessor(np.array([4000, 4002, 4001], np.uint16))}
    ]

    assert read_draft(draft).positions.tolist() == points[4000:4003].tolist()


def test_joints_that_do_not_exist_have_no_weight() -> None:
    draft = made.vrm()
    for primitive in draft.content["meshes"][0]["primitives"]:
        primitive["attributes"]["JOINTS_0"] = draft.accessor(np.tile(np.array([1, 99, 0, 0], np.uint16), (3, 1)))

    character = read_draft(draft)

    assert set(character.bone_indices.ravel().tolist()) == {1, -1}
    np.testing.assert_allclose(character.bone_weights.sum(axis=1), 1)


@pytest.mark.parametrize("move", [{"translation": [5, 0, 0]}, {"scale": [0, 0, 0]}, {"scale": [-1, 1, 1]}])
def test_a_skinned_mesh_stands_where_its_bones_are_wherever_its_node_is(move: Json) -> None:
    plain, moved = made.vrm(), made.vrm()
    (node,) = (node for node in moved.content["nodes"] if "mesh" in node)
    node |= move

    one, other = read_draft(plain), read_draft(moved)

    np.testing.assert_array_equal(one.positions, other.positions)
    np.testing.assert_array_equal(one.triangles, other.triangles)


def test_eight_weights_a_vertex_are_read() -> None:
    draft = made.vrm()
    for primitive in draft.content["meshes"][0]["primitives"]:
        primitive["attributes"] |= {
            "JOINTS_1": draft.accessor(np.tile(np.array([0, 0, 0, 0], np.uint8), (3, 1))),
            "WEIGHTS_1": draft.accessor(np.tile(np.array([255, 0, 0, 0], np.uint8), (3, 1)), normalized=True),
        }

    character = read_draft(draft)

    assert character.bone_indices.shape == (6, 8)
    np.testing.assert_allclose(character.bone_weights[:, 4], 0.5)


def test_more_texture_coordinates_are_kept() -> None:
    draft = made.vrm()
    primitive_of(draft)["attributes"]["TEXCOORD_1"] = draft.accessor(np.full((3, 2), 0.25, "<f4"))

    layers = read_draft(draft).more_uvs

    assert layers is not None
    assert layers.shape == (1, 6, 4)
    np.testing.assert_array_equal(layers[0, :3, :2], 0.25)
    np.testing.assert_array_equal(layers[0, 3:], 0)
