"""PMD: Shift-JIS in fields of fixed length, skins counted by the base skin, and an end that may be missing."""

import struct

import numpy as np
import pytest

from farm.errors import ModelFormatError, ModelTruncatedError
from farm.models.description import VertexMorph
from farm.models.materials import MaterialFlag, SphereMode
from farm.models.mmd.pmd import read_pmd
from farm.morphs.panels import Panel
from tests.farm.models import made_files as made
from tests.farm.models import packed


def _skins(data: bytes) -> dict[str, VertexMorph]:
    return {morph.name: morph for morph in read_pmd(data).morphs if isinstance(morph, VertexMorph)}


def test_texts_are_shift_jis_and_end_at_the_first_zero() -> None:
    read = read_pmd(packed.pack_pmd())

    assert (read.format, read.name, read.name_en) == ("PMD 1.0", "初音モデル", "Miku")
    assert (read.comment, read.comment_en) == ("一行目\n作者: 誰か", "first line")
    assert [bone.name for bone in read.bones] == ["センター", "首", "頭"]
    assert [bone.name_en for bone in read.bones] == ["center", "neck", "head"]


def test_a_name_cut_inside_a_character_loses_only_that_half() -> None:
    """The field has 20 bytes: one letter, nine of two bytes, and the first byte of another."""
    read = _skins(packed.pack_pmd(skins=[("base", 0, []), ("aとても長い名前のモーフ", 3, [])]))

    assert list(read) == ["aとても長い名前のモ"]


def test_vertices_weights_and_edges_are_read() -> None:
    read = read_pmd(packed.pack_pmd())

    assert read.positions.tolist() == [[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0]]
    assert read.normals.tolist() == [[0, 0, -1]] * 4
    assert read.uvs.tolist() == [[0, 1], [1, 1], [0, 0], [1, 0]]
    assert read.bone_indices.tolist() == [[1, 2, -1, -1]] * 4
    assert np.allclose(read.bone_weights[:, :2], [[1.0, 0.0], [0.75, 0.25], [0.5, 0.5], [0.0, 1.0]])
    assert read.edge_scales.tolist() == [1, 1, 1, 0]
    assert read.triangles.tolist() == [[0, 1, 2], [2, 1, 3]]


def test_bones_have_their_parents_and_tails() -> None:
    center, neck, head = read_pmd(packed.pack_pmd()).bones

    assert (center.parent, center.tail_bone) == (None, 1)
    assert (neck.parent, neck.tail_bone, neck.position) == (0, 2, (0.0, 12.0, 0.5))
    assert (head.parent, head.tail_bone) == (1, None)


def test_skins_count_vertices_by_the_base_skin() -> None:
    read = _skins(packed.pack_pmd())

    blink = read["まばたき"]
    assert (blink.panel, blink.name_en) == (Panel.EYE, "skin 1")
    assert blink.vertices.tolist() == [1, 3]  # not 0 and 1: those are places in the base skin
    assert blink.offsets.tolist() == [[0, -0.5, 0], [0, -0.25, 0]]
    assert read["とても長い名前のモー"].vertices.tolist() == [3]
    assert "base" not in read


def test_a_skin_row_outside_the_base_skin_is_left_out_with_a_warning() -> None:
    read = read_pmd(packed.pack_pmd(skins=[("base", 0, [(2, (0, 0, 0))]), ("あ", 3, [(0, (1, 0, 0)), (1, (1, 0, 0))])]))

    assert isinstance(read.morphs[0], VertexMorph)
    assert read.morphs[0].vertices.tolist() == [2]
    assert read.warnings == ("Morph 'あ' moves 1 vertex that does not exist; ignored.",)


def test_panels_follow_the_skin_s_kind() -> None:
    kinds: list[packed.Skin] = [("base", 0, []), *((str(kind), kind, []) for kind in (1, 2, 3, 4, 9))]

    panels = [morph.panel for morph in read_pmd(packed.pack_pmd(skins=kinds)).morphs]

    assert panels == [Panel.EYEBROW, Panel.EYE, Panel.MOUTH, Panel.OTHER, Panel.OTHER]


@pytest.mark.parametrize(
    ("field", "base", "sphere"),
    [
        ("face.png*skin_s", "face.png", ""),
        ("face.png*skin.sp", "face.png", ""),
        ("face.png*skin.", "face.png", ""),
        ("face.png*", "face.png", ""),
        ("*face.sph", "", "face.sph"),
        ("*skin_s", "", ""),
        ("face.SPA", "", "face.SPA"),
        ("a_long_sphere_map.sp", "", ""),
        ("face.png*skin.sph", "face.png", "skin.sph"),
        ("skin.spa*face.png", "face.png", "skin.spa"),
        ("かおかお.png*つやつやつや.spa", "かおかお.png", ""),
        ("かお.png*aつやつやつやつや.spa", "かお.png", ""),
    ],
)
def test_what_stands_before_the_star_is_the_base_texture_wherever_the_field_is_cut(
    field: str, base: str, sphere: str
) -> None:
    read = read_pmd(packed.pack_pmd(textures=(field, "")))
    (material, *_) = read.mmd_materials

    def named(index: int | None) -> str:
        return "" if index is None else read.textures[index]

    assert (named(material.texture), named(material.sphere)) == (base, sphere)
    assert (material.sphere_mode is SphereMode.OFF) == (not sphere)


def test_texture_and_sphere_stand_in_one_name() -> None:
    read = read_pmd(packed.pack_pmd())

    first, second = read.mmd_materials
    assert read.textures == ("かお.bmp", "つや.sph", "own_toon.bmp", "ひかり.spa")
    assert (first.texture, first.sphere, first.sphere_mode) == (0, 1, SphereMode.MULTIPLY)
    assert (second.texture, second.sphere, second.sphere_mode) == (None, 3, SphereMode.ADD)
    assert (first.first_triangle, first.triangle_count, second.first_triangle, second.triangle_count) == (0, 1, 1, 1)


def test_a_texture_that_two_materials_share_is_listed_once() -> None:
    read = read_pmd(packed.pack_pmd(textures=("a.bmp", "a.bmp*b.spa")))

    assert read.textures == ("a.bmp", "own_toon.bmp", "b.spa")
    assert [material.texture for material in read.materials] == [0, 0]


def test_a_toon_of_the_list_s_own_is_a_texture_and_a_standard_one_is_shared() -> None:
    own = read_pmd(packed.pack_pmd()).mmd_materials
    standard = read_pmd(packed.pack_pmd(toons=[f"toon{number:02d}.bmp" for number in range(1, 11)])).mmd_materials

    assert (own[0].toon, own[0].shared_toon) == (2, None)
    assert (standard[0].toon, standard[0].shared_toon) == (None, 0)
    assert (own[1].toon, own[1].shared_toon) == (None, None)  # 0xFF: no ramp at all


def test_only_opaque_materials_hide_their_back() -> None:
    opaque, glass = read_pmd(packed.pack_pmd()).mmd_materials

    assert not opaque.flags & MaterialFlag.DOUBLE_SIDED
    assert glass.flags & MaterialFlag.DOUBLE_SIDED
    assert opaque.flags & MaterialFlag.EDGE


def test_a_file_without_english_names_keeps_its_toons() -> None:
    read = read_pmd(packed.pack_pmd(english=False))

    assert (read.name_en, read.bones[1].name_en, read.morphs[0].name_en) == ("", "", "")
    assert "own_toon.bmp" in read.textures


def test_an_old_file_that_stops_after_its_skins_is_whole() -> None:
    data = packed.pack_pmd()
    end = data.index(packed.pmd_text("体", 50)) - 4

    read = read_pmd(data[:end])

    assert [morph.name for morph in read.morphs] == ["まばたき", "とても長い名前のモー"]
    assert read.mmd_materials[0].shared_toon == 0  # without a list, the number is MikuMikuDance's own ramp


def test_a_file_cut_at_any_byte_before_the_end_of_the_skins_is_refused() -> None:
    data = packed.pack_pmd()
    end = data.index(packed.pmd_text("体", 50)) - 4

    for length in range(end):
        with pytest.raises(ModelFormatError) as refusal:
            read_pmd(data[:length])
        assert isinstance(refusal.value, ModelTruncatedError) or "are left for them" in str(refusal.value)
    for length in range(end, len(data)):
        made.assert_sound(read_pmd(data[:length]))


def test_a_triangle_of_a_vertex_that_does_not_exist_is_refused() -> None:
    data = packed.pack_pmd()
    corners = struct.pack("<I6H", 6, 0, 1, 2, 2, 1, 3)

    with pytest.raises(ModelFormatError, match="A triangle names vertex 4 of 4"):
        read_pmd(data.replace(corners, struct.pack("<I6H", 6, 0, 1, 2, 2, 1, 4)))


def test_a_base_skin_of_a_vertex_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ModelFormatError, match="base morph names vertex 4 of 4"):
        read_pmd(packed.pack_pmd(skins=[("base", 0, [(4, (0, 0, 0))])]))


def test_numbers_that_are_none_become_zero() -> None:
    data = packed.pack_pmd()
    nan = struct.pack("<f", float("nan"))
    infinite = struct.pack("<f", float("inf"))
    shininess = struct.pack("<5f", 0.5, 0.25, 0.75, 1.0, 5)
    data = data.replace(shininess, shininess[:16] + infinite).replace(struct.pack("<f", -0.25), nan)

    read = read_pmd(data)

    made.assert_sound(read)
    assert read.mmd_materials[0].shininess == 0
    assert isinstance(read.morphs[0], VertexMorph)
    assert read.morphs[0].offsets.tolist() == [[0, -0.5, 0], [0, 0, 0]]


@pytest.mark.parametrize("data", ["メモ帳\n".encode("cp932"), b"PMX " + bytes(600), b"", b"Pm"])
def test_what_is_no_pmd_is_refused(data: bytes) -> None:
    with pytest.raises(ModelFormatError):
        read_pmd(data)
