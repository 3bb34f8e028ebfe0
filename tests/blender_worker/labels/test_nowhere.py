"""What a morph takes to where coordinates are no numbers is nowhere: no landmark, no joint, no number in a label."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.dataset.validation import check_labels
from farm.drawing.blender import Blender
from farm.labels import LabelName
from farm.models.description import VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from tests.blender_worker.labels.test_labels import FRONT, SIZE, drawn_with, marks_of

pytestmark = pytest.mark.blender


@pytest.mark.parametrize("far", [3e38, -3e38, 1e30, float("inf"), float("nan")])
def test_landmarks_and_joints_that_are_nowhere_are_left_out(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path, far: float
) -> None:
    character = read_character(".pmx", mascots["nagi"].read_bytes())
    place = next(i for i, morph in enumerate(character.morphs) if isinstance(morph, VertexMorph) and morph.name == "あ")
    known = character.morphs[place]
    count = len(character.positions)
    lost = VertexMorph(
        "lost", "", known.panel, np.arange(count, dtype=np.int32), np.full((count, 3), far, np.float32)
    )
    path = tmp_path / "lost.pmx"
    path.write_bytes(pmx_bytes(replace(character, morphs=[*character.morphs, lost])))
    for file in (mascots["nagi"].parent / "tex").iterdir():
        (tmp_path / "tex").mkdir(exist_ok=True)
        (tmp_path / "tex" / file.name).write_bytes(file.read_bytes())

    still, gone = drawn_with(blender, path, tmp_path / "room", ({}, FRONT), ({"lost": 1.0}, (5.0, 5.0, 5.0)))

    assert len(marks_of(still).landmarks) >= 18
    for drawn in (still, gone):
        check_labels(drawn.labels, drawn.marks, SIZE)
        for name, mark in marks_of(drawn).landmarks.items():
            assert np.isfinite((mark.x, mark.y, *mark.point)).all(), name
    assert not gone.labels[LabelName.PARTS].any()
    assert not any(mark.visible for mark in marks_of(gone).landmarks.values())
    assert marks_of(gone).head_box is None
    assert np.isfinite(marks_of(gone).camera.rotation_pivot).all()
