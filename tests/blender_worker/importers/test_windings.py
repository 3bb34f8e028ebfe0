"""Triangles that are wound the other way round: MikuMikuDance lights by normals, whatever side is seen."""

from dataclasses import replace

import numpy as np
import pytest

from blender_worker.character.actor import Actor
from blender_worker.importers.build import build
from farm.models.description import Character
from farm.models.materials import MaterialFlag
from tests.support.characters import mascot


def of(name: str, *, both_sides: bool, turned: bool) -> Character:
    character = mascot(name)
    sides = MaterialFlag.DOUBLE_SIDED if both_sides else MaterialFlag(0)
    materials = tuple(
        replace(material, flags=material.flags & ~MaterialFlag.DOUBLE_SIDED | sides)
        for material in character.mmd_materials
    )
    triangles = character.triangles[:, ::-1] if turned else character.triangles
    return replace(character, materials=materials, triangles=np.ascontiguousarray(triangles))


def runs_of(character: Character) -> dict[str, np.ndarray]:
    """(m, 3) triangles by the name of their material."""
    actor: Actor = build(character, {}, [])
    return {character.materials[run.surface].name: run.triangles for run in actor.runs}


@pytest.mark.parametrize("name", ["nagi", "momo"])
def test_what_is_seen_from_both_sides_faces_as_its_normals_do(name: str) -> None:
    found, expected = (runs_of(of(name, both_sides=True, turned=turned)) for turned in (True, False))

    folded = {"口内", "舌", "歯", "唇"}  # up in a mouth that is shut, and facing any way
    assert found.keys() == expected.keys() > folded
    for material in found.keys() - folded:
        np.testing.assert_array_equal(found[material], expected[material])


def test_what_is_seen_from_one_side_faces_as_its_triangles_do() -> None:
    found, expected = (runs_of(of("nagi", both_sides=False, turned=turned)) for turned in (True, False))

    for material, triangles in expected.items():
        np.testing.assert_array_equal(found[material][:, ::-1], triangles)
