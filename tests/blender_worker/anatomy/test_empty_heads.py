"""A head bone that holds nothing: the face hangs on the neck's, and is no neck."""

from dataclasses import replace

import numpy as np
import pytest

from blender_worker.anatomy.study import study
from blender_worker.importers.build import build
from farm.labels import Part
from farm.mascots import rig
from farm.models.description import Character
from tests.support.characters import mascot


def parts_of(character: Character) -> np.ndarray:
    """(m,) the part of every triangle."""
    return np.concatenate(study(build(character, {}, []), {}).triangles)


@pytest.mark.parametrize("name", ["nagi", "momo"])
def test_a_face_that_the_neck_bone_holds_is_a_face(name: str) -> None:
    usual = mascot(name)
    held = np.where(usual.bone_indices == rig.HEAD, rig.NECK, usual.bone_indices).astype(np.int32)

    found, expected = (parts_of(each) for each in (replace(usual, bone_indices=held), usual))

    (face,) = (material for material in usual.materials if material.name == "顔")
    run = slice(face.first_triangle, face.first_triangle + face.triangle_count)
    assert (expected[run] == Part.FACE).mean() > 0.9
    assert (found[run] == Part.FACE).mean() > 0.9
    # What the head bone does not hold in either file is what it was, but for the neck itself.
    others = ~np.isin(expected, (Part.FACE, Part.NECK))
    np.testing.assert_array_equal(found[others], expected[others])


def test_a_neck_stays_one_where_a_bone_on_an_empty_head_holds_the_face() -> None:
    usual = mascot("nagi")
    held = np.where(usual.bone_indices == rig.HEAD, rig.EYES, usual.bone_indices).astype(np.int32)

    found, expected = (parts_of(each) for each in (replace(usual, bone_indices=held), usual))

    assert (expected == Part.NECK).any()
    np.testing.assert_array_equal(found == Part.NECK, expected == Part.NECK)
