"""No label has a number that is none: eyes that are cut in two, and points that are nowhere."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from shutil import copytree

import numpy as np
import pytest

from blender_worker.camera import Camera
from blender_worker.labels.places import places_of
from farm.dataset.validation import check_labels
from farm.drawing.blender import Blender
from farm.models.description import Bone
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from tests.blender_worker.labels.test_labels import FRONT, SIZE, drawn_with, marks_of


@pytest.mark.blender
def test_eyes_that_are_cut_in_two_have_corners(blender: Blender, mascots: dict[str, Path], tmp_path: Path) -> None:
    """A slit goes through the whole head at the height of the eyes' corners: rays through it meet nothing at all."""
    character = read_character(".pmx", mascots["nagi"].read_bytes())
    (whole,) = drawn_with(blender, mascots["nagi"], tmp_path / "whole", ({}, FRONT))
    camera = marks_of(whole).camera
    rotation, shift = np.array(camera.extrinsics)[:, :3], np.array(camera.extrinsics)[:, 3]
    metres = np.linalg.norm(camera.rotation_pivot) / np.linalg.norm(_neck(character.bones))
    low, middle, high = (
        (rotation.T @ (np.array(marks_of(whole).landmarks[f"eye_left_{place}"].point) - shift))[2] / metres
        for place in ("bottom", "outer", "top")
    )
    reach = (high - low) / 10
    triangles = character.triangles.copy()
    heights = character.positions[triangles][:, :, 1]
    slit = (heights.min(axis=1) <= middle + reach) & (heights.max(axis=1) >= middle - reach)
    triangles[slit] = triangles[slit][:, :1]
    copytree(mascots["nagi"].parent / "tex", tmp_path / "tex")
    (tmp_path / "slit.pmx").write_bytes(pmx_bytes(replace(character, triangles=triangles)))

    (drawn,) = drawn_with(blender, tmp_path / "slit.pmx", tmp_path / "slit", ({}, FRONT))

    assert slit.any()
    check_labels(drawn.labels, drawn.marks, SIZE)
    found = marks_of(drawn).landmarks
    assert {"eye_left_outer", "eye_left_inner", "eye_right_outer", "eye_right_inner"} <= found.keys()
    for name, mark in found.items():
        assert np.isfinite((mark.x, mark.y, *mark.point)).all(), name


def _neck(bones: Sequence[Bone]) -> tuple[float, float, float]:
    return next(bone.position for bone in bones if bone.name == "首")


@pytest.mark.blender
def test_morphs_of_a_model_of_which_no_triangle_is_drawn_show_nothing(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    character = read_character(".pmx", mascots["nagi"].read_bytes())
    materials = tuple(replace(material, first_triangle=0, triangle_count=0) for material in character.materials)
    bare = replace(character, materials=materials)  # its triangles are of no material
    (tmp_path / "bare.pmx").write_bytes(pmx_bytes(bare))

    (drawn,) = drawn_with(blender, tmp_path / "bare.pmx", tmp_path / "bare", ({"あ": 1.0}, FRONT))

    assert not drawn.pictures.any()
    assert not any(array.any() for array in drawn.labels.values())


def test_what_is_nowhere_has_no_place() -> None:
    points = np.array([[0.0, 0.0, 1.0], [np.nan, 0.0, 1.0], [0.0, np.inf, 1.0]])

    here, *nowhere = places_of(points, Camera((0.0, 0.0, 1.0), 1.0, 20.0, False), 1.0, SIZE)

    assert here is not None
    assert (here.x, here.y) == (SIZE / 2, SIZE / 2)
    assert nowhere == [None] * 2
