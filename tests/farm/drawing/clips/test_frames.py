"""Frames as samples, without Blender: angles, turns of bones, values of keys, the light, the preview."""

import hashlib
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm import pipe
from farm.backgrounds import choose
from farm.dataset.clip_video import ClipVideo
from farm.drawing.assignment import Assignment
from farm.drawing.plan import plan
from farm.errors import RenderError
from farm.models.posing.skeleton import Follower, Joint, Skeleton
from farm.models.posing.turns import NO_TURN, matrix_of
from farm.morphs.refs import MorphRef
from farm.morphs.vocabulary import all_targets
from farm.poses import NEUTRAL, Partition, angles_of, pose_vector, rotation_matrix
from farm.spec import RenderSpec, render_key
from tests.farm.drawing.clips.danced import about, turn

MODEL = "a" * 64
ANNOTATION = {
    "eye/closed/both": MorphRef(index=1, name="まばたき"),
    "eye/closed/left": MorphRef(index=2, name="ウィンク２"),
    "mouth/a": MorphRef(index=3, name="あ"),
}
ANGLE = st.floats(-180, 180)


def spec_of(frames: int = 3, **changes: object) -> RenderSpec:
    return RenderSpec.model_validate({"motion": {"id": "b" * 64, "frames": frames}, "labels": ["flow"], **changes})


def assignment_of(spec: RenderSpec) -> Assignment:
    samples = spec.samples_by_rule(ANNOTATION)
    return Assignment(MODEL, ANNOTATION, samples, render_key(MODEL, ANNOTATION, spec), spec)


def frame(rotation: tuple[float, float, float] = (0, 0, 0), **weights: float) -> pipe.ClipFrame:
    return pipe.ClipFrame(weights={int(name[1:]): value for name, value in weights.items()}, rotation=rotation)


@given(ANGLE, st.floats(-90, 90), ANGLE)
def test_angles_are_those_of_which_the_matrix_is_made(x: float, y: float, z: float) -> None:
    matrix = rotation_matrix((x, y, z))
    again = angles_of(matrix)

    np.testing.assert_allclose(rotation_matrix(again), matrix, atol=1e-6 if abs(abs(y) - 90) > 1e-3 else 1e-4)
    assert -90 <= again[1] <= 90


@pytest.mark.parametrize("y", [90, -90])
def test_looking_straight_up_has_angles_too(y: float) -> None:
    for x, z in ((0, 0), (30, 0), (0, 30), (-70, 45)):
        matrix = rotation_matrix((x, y, z))
        assert angles_of(matrix)[2] == 0
        np.testing.assert_allclose(rotation_matrix(angles_of(matrix)), matrix, atol=1e-6)


def test_a_bone_is_turned_by_all_that_carries_it_and_by_what_it_follows() -> None:
    joints = [Joint(0, -1, (0, 0, 0)), Joint(1, 0, (0, 0, 1)), Joint(2, 1, (0, 0.1, 2)), Joint(3, 0, (1, 0, 0))]
    skeleton = Skeleton(joints, [Follower(2, 3, -0.5, turns=True, moves=False)], neck=1)
    own = {
        0: ((1.0, 2.0, 3.0), turn((0, 0, 1), 30)),
        1: ((0.0, 0.0, 0.0), turn((1, 0, 0), -20)),
        2: ((0.0, 0.0, 0.0), turn((0, 1, 0), 10)),
        3: ((0.0, 0.0, 0.0), turn((1, 0, 0), 40)),
    }
    expected = about((0, 0, 1), 30) @ about((1, 0, 0), -20) @ about((0, 1, 0), 10) @ about((1, 0, 0), -20)

    np.testing.assert_allclose(matrix_of(skeleton.turn_of(2, own)), expected, atol=1e-9)
    np.testing.assert_allclose(skeleton.pose(own, NO_TURN).turns[2], expected, atol=1e-6)
    assert skeleton.turn_of(2, {}) == NO_TURN


def test_what_plays_both_sides_and_one_of_them_adds_up_and_is_at_most_1() -> None:
    told = [frame(m1=0.25, m2=0.5, m3=0.1), frame(m1=0.75, m2=0.5), frame(m2=0.5, m9=1.0)]
    found = plan(assignment_of(spec_of()), {}, (), told)

    targets = all_targets()
    poses = [pose_vector(sample, targets, Partition.ROTATED) for sample in found.samples]
    assert [pose[:2] for pose in poses] == [(0.75, 0.25), (1.0, 0.75), (0.5, 0.0)]
    assert [pose[12] for pose in poses] == [0.1, 0.0, 0.0]


def test_shots_are_the_frames_in_order_and_flow_goes_to_the_next() -> None:
    told = [frame((1, 2, 3), m1=0.25), frame((4, 5, 6), m2=0.5), frame()]
    basis, *shots = plan(assignment_of(spec_of()), {}, (), told).shots

    assert (basis.sample, basis.frame, basis.weights) == (NEUTRAL.index, None, {})
    assert [(shot.sample, shot.frame, shot.flows_to) for shot in shots] == [(0, 0, 1), (1, 1, 2), (2, 2, 2)]
    assert [shot.weights for shot in shots] == [{1: 0.25}, {2: 0.5}, {}]
    assert [shot.other_weights for shot in shots] == [{2: 0.5}, {}, {}]
    assert {shot.rotation for shot in shots} == {(0.0, 0.0, 0.0)}, "bones turn the head, and nothing twice"


def test_without_the_label_there_is_no_other_pose() -> None:
    shots = plan(assignment_of(spec_of(labels=[])), {}, (), [frame()] * 3).shots
    assert {(shot.flows_to, shot.other_weights is None) for shot in shots} == {(None, True)}


def test_all_frames_have_one_light_one_set_of_views_and_one_ground() -> None:
    camera = {"views": 2, "yaw": (-40, 40)}
    spec = spec_of(5, camera=camera, backgrounds=["c" * 64, "d" * 64, "e" * 64])
    found = plan(assignment_of(spec), {}, (), [frame()] * 5)

    assert len({sample.light for sample in found.samples}) == 1
    views = [[shot.view for shot in found.shots if shot.sample == sample] for sample in range(5)]
    assert views == [views[0]] * 5
    assert views[0][0].yaw != views[0][1].yaw
    assert len({choose(spec, MODEL, sample, lambda _: (80, 60)) for sample in range(5)}) == 1


def test_another_number_of_frames_than_was_asked_for_is_refused() -> None:
    with pytest.raises(RenderError, match="2 frames of a clip of 3"):
        plan(assignment_of(spec_of()), {}, (), [frame()] * 2)


@pytest.mark.parametrize("told", [{"weights": {1: 1.5}}, {"weights": {1: float("nan")}}, {"rotation": (0, 999, 0)}])
def test_numbers_that_no_frame_has_are_refused(told: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="less than or equal"):
        pipe.ClipFrame.model_validate({"weights": {}, "rotation": (0, 0, 0), **told})


def test_a_face_space_has_the_motion_s_morphs_and_masks_what_only_bones_play() -> None:
    spec = spec_of(2, pose_space="face-45")
    found = plan(assignment_of(spec), {}, (), [frame((0, 0, 15), m1=0.5, m3=0.25), frame()])

    assert found.movements == {}
    assert all(not played.moves and played.half is None for played in found.cast.values())
    weights = found.samples[0].weights
    assert weights == pytest.approx({key: 0.25 if "mouth" in key else 0.5 for key in weights})
    assert len(weights) >= 2
    assert found.samples[1].weights == {}


def test_specifications_without_a_motion_are_what_they_were() -> None:
    assert "motion" not in RenderSpec().model_dump()
    assert spec_of().partitions == ("rotated",)
    assert render_key(MODEL, ANNOTATION, spec_of(3)) != render_key(MODEL, ANNOTATION, spec_of(4))


def test_equal_frames_make_equal_previews_and_they_show_the_frames(tmp_path: Path) -> None:
    dice = np.random.default_rng(3)
    frames = np.kron(dice.integers(0, 256, (9, 5, 5, 4), np.uint8), np.ones((1, 9, 9, 1), np.uint8))
    digests = set()
    for name in ("one.mp4", "two.mp4"):
        video = ClipVideo(tmp_path / name, 45, 29.97)
        for picture in frames:
            video.add(picture)
        video.close()
        digests.add(hashlib.sha256((tmp_path / name).read_bytes()).hexdigest())
    with av.open(str(tmp_path / "one.mp4")) as file:
        shown = [each.to_ndarray(format="rgb24") for each in file.decode(video=0)]
        rate = file.streams.video[0].average_rate

    assert len(digests) == 1
    assert (len(shown), shown[0].shape) == (9, (46, 46, 3))
    assert float(rate or 0) == pytest.approx(29.97)
    for picture, seen in zip(frames.astype(float), shown, strict=True):
        alpha = picture[..., 3:] / 255
        expected = picture[..., :3] * alpha + 255 * (1 - alpha)
        middles = np.abs(expected - seen[:45, :45])[4::9, 4::9]
        assert np.median(middles) < 8
