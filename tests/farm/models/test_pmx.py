"""PMX: what is written is read again, and records that only other programs write are read as the format says."""

import dataclasses
import itertools
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from farm.errors import ModelFormatError, ModelTruncatedError
from farm.models.description import (
    Bone,
    BoneFlag,
    BoneMorph,
    Character,
    GroupMorph,
    Inheritance,
    MaterialMorph,
    MaterialOffset,
    Morph,
    OtherMorph,
    UVMorph,
    VertexMorph,
)
from farm.models.materials import MaterialFlag, MmdMaterial, SphereMode
from farm.models.mmd.pmx import read_pmx
from farm.models.mmd.pmx_writer import Layout, pmx_bytes
from farm.morphs.panels import Panel
from farm.wording import counted
from tests.farm.models import made_files as made

_TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=8)
_FLOATS = st.floats(-1e6, 1e6, width=32)  # beyond, the reader takes a number for an accident
_NOT_WRITTEN = BoneFlag.IK | BoneFlag.FIXED_AXIS | BoneFlag.LOCAL_AXES | BoneFlag.EXTERNAL_PARENT
_INHERITS = BoneFlag.INHERIT_ROTATION | BoneFlag.INHERIT_TRANSLATION


def _tuples(count: int) -> st.SearchStrategy[Any]:
    return st.tuples(*[_FLOATS] * count)


def _floats(*shape: int) -> st.SearchStrategy[Any]:
    return npst.arrays(np.float32, shape, elements=_FLOATS)


def _ints(count: int, low: int, high: int) -> st.SearchStrategy[Any]:
    return npst.arrays(np.int32, count, elements=st.integers(low, high))


def _index(count: int) -> st.SearchStrategy[int | None]:
    return st.none() | st.integers(0, count - 1) if count else st.none()


@st.composite
def _bones(draw: st.DrawFn, count: int) -> Bone:
    tail = draw(_index(count))
    inherits = draw(st.booleans())
    flags = BoneFlag(draw(st.integers(0, 0x3FFF))) & ~_NOT_WRITTEN & ~_INHERITS & ~BoneFlag.TAIL_IS_BONE
    flags |= BoneFlag.TAIL_IS_BONE if tail is not None else 0
    flags |= draw(st.sampled_from([*_INHERITS, _INHERITS])) if inherits else 0
    return Bone(
        name=draw(_TEXTS),
        name_en=draw(_TEXTS),
        position=draw(_tuples(3)),
        parent=draw(_index(count)),
        layer=draw(st.integers(-(2**31), 2**31 - 1)),
        flags=flags,
        tail_bone=tail,
        tail_offset=draw(_tuples(3)) if tail is None else (0.0, 0.0, 0.0),
        inheritance=Inheritance(draw(st.integers(0, count - 1)), draw(_FLOATS)) if inherits else None,
    )


@st.composite
def _materials(draw: st.DrawFn, first: int, triangles: int, textures: int) -> MmdMaterial:
    shared = draw(st.none() | st.integers(0, 9))
    return MmdMaterial(
        name=draw(_TEXTS),
        name_en=draw(_TEXTS),
        diffuse=draw(_tuples(4)),
        specular=draw(_tuples(3)),
        shininess=draw(_FLOATS),
        ambient=draw(_tuples(3)),
        flags=MaterialFlag(draw(st.integers(0, 255))),
        edge_colour=draw(_tuples(4)),
        edge_size=draw(_FLOATS),
        texture=draw(_index(textures)),
        sphere=draw(_index(textures)),
        sphere_mode=draw(st.sampled_from(SphereMode)),
        toon=draw(_index(textures)) if shared is None else None,
        shared_toon=shared,
        first_triangle=first,
        triangle_count=triangles,
        memo=draw(_TEXTS),
    )


@st.composite
def _morphs(draw: st.DrawFn, morphs: int, vertices: int, bones: int, materials: int) -> Morph:
    head = (draw(_TEXTS), draw(_TEXTS), draw(st.sampled_from(Panel)))
    rows = draw(st.integers(0, 4))
    kind = draw(st.sampled_from(["vertex", "uv", "bone", "material", "group", "impulse"]))
    if kind == "vertex" and vertices:
        return VertexMorph(*head, draw(_ints(rows, 0, vertices - 1)), draw(_floats(rows, 3)))
    if kind == "uv" and vertices:
        return UVMorph(*head, draw(st.integers(0, 4)), draw(_ints(rows, 0, vertices - 1)), draw(_floats(rows, 4)))
    if kind == "bone" and bones:
        return BoneMorph(*head, draw(_ints(rows, 0, bones - 1)), draw(_floats(rows, 3)), draw(_floats(rows, 4)))
    if kind == "group":
        return GroupMorph(*head, draw(_ints(rows, 0, morphs - 1)), draw(_floats(rows)), draw(st.booleans()))
    if kind == "material":
        sizes = (4, 3, 1, 3, 4, 1, 4, 4, 4)
        values = [tuple(draw(_tuples(size))) for size in sizes]
        flat: list[Any] = [value[0] if len(value) == 1 else value for value in values]
        return MaterialMorph(
            *head, (MaterialOffset(draw(_index(materials)), draw(st.booleans()), *flat),) * min(rows, 2)
        )
    return OtherMorph(*head)


@st.composite
def _characters(draw: st.DrawFn) -> Character:
    vertices, triangles, textures, bones, materials, morphs = (
        draw(st.integers(0, top)) for top in (6, 4, 3, 4, 3, 4)
    )  # fmt: skip
    triangles = triangles if vertices else 0
    cuts = sorted(draw(st.lists(st.integers(0, triangles), min_size=materials, max_size=materials)))
    runs = [(first, after - first) for first, after in itertools.pairwise([0, *cuts])]
    left = triangles - (cuts[-1] if cuts else 0)
    return Character(
        format="PMX 2.0",
        name=draw(_TEXTS),
        name_en=draw(_TEXTS),
        comment=draw(_TEXTS),
        comment_en=draw(_TEXTS),
        positions=draw(_floats(vertices, 3)),
        normals=draw(_floats(vertices, 3)),
        uvs=draw(_floats(vertices, 2)),
        bone_indices=draw(_ints(4 * vertices, -1, bones - 1)).reshape(-1, 4),
        bone_weights=draw(_floats(vertices, 4)),
        edge_scales=draw(_floats(vertices)),
        triangles=draw(_ints(3 * triangles, 0, max(vertices - 1, 0))).reshape(-1, 3),
        textures=tuple(draw(_TEXTS) for _ in range(textures)),
        materials=tuple(draw(_materials(first, count, textures)) for first, count in runs),
        bones=tuple(draw(_bones(bones)) for _ in range(bones)),
        morphs=tuple(draw(_morphs(morphs, vertices, bones, materials)) for _ in range(morphs)),
        warnings=(f"{counted(left, 'triangle belongs', 'triangles belong')} to no material; not drawn.",)
        if left
        else (),
    )


_SIZES = st.sampled_from([1, 2, 4])
_LAYOUTS = st.builds(
    Layout,
    version=st.sampled_from([2.0, 2.1]),
    encoding=st.sampled_from(["utf-16-le", "utf-8"]),
    vertex_index=_SIZES,
    texture_index=_SIZES,
    material_index=_SIZES,
    bone_index=_SIZES,
    morph_index=_SIZES,
    additional_uvs=st.integers(0, 4),
)


def _as_read(character: Character, layout: Layout) -> Character:
    return dataclasses.replace(character, format=f"PMX {layout.version:.1f}")


@settings(max_examples=150)
@given(_characters(), _LAYOUTS)
def test_a_written_character_is_read_again_unchanged(character: Character, layout: Layout) -> None:
    assert made.differences(read_pmx(pmx_bytes(character, layout)), _as_read(character, layout)) == []


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-8"])
@pytest.mark.parametrize("version", [2.0, 2.1])
def test_every_layout_gives_the_same_character(version: float, encoding: str) -> None:
    character = made.full_character()
    sizes = itertools.product((1, 2, 4), repeat=5)
    for number, (vertex, texture, material, bone, morph) in enumerate(sizes):
        layout = Layout(version, encoding, vertex, texture, material, bone, morph, additional_uvs=number % 5)
        assert made.differences(read_pmx(pmx_bytes(character, layout)), _as_read(character, layout)) == [], layout


def test_the_differences_that_these_tests_look_for_are_seen() -> None:
    character = made.full_character()
    moved = character.positions.copy()
    moved[2, 1] += 1e-3
    others = (
        dataclasses.replace(character, positions=moved),
        dataclasses.replace(character, morphs=character.morphs[:-1]),
        dataclasses.replace(character, name="x"),
        dataclasses.replace(character, textures=()),
    )
    for other in others:
        assert made.differences(other, character)


@pytest.mark.parametrize(("size", "vertices"), [(1, 256), (2, 40_000), (4, 70_000)])
def test_vertex_indices_use_the_whole_range_of_their_size(size: int, vertices: int) -> None:
    """1 and 2 bytes are unsigned for vertices, unlike every other index."""
    last = vertices - 1
    character = dataclasses.replace(
        made.small_character(vertices=vertices),
        triangles=np.array([[0, 1, last]], np.int32),
        morphs=(VertexMorph("あ", "", Panel.MOUTH, np.array([last], np.int32), np.array([[1, 2, 3]], np.float32)),),
    )

    read = read_pmx(pmx_bytes(character, Layout(vertex_index=size)))

    assert read.triangles.tolist() == [[0, 1, last]]
    assert isinstance(read.morphs[0], VertexMorph)
    assert read.morphs[0].vertices.tolist() == [last]
    assert read.warnings == ()


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
        made.pmx_vertex(deform, tail, (deform, 2.0, 3.0), uvs, edge=deform + 0.5) for deform, tail in enumerate(tails)
    ]


@pytest.mark.parametrize("uvs", [0, 1, 4])
@pytest.mark.parametrize("bone_size", [1, 2, 4])
def test_all_five_weight_types_are_read_in_any_order(bone_size: int, uvs: int) -> None:
    """BDEF1, BDEF2, BDEF4, SDEF (as its two linear weights) and QDEF, each with its own record length."""
    records = _deform_records(bone_size, uvs)
    order = [2, 0, 3, 1, 4, 0, 3]

    read = read_pmx(
        made.pack_pmx([records[i] for i in order], bones=20, bone_size=bone_size, additional_uvs=uvs)
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
    read = read_pmx(made.pack_pmx([made.pmx_vertex(0, struct.pack("<h", 299))], bones=300, bone_size=2))

    assert read.bone_indices.tolist() == [[299, -1, -1, -1]]


def test_weights_on_bones_that_do_not_exist_are_dropped_with_a_warning() -> None:
    read = read_pmx(made.pack_pmx([made.pmx_vertex(1, struct.pack("<2hf", 1, 300, 0.5))], bones=300))

    assert read.bone_indices.tolist() == [[1, -1, -1, -1]]
    assert read.warnings == ("1 vertex weight names a bone that does not exist; ignored.",)


def test_an_unknown_weight_type_is_refused_and_names_the_vertex() -> None:
    good = made.pmx_vertex(0, struct.pack("<h", 0))

    with pytest.raises(ModelFormatError, match="Vertex 1 has the unknown weight type 5"):
        read_pmx(made.pack_pmx([good, made.pmx_vertex(5, struct.pack("<h", 0))]))


def test_positions_that_are_not_numbers_become_zero_with_a_warning() -> None:
    nan, infinite = float("nan"), float("inf")

    read = read_pmx(made.pack_pmx([made.pmx_vertex(1, struct.pack("<2hf", 0, 1, nan), (nan, infinite, 5))]))

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
    record = made.pmx_text("足ＩＫ") + made.pmx_text("") + struct.pack("<3fhiHh", 1, 2, 3, -1, 4, flags, 1)
    record += struct.pack("<hf", 1, -0.5) + struct.pack("<3f6fi", *(0.5,) * 9, 77)
    record += struct.pack("<hifi", 1, 40, 2.0, 2) + struct.pack("<hB6f", 0, 1, *(0.25,) * 6) + struct.pack("<hB", 1, 0)
    plain = made.pmx_text("首") + made.pmx_text("neck") + struct.pack("<3fhiH3f", 0, 15, 0, 0, 0, 0x1A, 0, 1, 0)

    read = read_pmx(made.pack_pmx([], bone_records=struct.pack("<i", 2) + record + plain))

    leg, neck = read.bones
    assert (leg.name, leg.position, leg.parent, leg.layer, leg.tail_bone) == ("足ＩＫ", (1, 2, 3), None, 4, 1)
    assert leg.inheritance == Inheritance(1, -0.5)
    assert (neck.name, neck.name_en, neck.position, neck.parent) == ("首", "neck", (0, 15, 0), 0)


def test_an_impulse_morph_does_not_shift_what_follows() -> None:
    impulse = made.pmx_text("風") + made.pmx_text("") + struct.pack("<BBi", 4, 10, 2) + bytes(26) * 2
    group = made.pmx_text("笑い") + made.pmx_text("") + struct.pack("<BBibf", 2, 0, 1, 0, 0.5)

    read = read_pmx(made.pack_pmx([], morphs=struct.pack("<i", 2) + impulse + group))

    assert [(morph.name, morph.kind) for morph in read.morphs] == [("風", "impulse"), ("笑い", "group")]


def test_morph_rows_for_things_that_do_not_exist_are_left_out() -> None:
    vertex = made.pmx_text("あ") + made.pmx_text("") + struct.pack("<BBi", 9, 1, 2)
    vertex += struct.pack("<H3f", 0, 1, 2, 3) + struct.pack("<H3f", 65535, 4, 5, 6)
    group = made.pmx_text("群") + made.pmx_text("") + struct.pack("<BBi", 4, 0, 3)
    group += b"".join(struct.pack("<bf", index, 1.0) for index in (-1, 0, 2))
    one = made.pmx_vertex(0, struct.pack("<h", 0))

    read = read_pmx(made.pack_pmx([one], morphs=struct.pack("<i", 2) + vertex + group))

    assert isinstance(read.morphs[0], VertexMorph)
    assert read.morphs[0].panel is Panel.OTHER  # there is no panel 9
    assert read.morphs[0].vertices.tolist() == [0]
    assert read.warnings == ("Morph 'あ' moves 1 vertex that does not exist; ignored.",)
    assert isinstance(read.morphs[1], GroupMorph)
    assert read.morphs[1].morphs.tolist() == [0]


def test_an_unknown_morph_type_is_refused_by_name() -> None:
    morph = made.pmx_text("謎") + made.pmx_text("") + struct.pack("<BBi", 4, 11, 0)

    with pytest.raises(ModelFormatError, match="Morph '謎' has the unknown type 11"):
        read_pmx(made.pack_pmx([], morphs=struct.pack("<i", 1) + morph))


def test_a_triangle_of_a_vertex_that_does_not_exist_is_refused() -> None:
    one = made.pmx_vertex(0, struct.pack("<h", 0))

    with pytest.raises(ModelFormatError, match="A triangle names vertex 1 of 1"):
        read_pmx(made.pack_pmx([one], triangles=struct.pack("<i3H", 3, 0, 0, 1)))


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
    frames = data.index(struct.pack("<i", 2) + made.pmx_text("Root"))
    assert readable == [frames, len(data) - 8, len(data) - 4]


def test_a_file_of_all_weight_types_cut_at_any_byte_is_refused() -> None:
    data = made.pack_pmx(_deform_records(2), bones=10)

    assert _readable_lengths(data, list(range(len(data)))) == []


def test_a_mascot_cut_anywhere_is_refused(mascots: dict[str, Any]) -> None:
    data = mascots["nagi"].read_bytes()
    random = np.random.default_rng(7)

    assert _readable_lengths(data, [*random.integers(0, len(data), 150).tolist(), len(data) - 1]) == []


def test_an_index_that_does_not_fit_its_layout_is_not_written() -> None:
    wide = dataclasses.replace(made.small_character(vertices=300), triangles=np.array([[0, 1, 2]], np.int32))
    morph = VertexMorph("あ", "", Panel.MOUTH, np.array([299], np.int32), np.zeros((1, 3), np.float32))

    with pytest.raises(struct.error):
        pmx_bytes(dataclasses.replace(wide, morphs=(morph,)), Layout(vertex_index=1))
