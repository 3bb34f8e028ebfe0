"""VRM: what its JSON says, whichever version, and no other error than ours whatever it says."""

import copy
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from farm.errors import FarmError, ModelFormatError, ModelTruncatedError, NoNeckBoneError
from farm.models import inventory
from farm.models.vrm import Expression, read_vrm
from farm.morphs.refs import packed
from tests.farm.models import made_files as made
from tests.farm.models.made_files import Json


def _without(content: Json, *path: str) -> Json:
    content = copy.deepcopy(content)
    inner = content
    for key in path[:-1]:
        inner = inner[key]
    del inner[path[-1]]
    return content


def test_a_vrm_0_is_summarised() -> None:
    read = read_vrm(made.glb(made.vrm_0()))

    assert (read.version, read.title, read.comment, read.neck, read.head) == ("0.x", "狐", "誰か", "J_Neck", "J_Head")
    assert read.licence == {"title": "狐", "author": "誰か", "licenseName": "CC0"}
    assert read.bones == ("Hips", "J_Head", "J_Neck")
    assert read.expressions == (
        Expression("blink", 1),
        Expression("a", 2),
        Expression("照れ", 1),  # "unknown" is no preset: the creator's own name counts
        Expression("neutral", 0),
    )
    assert (read.vertices, read.triangles, read.meshes, read.images) == (100, 46, 2, 1)
    assert read.materials == (("Face", 0), ("Hair", 0))


def test_a_vrm_1_is_summarised() -> None:
    read = read_vrm(made.glb(made.vrm_1()))

    assert (read.version, read.title, read.comment) == ("1.0", "狐", "誰か, someone")
    assert (read.neck, read.head) == ("J_Neck", "J_Head")
    assert read.expressions == (
        Expression("blinkLeft", 1),
        Expression("aa", 3),
        Expression("neutral", 0),
        Expression("照れ", 1),
    )
    assert read.vertices == 100  # primitives that share their vertices count once


def test_the_presets_of_both_versions_become_target_morphs() -> None:
    old, new = (inventory.of_vrm(read_vrm(made.glb(content))) for content in (made.vrm_0(), made.vrm_1()))

    assert packed(old.annotation) == {"eye/closed/both": (0, "blink"), "mouth/a": (1, "a")}
    assert packed(new.annotation) == {"eye/closed/left": (0, "blinkLeft"), "mouth/a": (1, "aa")}
    assert (old.format, old.samples, old.bone_rule) == ("VRM 0.x", 20, "humanoid")


@pytest.mark.parametrize(
    "content",
    [
        _without(made.vrm_1(), "extensions", "VRMC_vrm", "humanoid", "humanBones", "neck"),
        _without(made.vrm_1(), "extensions", "VRMC_vrm", "humanoid"),
        _without(made.vrm_0(), "extensions", "VRM", "humanoid", "humanBones"),
        _without(made.vrm_0(), "nodes"),
        {"extensions": {"VRM": {}}},
        {"extensions": {"VRMC_vrm": {}}},
    ],
)
def test_a_vrm_without_a_neck_is_refused_with_what_to_do(content: Json) -> None:
    with pytest.raises(NoNeckBoneError, match="Assign the bone 'neck'"):
        read_vrm(made.glb(content))


def test_without_a_head_bone_the_neck_stands_for_it() -> None:
    content = _without(made.vrm_1(), "extensions", "VRMC_vrm", "humanoid", "humanBones", "head")

    assert read_vrm(made.glb(content)).head == "J_Neck"


def test_a_plain_gltf_is_refused_as_no_vrm() -> None:
    with pytest.raises(ModelFormatError, match="no VRM extension"):
        read_vrm(made.glb({"asset": {"version": "2.0"}}))


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
        read_vrm(made.glb(content))


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


@pytest.mark.parametrize("content", [made.vrm_0(), made.vrm_1()], ids=["0.x", "1.0"])
def test_a_file_cut_at_any_byte_is_refused_as_cut_off(content: Json) -> None:
    data = made.glb(content)

    for length in range(len(data)):
        with pytest.raises(ModelTruncatedError):
            read_vrm(data[:length])


def _paths(value: Any) -> Iterator[tuple[Any, ...]]:
    """The path of every value inside `value`."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (key,)
        yield from ((key, *path) for path in _paths(inner))


_DEEP = json.loads("[" * 5000 + "]" * 5000)
_WRONG = [
    None,
    True,
    5,
    -1,
    10**30,
    1.5,
    float("inf"),
    "x",
    "",
    "\ud800",
    [],
    {},
    [[1]],
    [1, "a", None],
    {"a": 1},
    _DEEP,
]


def _usable(data: bytes) -> None:
    """Read a VRM and do with it what an upload does; only our own errors may come of it."""
    try:
        held = inventory.of_vrm(read_vrm(data))
    except FarmError as error:
        str(error).encode()
        return
    assert inventory.Inventory.model_validate_json(held.model_dump_json()) == held


@pytest.mark.parametrize("content", [made.vrm_0(), made.vrm_1()], ids=["0.x", "1.0"])
def test_a_value_of_the_wrong_type_anywhere_is_no_other_error_than_ours(content: Json) -> None:
    paths = list(_paths(content))
    assert len(paths) > 60
    for path in paths:
        for wrong in _WRONG:
            changed = copy.deepcopy(content)
            inner = changed
            for key in path[:-1]:
                inner = inner[key]
            inner[path[-1]] = wrong
            _usable(made.glb(changed))


def test_half_surrogates_in_names_are_replaced() -> None:
    content = made.vrm_1()
    content["extensions"]["VRMC_vrm"]["meta"]["name"] = "\ud800x"
    content["extensions"]["VRMC_vrm"]["expressions"]["custom"] = {"\udfff": {"materialColorBinds": [{}]}}

    held = inventory.of_vrm(read_vrm(made.glb(content)))

    assert held.title == "?x"
    assert held.morphs[-1].name == "?"
    held.model_dump_json().encode()


@pytest.mark.parametrize(
    ("path", "version", "neck", "head", "expressions", "vertices"),
    [
        ("vrm_godette/Godette_vrm_v4.vrm", "0.x", "neck_Armature", "head_Armature", 17, 3109),
        ("vrm_256_ryuunoko_v0/npc.vrm", "0.x", "neck", "head", 17, 362),
        ("vrm_cool_loops_v0/cool_loops.vrm", "0.x", "mixamorig:Neck", "mixamorig:Head", 8, 1898),
        ("vrm_mtoon_conformance_v1/mtoon_default.vrm", "1.0", "neck", "head", 0, 1225),
    ],
)
def test_real_vrms_are_summarised(
    real_models: Path, path: str, version: str, neck: str, head: str, expressions: int, vertices: int
) -> None:
    read = read_vrm((real_models / path).read_bytes())

    assert (read.version, read.neck, read.head) == (version, neck, head)
    assert (len(read.expressions), read.vertices) == (expressions, vertices)


def test_godette_s_presets_are_target_morphs(real_models: Path) -> None:
    held = inventory.of_vrm(read_vrm((real_models / "vrm_godette/Godette_vrm_v4.vrm").read_bytes()))

    expected = {"closed/both": "blink", "closed/left": "blink_l", "closed/right": "blink_r"}
    assert {name: held.annotation[f"eye/{name}"].name for name in expected} == expected
    assert [held.annotation[f"mouth/{vowel}"].name for vowel in "aeiou"] == list("aeiou")
    assert all(held.morphs[morph.index].name == morph.name for morph in held.annotation.values())
    assert (held.target_morphs, held.samples) == (8, 100)


@pytest.mark.parametrize("kind", ["buffers", "images"])
@pytest.mark.parametrize("uri", ["/etc/passwd", "../../secret.png", "file:///etc/passwd", "http://example.org/x", 5])
def test_a_vrm_that_refers_to_another_file_is_refused(kind: str, uri: object) -> None:
    content = made.vrm_0() | {kind: [{"uri": uri}]}

    with pytest.raises(ModelFormatError, match="refers to another file"):
        read_vrm(made.glb(content))


def test_a_vrm_with_its_data_inside_is_read() -> None:
    read_vrm(made.glb(made.vrm_0() | {"images": [{"uri": "data:image/png;base64,AAAA"}]}))


@pytest.mark.parametrize("name", ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"])
def test_a_compression_that_cannot_be_undone_is_refused_by_its_name(name: str) -> None:
    with pytest.raises(ModelFormatError, match=name):
        read_vrm(made.glb(made.vrm_1() | {"extensionsRequired": [name]}))


@pytest.mark.parametrize(
    "bind",
    [
        {"mesh": 9, "index": 0, "weight": 100},
        {"mesh": 0, "index": 2, "weight": 100},
        {"mesh": 0, "index": 0, "weight": 0},
        {"mesh": 0, "index": -1, "weight": 100},
        {"mesh": "0", "index": 0},
    ],
)
def test_an_expression_whose_binds_move_nothing_is_not_annotated(bind: dict[str, object]) -> None:
    content = made.vrm_0()
    groups = content["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"]
    groups[0]["binds"] = [bind]

    assert "eye/closed/both" not in inventory.of_vrm(read_vrm(made.glb(content))).annotation


def test_of_two_groups_of_one_preset_the_one_that_moves_something_plays() -> None:
    content = made.vrm_0()
    groups = content["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"]
    groups.insert(0, {**groups[0], "binds": [], "isBinary": True})
    groups.append({**groups[1], "isBinary": True})

    held = inventory.of_vrm(read_vrm(made.glb(content)))

    assert packed(held.annotation) == {"eye/closed/both": (1, "blink"), "mouth/a": (2, "a")}
    assert [(m.index, m.name, m.proposal) for m in held.morphs[:2]] == [
        (0, "blink", None),
        (1, "blink", "eye/closed/both"),
    ]
    assert sorted(held.rules) == [0, len(groups) - 1]  # each has the rule of its own, not that of its name
