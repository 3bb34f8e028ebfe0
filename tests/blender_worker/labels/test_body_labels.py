"""Labels of pictures in which the body turns: the head's rotation, its pivot, and the flow to where it stands still."""

from pathlib import Path

import numpy as np
import pytest

from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.plan import plan
from farm.drawing.request import request_for
from farm.labels import LabelName
from farm.models.package import to_bytes, unfold
from farm.poses import NEUTRAL, Partition, head_matrix
from farm.spec import RenderSpec
from tests.support.fixtures import read_mascot

pytestmark = pytest.mark.blender
SPEC = RenderSpec(
    samples=4, pose_space="face-45", styles=("flat",), labels=(LabelName.FLOW, LabelName.LANDMARKS), supersample=1
)


def test_landmarks_turn_by_the_label_s_rotation_and_flow_leads_along(
    blender: Blender, mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN samples of head and body, drawn in both partitions
    package = read_mascot(mascots, "nagi")
    annotation = package.inventory.annotation
    assignment = Assignment(package.id, annotation, 4, "0" * 64, SPEC)
    todo = plan(assignment, {})
    character, textures = unfold(to_bytes(package), tmp_path)
    request = request_for(assignment, todo, character, textures)
    drawn = {
        (shot.sample, shot.partition): answer
        for shot, answer in zip(todo.shots, blender.draw(request, lambda _: None), strict=True)
        if shot.sample != NEUTRAL.index
    }

    for sample in todo.samples:
        frontal, rotated = (drawn[sample.index, partition] for partition in Partition)
        assert frontal.marks is not None
        assert rotated.marks is not None
        rotation = head_matrix(SPEC.space, sample, Partition.ROTATED)
        pivots = [np.array(marks.camera.rotation_pivot) for marks in (frontal.marks, rotated.marks)]
        assert np.abs(pivots[1] - pivots[0]).max() > 1e-4  # metres: the neck goes with the body
        extrinsics, intrinsics = np.array(rotated.marks.camera.extrinsics), np.array(rotated.marks.camera.intrinsics)
        ways = []
        for name, mark in frontal.marks.landmarks.items():
            # WHEN a frontal landmark is turned as the label says
            world = extrinsics[:, :3].T @ (np.array(mark.point) - extrinsics[:, 3])
            local = extrinsics[:, :3] @ (rotation @ (world - pivots[0]) + pivots[1]) + extrinsics[:, 3]
            x, y = (intrinsics @ local)[:2] / local[2]

            # THEN it is where the rotated picture has it
            there = rotated.marks.landmarks[name]
            assert np.hypot(x - there.x, y - there.y) < 0.01, name
            if mark.visible and there.visible:
                flow = frontal.labels[LabelName.FLOW][int(mark.y), int(mark.x)]
                ways.append(np.hypot(*(flow - (there.x - mark.x, there.y - mark.y))))
        assert len(ways) >= 4
        assert np.median(ways) < 1.0  # within the pixel that the landmark lies in
