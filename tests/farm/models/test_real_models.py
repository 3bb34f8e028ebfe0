"""Characters made by other people, against an independent importer and against their own other file."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from farm.models.description import BoneMorph, Character, GroupMorph, MaterialMorph, VertexMorph
from farm.models.mmd.pmd import read_pmd
from farm.models.mmd.pmx import read_pmx
from farm.models.package import read_model
from farm.models.skeleton import find_neck_and_head
from tests.farm.models import made_files as made

type Floats = np.ndarray[tuple[int, ...], np.dtype[np.float32]]


@pytest.fixture(scope="module")
def gene_light(real_models: Path) -> Character:
    return read_pmx((real_models / "gene/Gene_light.pmx").read_bytes())


@pytest.fixture(scope="module")
def expected(reference: Path) -> dict[str, Any]:
    with np.load(reference / "gene_light.npz") as arrays:
        return dict(arrays)


def _to_blender(values: Any) -> Floats:
    """The axes of the reference: (x, y, z) there is (x, z, y) in the file."""
    return np.asarray(values, np.float32)[..., [0, 2, 1]]


def _full_offsets(character: Character, name: str) -> Floats:
    """What the morph `name` at weight 1 adds to all positions, (n, 3)."""
    (morph,) = [morph for morph in character.morphs if morph.name == name]
    assert isinstance(morph, VertexMorph)
    total = np.zeros_like(character.positions)
    np.add.at(total, morph.vertices, morph.offsets)
    return total


def test_gene_light_s_positions_are_those_of_the_reference(gene_light: Character, expected: dict[str, Any]) -> None:
    assert np.abs(_to_blender(gene_light.positions) - expected["base"]).max() < 1e-4


def test_gene_light_s_morphs_are_those_of_the_reference(gene_light: Character, expected: dict[str, Any]) -> None:
    assert len(expected["morph_names"]) == 19
    for number, name in enumerate(expected["morph_names"].tolist()):
        wanted = np.zeros_like(expected["base"])
        np.add.at(wanted, expected[f"morph_{number}_index"], expected[f"morph_{number}_offset"])
        assert np.abs(wanted).max() > 0.005, name
        assert np.abs(_to_blender(_full_offsets(gene_light, name)) - wanted).max() < 1e-4, name


def test_gene_light_s_neck_and_head_are_those_of_the_reference(gene_light: Character, expected: dict[str, Any]) -> None:
    joints = find_neck_and_head([bone.name for bone in gene_light.bones])
    places = {bone.name: _to_blender(bone.position) for bone in gene_light.bones}

    assert (joints.neck, joints.head) == ("首", "頭")
    assert np.abs(places[joints.neck] - expected["neck_head"]).max() < 1e-4
    assert np.abs(places[joints.head] - expected["head_head"]).max() < 1e-4


def test_gene_s_pmx_and_pmd_agree(real_models: Path) -> None:
    new = read_pmx((real_models / "gene/Gene.pmx").read_bytes())
    old = read_pmd((real_models / "gene/Gene.pmd").read_bytes())

    assert np.abs(new.positions - old.positions).max() < 1e-4
    assert (new.triangles == old.triangles).all()
    shared = _shared_vertex_morphs(new, old)
    assert len(shared) > 150
    for name in shared:
        assert np.abs(_full_offsets(new, name) - _full_offsets(old, name)).max() < 1e-4, name


def test_uka_s_pmx_and_pmd_agree(real_models: Path) -> None:
    """The two files order their vertices differently, so they are compared at the corners of their triangles.

    Uka's PMX lacks offsets below 0.001 units, and its last material, two triangles with a comic sign, was moved.
    """
    new = read_pmx((real_models / "uka/MS_Uka.pmx").read_bytes())
    old = read_pmd((real_models / "uka/MS_Uka.pmd").read_bytes())
    assert [m.triangle_count for m in new.materials] == [m.triangle_count for m in old.materials]
    corners_new, corners_old = new.triangles[:-2], old.triangles[:-2]

    assert np.abs(new.positions[corners_new] - old.positions[corners_old]).max() < 1e-4
    shared = _shared_vertex_morphs(new, old)
    assert len(shared) > 100
    for name in shared:
        of_new, of_old = _full_offsets(new, name)[corners_new], _full_offsets(old, name)[corners_old]
        kept = (of_new != 0).any(axis=-1)
        assert np.abs(of_new - of_old)[kept].max(initial=0) < 1e-4, name
        assert np.abs(of_old[~kept]).max(initial=0) < 1e-3, name


@pytest.mark.parametrize("stem", ["gene/Gene", "uka/MS_Uka"])
def test_pmx_and_pmd_of_one_character_are_sound_and_have_the_same_neck(real_models: Path, stem: str) -> None:
    new = read_pmx((real_models / f"{stem}.pmx").read_bytes())
    old = read_pmd((real_models / f"{stem}.pmd").read_bytes())

    made.assert_sound(new)
    made.assert_sound(old)
    for name in ("首", "頭"):
        places = [next(b.position for b in character.bones if b.name == name) for character in (new, old)]
        assert np.allclose(places[0], places[1], atol=1e-4)


def _shared_vertex_morphs(new: Character, old: Character) -> list[str]:
    """Names of vertex morphs that each of the two has once."""

    def once(character: Character) -> set[str]:
        names = [morph.name for morph in character.morphs]
        return {m.name for m in character.morphs if isinstance(m, VertexMorph) and names.count(m.name) == 1}

    return sorted(once(new) & once(old))


@pytest.mark.parametrize(
    ("path", "vertices", "morphs", "targets", "absent"),
    [
        ("gene/Gene_light.pmx", 28646, 184, 23, 0),
        ("gene/Gene.pmx", 28646, 184, 23, 0),
        ("gene/Gene.pmd", 28646, 177, 23, 0),
        ("uka/MS_Uka.pmx", 49955, 213, 21, 7),
        ("uka/MS_Uka.pmd", 49955, 120, 19, 7),
        ("yw_test_model/yw_test_model.pmx", 2141, 0, 0, 0),
    ],
)
def test_what_the_real_models_hold(
    real_models: Path, path: str, vertices: int, morphs: int, targets: int, absent: int
) -> None:
    held = read_model(real_models / path).inventory

    assert (held.vertices, len(held.morphs), held.target_morphs) == (vertices, morphs, targets)
    assert (held.neck, held.head, held.samples) == ("首", "頭", 100 if targets > 5 else 20)
    assert len(held.textures_absent) == absent


def test_uka_has_group_bone_and_material_morphs(real_models: Path) -> None:
    character = read_pmx((real_models / "uka/MS_Uka.pmx").read_bytes())

    for kind in (GroupMorph, BoneMorph, MaterialMorph):
        assert any(isinstance(morph, kind) for morph in character.morphs), kind


def test_gene_s_annotation_takes_the_plain_wink_and_the_brows_that_have_halves(real_models: Path) -> None:
    held = read_model(real_models / "gene/Gene_light.pmx").inventory
    annotation = {target: held.morphs[morph.index].name for target, morph in held.annotation.items()}

    assert annotation == {target: morph.name for target, morph in held.annotation.items()}
    # Three names each for the same movement: the plain wink, and never ウィンク, which smiles.
    assert annotation["eye/closed/both"] in ("まばたき", "eyeBlink")
    assert annotation["eye/closed/left"] in ("ウィンク２", "まば左", "eyeBlinkLeft")
    assert annotation["eye/closed/right"] in ("ｳｨﾝｸ２右", "まば右", "eyeBlinkRight")
    # 上 raises both brows too, but has no halves.
    assert [annotation[f"eyebrow/raised/{side}"] for side in ("both", "left", "right")] == [
        "browOuterUp",
        "browOuterUpLeft",
        "browOuterUpRight",
    ]
    assert annotation["eyebrow/angry/left"] == "怒り左"
    assert [annotation[f"mouth/{vowel}"] for vowel in "aiueo"] == ["あ", "い", "う", "え", "お"]


def test_gene_s_left_wink_moves_the_left_half_of_the_face(real_models: Path) -> None:
    """+X is the character's left, so a swap of left and right would show here."""
    package = read_model(real_models / "gene/Gene_light.pmx")
    character = read_pmx(package.data)
    for side, sign in (("left", 1), ("right", -1)):
        for semantic in ("eye/closed", "eye/wide", "eye/half_closed", "eyebrow/angry"):
            offsets = _full_offsets(character, package.inventory.annotation[f"{semantic}/{side}"].name)
            size = np.linalg.norm(offsets, axis=1)
            centre = (character.positions[:, 0] * size).sum() / size.sum()
            assert centre * sign > 0.2, f"{semantic}/{side}"
