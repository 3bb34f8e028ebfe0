"""The mascots: made anew with the same bytes, sound as models, and holding the target morphs that they promise."""

import time
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from farm.mascots import momo, nagi, write_mascots
from farm.mascots.cast import MASCOTS
from farm.mascots.eye import Eye, EyeShape
from farm.mascots.kit import SKULL, Mascot
from farm.models.description import Character, GroupMorph, VertexMorph
from farm.morphs.panels import Panel

EYES = ["まばたき", "ウィンク２", "ｳｨﾝｸ２右", "びっくり", "びっくり左", "びっくり右", "じと目", "じと目左", "じと目右"]
BROWS = ["上", "上左", "上右", "下", "下左", "下右", "怒り", "怒り左", "怒り右"]
NAGI_TARGETS = [*EYES, *BROWS, "あ", "い", "う", "え", "お"]
MOMO_TARGETS = ["まばたき", "あ", "い", "お"]


@cache
def _mascot(name: str) -> Mascot:
    return MASCOTS[name]()


def _offsets(character: Character, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """What a morph at weight 1 adds to the positions, (n, 3)."""
    total = np.zeros(character.positions.shape)
    for morph in character.morphs:
        if morph.name != name:
            continue
        if isinstance(morph, GroupMorph):
            for index, weight in zip(morph.morphs, morph.weights, strict=True):
                total += weight * _offsets(character, character.morphs[index].name)
        elif isinstance(morph, VertexMorph):
            np.add.at(total, morph.vertices, morph.offsets)
    return total


def test_writing_twice_gives_the_same_bytes_in_little_time(tmp_path: Path) -> None:
    started = time.process_time()
    models = write_mascots(tmp_path / "one")
    took = time.process_time() - started
    write_mascots(tmp_path / "two")

    assert [model.relative_to(tmp_path / "one").as_posix() for model in models] == ["nagi/nagi.pmx", "momo/momo.pmx"]
    first = {path.relative_to(tmp_path / "one"): path.read_bytes() for path in (tmp_path / "one").rglob("*.*")}
    second = {path.relative_to(tmp_path / "two"): path.read_bytes() for path in (tmp_path / "two").rglob("*.*")}
    assert first == second
    assert len(first) == 2 * 5
    assert took < 15  # seconds of CPU, three times what it took on the slowest machine


def test_nagi_has_all_target_morphs_and_momo_exactly_four() -> None:
    of_nagi, of_momo = ([morph.name for morph in _mascot(name).character.morphs] for name in ("nagi", "momo"))

    assert len(NAGI_TARGETS) == 23
    assert set(NAGI_TARGETS) <= set(of_nagi)
    assert [name for name in of_momo if name in NAGI_TARGETS] == MOMO_TARGETS
    assert len(set(of_nagi)) == len(of_nagi)
    groups = [morph for morph in _mascot("nagi").character.morphs if isinstance(morph, GroupMorph)]
    assert {"まばたき", "怒り"} <= {morph.name for morph in groups}


@pytest.mark.parametrize("name", ["nagi", "momo"])
def test_arrays_are_sound(name: str) -> None:
    character = _mascot(name).character
    count = len(character.positions)

    assert np.isfinite(character.positions).all()
    assert np.allclose(np.linalg.norm(character.normals, axis=1), 1.0, atol=1e-4)
    assert np.allclose(character.bone_weights.sum(axis=1), 1.0, atol=1e-5)
    assert character.bone_indices.min() >= -1
    assert character.bone_indices.max() < len(character.bones)
    assert ((character.bone_indices >= 0) | (character.bone_weights == 0.0)).all()
    assert character.uvs.min() >= 0.0
    assert character.uvs.max() <= 1.0
    assert character.triangles.min() >= 0
    assert character.triangles.max() < count
    assert sum(material.triangle_count for material in character.materials) == len(character.triangles)
    for morph in character.morphs:
        if isinstance(morph, VertexMorph):
            assert morph.vertices.max() < count
            assert len(np.unique(morph.vertices)) == len(morph.vertices)
            assert np.abs(morph.offsets).max() > 0.02


@pytest.mark.parametrize("shape", [nagi.EYE_SHAPE, momo.EYE_SHAPE], ids=["nagi", "momo"])
def test_closed_lids_meet_over_the_whole_eye(shape: EyeShape) -> None:
    lids = Eye(SKULL, shape).skin()
    upper, lower = slice(0, shape.count), slice(-shape.count, None)

    def gap(positions: np.ndarray[tuple[int, ...], np.dtype[np.float64]]) -> float:
        return float(np.linalg.norm(positions[upper, :2] - positions[lower, :2], axis=1).max())

    assert gap(lids.positions) > 0.6
    for closing in ("closed", "happy"):
        assert gap(lids.shapes[closing]) < 0.03


def test_eyebrow_names_without_a_word_for_brows_stand_in_the_eyebrow_panel() -> None:
    panels = {morph.name: morph.panel for morph in _mascot("nagi").character.morphs}

    assert {panels[name] for name in ("上", "上左", "上右", "下", "下左", "下右")} == {Panel.EYEBROW}
