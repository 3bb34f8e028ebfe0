"""Bytes that are no VRM, or a spoiled one: no other error than ours, whatever the file says."""

import json
import struct
from collections.abc import Iterator
from typing import Any

import pytest

from farm.errors import FarmError, ModelFormatError, ModelTruncatedError
from farm.models.gltf.glb_writer import glb_bytes
from farm.models.inventory import Inventory
from farm.models.vrm.reader import read_vrm
from tests.farm.models import made_files as made
from tests.farm.models.vrm import as_read
from tests.farm.models.vrm.as_read import VERSIONS


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


@pytest.mark.parametrize(
    ("version", "first", "step"),
    [
        ("0.x", 0, 8),
        ("1.0", 1, 8),
        *(pytest.param(version, first, 8, marks=pytest.mark.long) for version in ("0.x", "1.0") for first in range(8)),
    ],
)
def test_a_value_of_the_wrong_type_anywhere_is_no_other_error_than_ours(version: str, first: int, step: int) -> None:
    """Two of fifteen at every place; `make long` tries all of them, `make fuzz` 200,000 other changes."""
    draft = made.vrm(version)
    paths = list(_paths(draft.content))
    assert len(paths) > 300
    outcomes = set()
    for number, path in enumerate(paths):
        inner = draft.content
        for key in path[:-1]:
            inner = inner[key]
        kept = inner[path[-1]]
        for wrong in [*_WRONG[(number + first) % step :: step], *([_DEEP] if number % 40 == first else [])]:
            inner[path[-1]] = wrong
            try:
                character = read_vrm(glb_bytes(draft.content, bytes(draft.binary)))
                made.assert_sound(character)
                held = as_read.inventory_of(character)
                assert Inventory.model_validate_json(held.model_dump_json()) == held
                outcomes.add("read")
            except FarmError as error:
                outcomes.add(error.code)
                str(error).encode()
        inner[path[-1]] = kept

    assert {"read", "model-format", "no-neck-bone"} <= outcomes


def test_half_surrogates_in_names_are_replaced() -> None:
    draft = made.vrm("1.0")
    as_read.extension(draft)["meta"]["name"] = "\ud800x"
    custom = as_read.extension(draft)["expressions"]["custom"]
    custom["\udfff"] = custom.pop("照れ")

    held = as_read.inventory_of(as_read.character(draft))

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
        "data:/../../proc/self/environ",
        "data:image/png,AAAA",
        "data:../x;base64,AAAA",
        "DATA:image/png;base64,AAAA",
        " data:image/png;base64,AAAA",
        "data:image/png;base64;x=y,AAAA",
        "data:image/png;charset=/../../x;base64,AAAA",
        "data:image/../../x;base64,AAAA",
        "data:image/png;base64",
        "data:;BASE64,AAAA",
        "data://localhost/etc/passwd;base64,AAAA",
        "data%3Aimage/png;base64,AAAA",
        "%2e%2e%2fsecret.png",
        "..%5csecret.png",
        "..\\secret.png",
        "\\\\localhost\\share\\secret.png",
        "C:\\secret.png",
        "//localhost/secret.png",
        "FILE://localhost/etc/passwd",
        "file:/etc/passwd",
        "secret.png?data:image/png;base64,AAAA",
        "secret.png#data:image/png;base64,AAAA",
        "blob:null/1",
        "javascript:1",
        "",
    ],
)
def test_a_vrm_that_refers_to_another_file_is_refused(kind: str, uri: object) -> None:
    draft = made.vrm("0.x")
    draft.content[kind].append({"uri": uri})

    with pytest.raises(ModelFormatError, match="refers to another file"):
        as_read.character(draft)


@pytest.mark.parametrize("kind", ["buffers", "images"])
@pytest.mark.parametrize("uri", [5, ["x"], {}])
def test_a_uri_that_is_no_text_is_refused(kind: str, uri: object) -> None:
    draft = made.vrm("0.x")
    draft.content[kind].append({"uri": uri})

    with pytest.raises(ModelFormatError, match="is no text"):
        as_read.character(draft)


def test_broken_base64_is_refused() -> None:
    draft = made.vrm("1.0")
    draft.content["images"].append({"uri": "data:image/png;base64,AA*A"})

    with pytest.raises(ModelFormatError, match="broken base64"):
        as_read.character(draft)


@pytest.mark.parametrize("name", ["KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu"])
def test_a_compression_that_cannot_be_undone_is_refused_by_its_name(name: str) -> None:
    draft = made.vrm("1.0")
    draft.content["extensionsRequired"] = [name]

    with pytest.raises(ModelFormatError, match=name):
        as_read.character(draft)


def test_plain_data_beside_a_compressed_form_are_used() -> None:
    draft = made.vrm("1.0")
    for primitive in draft.content["meshes"][0]["primitives"]:
        primitive["extensions"] = {"KHR_draco_mesh_compression": {"bufferView": 0, "attributes": {"POSITION": 0}}}

    assert len(as_read.character(draft).positions) == 6

    position = draft.content["meshes"][0]["primitives"][0]["attributes"]["POSITION"]
    del draft.content["accessors"][position]["bufferView"]
    with pytest.raises(ModelFormatError, match="KHR_draco_mesh_compression"):
        as_read.character(draft)
