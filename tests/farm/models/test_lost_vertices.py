"""A vertex that is nowhere draws nothing: no triangle reaches for it, in whatever format."""

from dataclasses import replace

import numpy as np
import pytest

from farm.models.description import Character
from farm.models.mmd.pmd import read_pmd
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx import read_pmx
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.vrm.reader import read_vrm
from farm.models.vrm.writer import vrm_bytes
from tests.farm.models.made_files import vrm_character
from tests.support.characters import mascot


def broken(character: Character, value: float) -> tuple[Character, int]:
    """The character with one coordinate of one vertex spoiled, and that vertex."""
    vertex = int(character.triangles[len(character.triangles) // 2, 1])
    points = character.positions.copy()
    points[vertex, 1] = value
    return replace(character, positions=points, morphs=()), vertex


def areas(character: Character) -> np.ndarray:
    a, b, c = (character.positions[character.triangles[:, corner]] for corner in range(3))
    return np.linalg.norm(np.cross(b - a, c - a), axis=1)


@pytest.mark.parametrize("value", [np.nan, np.inf, -3e38, 5e6])
@pytest.mark.parametrize("suffix", ["pmx", "pmd"])
def test_no_triangle_of_mikumikudance_reaches_for_it(suffix: str, value: float) -> None:
    whole = replace(mascot("momo"), morphs=())
    made, vertex = broken(whole, value)

    read = read_pmx(pmx_bytes(made)) if suffix == "pmx" else read_pmd(pmd_bytes(made))

    assert np.isfinite(read.positions).all()
    assert not (read.triangles == vertex).any()
    about = (whole.triangles == vertex).any(axis=1)
    assert 0 < about.sum() < 20
    assert not areas(read)[about].any()
    np.testing.assert_array_equal(read.triangles[~about], whole.triangles[~about])
    assert [m.triangle_count for m in read.materials] == [m.triangle_count for m in whole.materials]


@pytest.mark.parametrize("value", [np.nan, np.inf, -3e38])
@pytest.mark.parametrize("version", ["1.0", "0.x"])
def test_no_triangle_of_a_vrm_reaches_for_it(version: str, value: float) -> None:
    made, vertex = broken(vrm_character(), value)
    left = int((made.triangles != vertex).all(axis=1).sum())
    assert left < len(made.triangles)

    with np.errstate(invalid="ignore"):
        data = vrm_bytes(made, version)
    read = read_vrm(data)

    assert np.isfinite(read.positions).all()
    assert len(read.triangles) == left
    assert sum(m.triangle_count for m in read.materials) == left


def test_a_triangle_of_which_all_is_lost_stays_and_shows_nothing() -> None:
    character = replace(mascot("momo"), morphs=())
    points = character.positions.copy()
    points[character.triangles[0]] = np.nan

    read = read_pmx(pmx_bytes(replace(character, positions=points)))

    assert areas(read)[0] == 0
    assert len(read.triangles) == len(character.triangles)
    assert [w for w in read.warnings if "not numbers" in w] != []
