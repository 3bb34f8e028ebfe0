"""PMX files of any content and layout, written and read again unchanged."""

import dataclasses
import itertools
import struct
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

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


def test_an_index_that_does_not_fit_its_layout_is_not_written() -> None:
    wide = dataclasses.replace(made.small_character(vertices=300), triangles=np.array([[0, 1, 2]], np.int32))
    morph = VertexMorph("あ", "", Panel.MOUTH, np.array([299], np.int32), np.zeros((1, 3), np.float32))

    with pytest.raises(struct.error):
        pmx_bytes(dataclasses.replace(wide, morphs=(morph,)), Layout(vertex_index=1))
