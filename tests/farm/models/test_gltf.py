"""glTF: accessors of every kind, the hierarchy, the geometry; and hostile files, which cost no more than their size."""

import time
import tracemalloc
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from farm.errors import ModelError, ModelFormatError
from farm.models.description import Character, Expression
from farm.models.gltf.accessors import Accessors
from farm.models.gltf.container import read_glb
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.gltf.values import Json
from farm.models.vrm.reader import read_vrm
from tests.farm.models import made_files as made


def _read(draft: GlbWriter) -> Character:
    character = read_vrm(draft.to_bytes())
    made.assert_sound(character)
    return character


def _accessors(w: GlbWriter) -> Accessors:
    return Accessors(read_glb(w.to_bytes()))


def _primitive(draft: GlbWriter, number: int = 0) -> Json:
    found: Json = draft.content["meshes"][0]["primitives"][number]
    return found


def _accessor(draft: GlbWriter, name: str) -> Json:
    found: Json = draft.content["accessors"][_primitive(draft)["attributes"][name]]
    return found


# Accessors


@pytest.mark.parametrize(
    ("kind", "normalised", "values", "expected"),
    [
        (np.uint8, True, [0, 51, 255], [0, 0.2, 1]),
        (np.int8, True, [-128, -127, 127], [-1, -1, 1]),
        (np.uint16, True, [0, 13107, 65535], [0, 0.2, 1]),
        (np.int16, True, [-32768, 0, 32767], [-1, 0, 1]),
        (np.int16, False, [-32768, 0, 32767], [-32768, 0, 32767]),
        (np.float32, False, [1.5, np.nan, np.inf], [1.5, 0, 0]),
        (np.float32, False, [-np.inf, 1e30, -0.5], [0, 0, -0.5]),
    ],
)
def test_numbers_of_every_type_are_read(
    kind: Any, normalised: bool, values: list[float], expected: list[float]
) -> None:
    w = GlbWriter()
    number = w.accessor(np.array([values], kind), normalized=normalised)

    np.testing.assert_allclose(_accessors(w).floats(number, (3,)), [expected], rtol=1e-6)


def test_a_strided_view_is_read() -> None:
    w = GlbWriter()
    rows = np.arange(20, dtype="<f4").reshape(4, 5)
    view = w.view(rows.tobytes(), byteStride=20)
    number = w.add(
        "accessors", {"bufferView": view, "byteOffset": 8, "componentType": 5126, "count": 4, "type": "VEC3"}
    )

    np.testing.assert_array_equal(_accessors(w).floats(number, (3,)), rows[:, 2:])


def test_a_sparse_accessor_changes_what_it_is_based_on() -> None:
    w = GlbWriter()
    base = np.ones((4, 3), "<f4")
    number = w.sparse([1, 3], np.full((2, 3), 5, "<f4"), 4, bufferView=w.view(base.tobytes()))

    base[[1, 3]] = 5
    np.testing.assert_array_equal(_accessors(w).floats(number, (3,)), base)
    np.testing.assert_array_equal(_accessors(w).rows(number, 3, 4).values, base)


@pytest.mark.parametrize("places", [[3, 1, 1], [1, 3, 3], [1, 1, 3]])
def test_sparse_rows_out_of_order_are_read_once_each(places: list[int]) -> None:
    w = GlbWriter()
    number = w.sparse(places, np.arange(1, 10, dtype="<f4").reshape(3, 3), 4)

    dense = _accessors(w).floats(number, (3,), 4)
    rows = _accessors(w).rows(number, 3, 4)

    assert rows.places.tolist() == [1, 3]
    np.testing.assert_array_equal(rows.values, dense[[1, 3]])


@pytest.mark.parametrize(
    "change",
    [
        {"count": 2**31 - 1},
        {"count": 4},
        {"count": -1},
        {"count": 1.5},
        {"count": True},
        {"byteOffset": -4},
        {"byteOffset": 2**40},
        {"componentType": 5124},
        {"componentType": [5126]},
        {"type": "VEC4"},
        {"type": {}},
        {"bufferView": -1},
        {"bufferView": 10**6},
        {"sparse": {"count": 1}},
        {"sparse": {"count": 5, "indices": {}, "values": {}}},
        {"sparse": {"count": 2, "indices": {"bufferView": 0, "componentType": 5126}, "values": {"bufferView": 0}}},
        {"sparse": {"count": 2, "indices": {"bufferView": 0, "componentType": 5121}, "values": {"bufferView": 10**6}}},
    ],
)
def test_an_accessor_beyond_its_bytes_is_refused(change: Json) -> None:
    draft = made.vrm()
    _accessor(draft, "POSITION").update(change)

    with pytest.raises(ModelFormatError):
        _read(draft)


@pytest.mark.parametrize(
    "change",
    [
        {"byteOffset": -1},
        {"byteLength": -1},
        {"byteLength": 2**40},
        {"byteStride": -12},
        {"byteStride": 4},
        {"byteStride": 2**40},
        {"buffer": 1},
        {"buffer": -1},
    ],
)
def test_a_buffer_view_beyond_its_buffer_is_refused(change: Json) -> None:
    draft = made.vrm()
    draft.content["bufferViews"][_accessor(draft, "POSITION")["bufferView"]].update(change)

    with pytest.raises(ModelFormatError):
        _read(draft)


def test_sparse_places_out_of_range_are_refused() -> None:
    draft = made.vrm()
    number = draft.sparse([0, 3], np.ones((2, 3), "<f4"), 3)
    _primitive(draft)["targets"][0] = {"POSITION": number}

    with pytest.raises(ModelFormatError, match="entries that it does not have"):
        _read(draft)


# The hierarchy


def test_a_scene_shows_its_own_nodes_alone() -> None:
    draft = made.vrm()
    draft.add("nodes", {"mesh": 0, "translation": [1, 0, 0]})

    assert len(_read(draft).positions) == 6
    draft.content["scenes"] = []
    assert len(_read(draft).positions) == 12


@pytest.mark.parametrize(
    "children", [{0: [0]}, {0: [1], 1: [0]}, {0: [1, 1]}, {0: [1, 2], 1: [2]}, {2: [0]}, {0: [99, -1, "x", None, 1]}]
)
def test_nodes_that_are_no_tree_are_taken_apart(children: dict[int, list[Any]]) -> None:
    draft = made.vrm()
    for node, below in children.items():
        draft.content["nodes"][node]["children"] = below
    draft.content["scenes"] = []

    character = _read(draft)

    assert len(character.positions) == 6
    for place in range(len(character.bones)):
        walk, steps = character.bones[place].parent, 0
        while walk is not None:
            walk, steps = character.bones[walk].parent, steps + 1
            assert steps < 10


def test_a_matrix_is_what_translation_rotation_and_scale_are() -> None:
    draft = made.vrm()
    half = 0.5**0.5
    parts = {"translation": [1, 2, 3], "rotation": [0, half, 0, half], "scale": [2, 3, 4]}
    matrix = [0, 0, -2, 0, 0, 3, 0, 0, 4, 0, 0, 0, 1, 2, 3, 1]
    for node in (parts, {"matrix": matrix}):
        draft.content["scenes"][0]["nodes"].append(draft.add("nodes", {"mesh": 0} | node))

    character = _read(draft)

    np.testing.assert_allclose(character.positions[6:12], character.positions[12:], atol=1e-5)
    x, y, z = character.positions[:6].T
    np.testing.assert_allclose(character.positions[12:], np.column_stack([4 * z + 1, 3 * y + 2, -2 * x + 3]), atol=1e-5)


def test_transforms_out_of_all_measure_are_survived() -> None:
    draft = made.vrm()
    for node in draft.content["nodes"]:
        node |= {"scale": [1e6, 1e6, 1e6], "rotation": [0, 0, 0, 0]}

    _read(draft)


# Geometry


def test_a_pose_that_is_not_the_bound_one_tells_the_bones_apart() -> None:
    draft = made.vrm()
    draft.content["nodes"][2]["translation"] = [0, 1, 0]  # the head stands a metre above where the skin was bound

    character = _read(draft)

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

    character = _read(draft)

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

    character = _read(draft)

    assert _outward(character).all()
    np.testing.assert_allclose(np.linalg.norm(character.normals, axis=1), 1, atol=1e-6)
    np.testing.assert_allclose(character.normals[6:, 2] * np.sign(scale[2]), character.normals[:6, 2], atol=1e-6)


def test_a_mirrored_bone_still_faces_outwards() -> None:
    draft = made.vrm()
    draft.content["nodes"][0]["scale"] = [-1, 1, 1]

    assert _outward(_read(draft)).all()


def test_a_mesh_whose_triangles_contradict_its_normals_is_turned() -> None:
    draft = made.vrm()
    for number in range(2):
        corners = _read(made.vrm()).triangles[number] - 3 * number
        _primitive(draft, number)["indices"] = draft.accessor(corners[::-1].astype(np.uint32))

    assert _outward(_read(draft)).all()


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

        read = _read(draft)

        # Outwards they are left alone; inwards they agree with the normals, and nothing is wrong.
        drawn = read.triangles[(read.triangles >= len(read.positions) - len(cube)).all(axis=1)]
        a, b, c = (read.positions[drawn[:, corner]] for corner in range(3))
        assert ((np.cross(b - a, c - a) * (a - 0.5)).sum(axis=1) > 0).all() == outwards


def test_normals_are_made_where_a_file_has_none() -> None:
    draft = made.vrm()
    for primitive in draft.content["meshes"][0]["primitives"]:
        del primitive["attributes"]["NORMAL"]

    np.testing.assert_allclose(_read(draft).normals, [[0, 0, 1]] * 6, atol=1e-5)


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
    draft.content["meshes"][0]["primitives"] = [_primitive(draft)]
    _primitive(draft).update(mode=mode, indices=draft.accessor(np.array(corners, np.uint32)))
    del _primitive(draft)["attributes"]["NORMAL"]

    assert _read(draft).triangles.tolist() == triangles


def test_triangles_without_their_vertices_are_left_out_with_a_warning() -> None:
    draft = made.vrm()
    _primitive(draft)["indices"] = draft.accessor(np.array([0, 1, 2, 0, 1, 3, 0, 1, 2**32 - 1], np.uint32))

    character = _read(draft)

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

    assert _read(draft).positions.tolist() == points[4000:4003].tolist()


def test_joints_that_do_not_exist_have_no_weight() -> None:
    draft = made.vrm()
    for primitive in draft.content["meshes"][0]["primitives"]:
        primitive["attributes"]["JOINTS_0"] = draft.accessor(np.tile(np.array([1, 99, 0, 0], np.uint16), (3, 1)))

    character = _read(draft)

    assert set(character.bone_indices.ravel().tolist()) == {1, -1}
    np.testing.assert_allclose(character.bone_weights.sum(axis=1), 1)


@pytest.mark.parametrize("move", [{"translation": [5, 0, 0]}, {"scale": [0, 0, 0]}, {"scale": [-1, 1, 1]}])
def test_a_skinned_mesh_stands_where_its_bones_are_wherever_its_node_is(move: Json) -> None:
    plain, moved = made.vrm(), made.vrm()
    (node,) = (node for node in moved.content["nodes"] if "mesh" in node)
    node |= move

    one, other = _read(plain), _read(moved)

    np.testing.assert_array_equal(one.positions, other.positions)
    np.testing.assert_array_equal(one.triangles, other.triangles)


def test_eight_weights_a_vertex_are_read() -> None:
    draft = made.vrm()
    for primitive in draft.content["meshes"][0]["primitives"]:
        primitive["attributes"] |= {
            "JOINTS_1": draft.accessor(np.tile(np.array([0, 0, 0, 0], np.uint8), (3, 1))),
            "WEIGHTS_1": draft.accessor(np.tile(np.array([255, 0, 0, 0], np.uint8), (3, 1)), normalized=True),
        }

    character = _read(draft)

    assert character.bone_indices.shape == (6, 8)
    np.testing.assert_allclose(character.bone_weights[:, 4], 0.5)


def test_more_texture_coordinates_are_kept() -> None:
    draft = made.vrm()
    _primitive(draft)["attributes"]["TEXCOORD_1"] = draft.accessor(np.full((3, 2), 0.25, "<f4"))

    layers = _read(draft).more_uvs

    assert layers is not None
    assert layers.shape == (1, 6, 4)
    np.testing.assert_array_equal(layers[0, :3, :2], 0.25)
    np.testing.assert_array_equal(layers[0, 3:], 0)


# Hostile files


def _no_bytes(draft: GlbWriter) -> None:
    for primitive in draft.content["meshes"][0]["primitives"]:
        for name in primitive["attributes"].values():
            draft.content["accessors"][name] = {"componentType": 5126, "count": 2**30, "type": "VEC3"}


def _many_nodes(draft: GlbWriter) -> None:
    draft.content["nodes"] += [{"mesh": 0}] * 16_000
    draft.content["scenes"] = []


def _too_many_nodes(draft: GlbWriter) -> None:
    draft.content["nodes"] += [{}] * 70_000


def _one_array_for_all(draft: GlbWriter) -> None:
    """A thousand accessors over the same bytes, each used by a primitive of its own."""
    points = draft.view(np.zeros((30_000, 3), "<f4").tobytes())
    accessor = {"bufferView": points, "componentType": 5126, "count": 30_000, "type": "VEC3"}
    first = len(draft.content["accessors"])
    draft.content["accessors"] += [dict(accessor) for _ in range(1000)]
    draft.content["meshes"][0]["primitives"] = [{"attributes": {"POSITION": first + place}} for place in range(1000)]


def _long_chain(draft: GlbWriter) -> None:
    first = len(draft.content["nodes"])
    draft.content["nodes"] += [{"children": [first + place + 1]} for place in range(16_000)]


def _images_over_each_other(draft: GlbWriter) -> None:
    length = len(draft.binary)
    for place in range(500):
        view = draft.add("bufferViews", {"buffer": 0, "byteOffset": place, "byteLength": length - place})
        draft.add("images", {"bufferView": view})


@pytest.mark.parametrize(
    "spoil", [_no_bytes, _many_nodes, _too_many_nodes, _one_array_for_all, _long_chain, _images_over_each_other]
)
def test_a_hostile_file_costs_no_more_than_its_size(spoil: Any) -> None:
    draft = made.vrm()
    spoil(draft)
    data = draft.to_bytes()

    def read() -> None:
        try:
            read_vrm(data)
        except ModelError as error:
            assert str(error)

    started = time.process_time()
    read()
    took = time.process_time() - started
    tracemalloc.start()  # costs time itself
    try:
        read()
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert took < 6  # seconds of CPU, three times what the slowest takes; by squares it would take minutes
    assert peak < 64 * 2**20 + 8 * len(data)


def test_many_binds_over_many_meshes_cost_what_they_say() -> None:
    """Binds are looked up, not searched for: 40,000 of them over 400 meshes."""
    draft = made.vrm()
    nodes = [
        draft.add("nodes", {"mesh": draft.add("meshes", {"primitives": draft.content["meshes"][0]["primitives"]})})
        for _ in range(400)
    ]
    draft.content["scenes"] = []
    custom = draft.content["extensions"]["VRMC_vrm"]["expressions"]["custom"]
    for number in range(100):
        custom[f"e{number}"] = {"morphTargetBinds": [{"node": node, "index": 0, "weight": 1} for node in nodes]}
    data = draft.to_bytes()

    started = time.process_time()
    character = read_vrm(data)

    assert time.process_time() - started < 3  # of CPU, more than twice what it takes
    assert sum(len(m.targets) for m in character.morphs if isinstance(m, Expression)) >= 40_000
