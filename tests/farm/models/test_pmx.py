"""PMX files as they come: every kind of record is read, and what is wrong is refused or left out with a warning."""

import dataclasses
import struct
from typing import Any

import numpy as np
import pytest

from farm.errors import ModelFormatError, ModelTruncatedError
from farm.models.description import (
    BoneFlag,
    BoneMorph,
    GroupMorph,
    Inheritance,
    VertexMorph,
)
from farm.models.mmd.pmx import read_pmx
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.morphs.panels import Panel
from tests.farm.models import made_files as made
from tests.farm.models import packed


def _deform_records(bone_size: int, uvs: int = 0) -> list[bytes]:
    letter = {1: "b", 2: "h", 4: "i"}[bone_size]
    sdef = struct.pack("<9f", *(8.0,) * 9)
    tails = [
        struct.pack(f"<{letter}", 7),
        struct.pack(f"<2{letter}f", 1, 2, 0.75),
        struct.pack(f"<4{letter}4f", 3, 4, -1, 5, 0.5, 0.25, 0.0, 0.125),
        struct.pack(f"<2{letter}f", 6, 0, 0.25) + sdef,
        struct.pack(f"<4{letter}4f", 9, 8, 7, 6, 0.125, 0.25, 0.5, 0.0625),
    ]
    return [
        packed.pmx_vertex(deform, tail, (deform, 2.0, 3.0), uvs, edge=deform + 0.5) for deform, tail in enumerate(tails)
    ]


@pytest.mark.parametrize("uvs", [0, 1, 4])
@pytest.mark.parametrize("bone_size", [1, 2, 4])
def test_all_five_weight_types_are_read_in_any_order(bone_size: int, uvs: int) -> None:
    """BDEF1, BDEF2, BDEF4, SDEF (as its two linear weights) and QDEF, each with its own record length."""
    records = _deform_records(bone_size, uvs)
    order = [2, 0, 3, 1, 4, 0, 3]

    read = read_pmx(
        packed.pack_pmx([records[i] for i in order], bones=20, bone_size=bone_size, additional_uvs=uvs)
    )  # fmt: skip

    bones = [[7, -1, -1, -1], [1, 2, -1, -1], [3, 4, -1, 5], [6, 0, -1, -1], [9, 8, 7, 6]]
    weights = [[1, 0, 0, 0], [0.75, 0.25, 0, 0], [0.5, 0.25, 0, 0.125], [0.25, 0.75, 0, 0], [0.125, 0.25, 0.5, 0.0625]]
    assert read.bone_indices.tolist() == [bones[i] for i in order]
    assert read.bone_weights.tolist() == [weights[i] for i in order]
    assert read.positions.tolist() == [[i, 2.0, 3.0] for i in order]
    assert read.normals.tolist() == [[0, 1, 0]] * len(order)
    assert read.uvs.tolist() == [[0.25, 0.75]] * len(order)
    assert read.edge_scales.tolist() == [i + 0.5 for i in order]


def test_bone_numbers_over_127_are_read_from_two_bytes() -> None:
    read = read_pmx(packed.pack_pmx([packed.pmx_vertex(0, struct.pack("<h", 299))], bones=300, bone_size=2))

    assert read.bone_indices.tolist() == [[299, -1, -1, -1]]


def test_weights_on_bones_that_do_not_exist_are_dropped_with_a_warning() -> None:
    read = read_pmx(packed.pack_pmx([packed.pmx_vertex(1, struct.pack("<2hf", 1, 300, 0.5))], bones=300))

    assert read.bone_indices.tolist() == [[1, -1, -1, -1]]
    assert read.warnings == ("1 vertex weight names a bone that does not exist; ignored.",)


def test_an_unknown_weight_type_is_refused_and_names_the_vertex() -> None:
    good = packed.pmx_vertex(0, struct.pack("<h", 0))

    with pytest.raises(ModelFormatError, match="Vertex 1 has the unknown weight type 5"):
        read_pmx(packed.pack_pmx([good, packed.pmx_vertex(5, struct.pack("<h", 0))]))


def test_positions_that_are_not_numbers_become_zero_with_a_warning() -> None:
    nan, infinite = float("nan"), float("inf")

    read = read_pmx(packed.pack_pmx([packed.pmx_vertex(1, struct.pack("<2hf", 0, 1, nan), (nan, infinite, 5))]))

    assert read.positions.tolist() == [[0, 0, 5]]
    assert np.isfinite(read.bone_weights).all()
    assert len(read.warnings) == 1


def test_morph_values_that_are_not_numbers_become_zero() -> None:
    offsets = np.array([[np.nan, -np.inf, 2], [np.inf, 1, 0]], np.float32)
    base = made.full_character()
    morphs = (
        VertexMorph("v", "", Panel.EYE, np.array([0, 1], np.int32), offsets),
        GroupMorph("g", "", Panel.EYE, np.array([0], np.int32), np.array([np.inf], np.float32)),
        BoneMorph("b", "", Panel.EYE, np.array([0], np.int32), offsets[:1], np.array([[np.inf, 0, 0, 1]], np.float32)),
    )

    vertex, group, bone = read_pmx(pmx_bytes(dataclasses.replace(base, morphs=morphs))).morphs

    assert isinstance(vertex, VertexMorph)
    assert vertex.offsets.tolist() == [[0, 0, 2], [0, 1, 0]]
    assert isinstance(group, GroupMorph)
    assert group.weights.tolist() == [0]
    assert isinstance(bone, BoneMorph)
    assert (bone.translations.tolist(), bone.rotations.tolist()) == ([[0, 0, 2]], [[0, 0, 0, 1]])


def test_a_bone_with_ik_and_axes_does_not_shift_what_follows() -> None:
    flags = BoneFlag.IK | BoneFlag.FIXED_AXIS | BoneFlag.LOCAL_AXES | BoneFlag.EXTERNAL_PARENT
    flags |= BoneFlag.TAIL_IS_BONE | BoneFlag.INHERIT_TRANSLATION
    record = packed.pmx_text("足ＩＫ") + packed.pmx_text("") + struct.pack("<3fhiHh", 1, 2, 3, -1, 4, flags, 1)
    record += struct.pack("<hf", 1, -0.5) + struct.pack("<3f6fi", *(0.5,) * 9, 77)
    record += struct.pack("<hifi", 1, 40, 2.0, 2) + struct.pack("<hB6f", 0, 1, *(0.25,) * 6) + struct.pack("<hB", 1, 0)
    plain = packed.pmx_text("首") + packed.pmx_text("neck") + struct.pack("<3fhiH3f", 0, 15, 0, 0, 0, 0x1A, 0, 1, 0)

    read = read_pmx(packed.pack_pmx([], bone_records=struct.pack("<i", 2) + record + plain))

    leg, neck = read.bones
    assert (leg.name, leg.position, leg.parent, leg.layer, leg.tail_bone) == ("足ＩＫ", (1, 2, 3), None, 4, 1)
    assert leg.inheritance == Inheritance(1, -0.5)
    assert (neck.name, neck.name_en, neck.position, neck.parent) == ("首", "neck", (0, 15, 0), 0)


def test_an_impulse_morph_does_not_shift_what_follows() -> None:
    impulse = packed.pmx_text("風") + packed.pmx_text("") + struct.pack("<BBi", 4, 10, 2) + bytes(26) * 2
    group = packed.pmx_text("笑い") + packed.pmx_text("") + struct.pack("<BBibf", 2, 0, 1, 0, 0.5)

    read = read_pmx(packed.pack_pmx([], morphs=struct.pack("<i", 2) + impulse + group))

    assert [(morph.name, morph.kind) for morph in read.morphs] == [("風", "impulse"), ("笑い", "group")]


def test_morph_rows_for_things_that_do_not_exist_are_left_out() -> None:
    vertex = packed.pmx_text("あ") + packed.pmx_text("") + struct.pack("<BBi", 9, 1, 2)
    vertex += struct.pack("<H3f", 0, 1, 2, 3) + struct.pack("<H3f", 65535, 4, 5, 6)
    group = packed.pmx_text("群") + packed.pmx_text("") + struct.pack("<BBi", 4, 0, 3)
    group += b"".join(struct.pack("<bf", index, 1.0) for index in (-1, 0, 2))
    one = packed.pmx_vertex(0, struct.pack("<h", 0))

    read = read_pmx(packed.pack_pmx([one], morphs=struct.pack("<i", 2) + vertex + group))

    assert isinstance(read.morphs[0], VertexMorph)
    assert read.morphs[0].panel is Panel.OTHER  # there is no panel 9
    assert read.morphs[0].vertices.tolist() == [0]
    assert read.warnings == ("Morph 'あ' moves 1 vertex that does not exist; ignored.",)
    assert isinstance(read.morphs[1], GroupMorph)
    assert read.morphs[1].morphs.tolist() == [0]


def test_an_unknown_morph_type_is_refused_by_name() -> None:
    morph = packed.pmx_text("謎") + packed.pmx_text("") + struct.pack("<BBi", 4, 11, 0)

    with pytest.raises(ModelFormatError, match="Morph '謎' has the unknown type 11"):
        read_pmx(packed.pack_pmx([], morphs=struct.pack("<i", 1) + morph))


def test_a_triangle_of_a_vertex_that_does_not_exist_is_refused() -> None:
    one = packed.pmx_vertex(0, struct.pack("<h", 0))

    with pytest.raises(ModelFormatError, match="A triangle names vertex 1 of 1"):
        read_pmx(packed.pack_pmx([one], triangles=struct.pack("<i3H", 3, 0, 0, 1)))


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ("メモ帳のテキスト\n".encode(), "does not begin with 'PMX '"),
        (b"Pmd\0" + bytes(300), "does not begin with 'PMX '"),
        (b"PK\x03\x04" + bytes(300), "does not begin with 'PMX '"),
        (b"", "cut off"),
        (b"PMX", "cut off"),
        (b"PMX " + struct.pack("<f", 1.0) + bytes(300), "version 1.0 is unknown"),
        (b"PMX " + struct.pack("<f", float("nan")) + bytes(300), "version nan is unknown"),
        (b"PMX " + struct.pack("<fB", 2.0, 3) + bytes(300), "fewer than 8 fields"),
        (b"PMX " + struct.pack("<fB8B", 2.0, 8, 2, 0, 1, 1, 1, 1, 1, 1) + bytes(300), "encoding or an index size"),
        (b"PMX " + struct.pack("<fB8B", 2.0, 8, 0, 5, 1, 1, 1, 1, 1, 1) + bytes(300), "encoding or an index size"),
        (b"PMX " + struct.pack("<fB8B", 2.0, 8, 0, 0, 1, 1, 3, 1, 1, 1) + bytes(300), "encoding or an index size"),
    ],
)
def test_what_is_no_pmx_is_refused_with_the_reason(data: bytes, message: str) -> None:
    with pytest.raises(ModelFormatError, match=message):
        read_pmx(data)


def test_a_longer_header_than_today_s_is_read() -> None:
    data = pmx_bytes(made.full_character())

    read = read_pmx(data[:8] + b"\x09" + data[9:17] + b"\x07" + data[17:])

    assert made.differences(read, made.full_character()) == []


def _readable_lengths(data: bytes, places: list[int]) -> list[int]:
    """Those of `places` at which `data` can be cut and still be read, always as the same; the others say what is wrong."""
    whole, readable = read_pmx(data), []
    for length in sorted(places):
        try:
            read = read_pmx(data[:length])
        except ModelFormatError as error:
            assert isinstance(error, ModelTruncatedError) or "are left for them" in str(error)
        else:
            assert made.differences(read, whole) == []
            readable.append(length)
    return readable


def test_a_file_cut_at_any_byte_is_refused_as_cut_off() -> None:
    data = pmx_bytes(made.full_character())

    readable = _readable_lengths(data, list(range(len(data))))

    # Only whole sections may be absent: display frames, rigid bodies, joints. Some tools write none of them.
    frames = data.index(struct.pack("<i", 2) + packed.pmx_text("Root"))
    assert readable == [frames, len(data) - 8, len(data) - 4]


def test_a_file_of_all_weight_types_cut_at_any_byte_is_refused() -> None:
    data = packed.pack_pmx(_deform_records(2), bones=10)

    assert _readable_lengths(data, list(range(len(data)))) == []


def test_a_mascot_cut_anywhere_is_refused(mascots: dict[str, Any]) -> None:
    data = mascots["nagi"].read_bytes()
    random = np.random.default_rng(7)

    assert _readable_lengths(data, [*random.integers(0, len(data), 150).tolist(), len(data) - 1]) == []
