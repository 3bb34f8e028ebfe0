"""Every check of the validators catches the damage that it is there for."""

from collections.abc import Callable

import numpy as np
import pytest

from farm.dataset.validation import check_labels, check_neutral, check_pictures
from farm.errors import InvalidSampleError, UnusableModelError
from farm.joints import COCO_JOINTS, HUMANOID_JOINTS
from farm.labels import LabelName, Layer, Part
from farm.marks import JointLabel, Joints, LandmarkLabel, Marks
from tests.farm.drawing.test_label_files import CAMERA

SIZE = 32


def good_picture() -> np.ndarray:
    picture = np.zeros((1, SIZE, SIZE, 4), np.uint8)
    picture[0, 8:24, 8:24] = (200, 150, 120, 255)
    picture[0, 12:14, 12:20] = (20, 20, 30, 255)
    return picture


def good_joints() -> Joints:
    absent = JointLabel(x=0, y=0, point=None, visibility=0)
    coco, humanoid = dict.fromkeys(COCO_JOINTS, absent), dict.fromkeys(HUMANOID_JOINTS, absent)
    coco["nose"] = JointLabel(x=18.0, y=13.0, point=(0.15, 0.075, 1.5), visibility=2)
    humanoid["hips"] = JointLabel(x=8.0, y=108.0, point=(0.0, 1.5, 1.5), visibility=1)
    return Joints(box=(8.0, 8.0, 24.0, 24.0), coco=coco, humanoid=humanoid)


def good_labels() -> tuple[dict[LabelName, np.ndarray], Marks]:
    parts = np.zeros((SIZE, SIZE), np.uint8)
    parts[8:24, 8:24] = Part.FACE
    there = parts > 0
    normals = np.zeros((SIZE, SIZE, 3), np.float32)
    normals[there] = (0.0, 0.6, -0.8)
    arrays: dict[LabelName, np.ndarray] = {
        LabelName.PARTS: parts,
        LabelName.LAYERS: np.where(there, Layer.SKIN, 0).astype(np.uint8),
        LabelName.DEPTH: np.where(there, 1.5, 0.0).astype(np.float32),
        LabelName.NORMALS: normals,
        LabelName.UV: np.zeros((SIZE, SIZE, 2), np.float32),
        LabelName.FLOW: np.zeros((SIZE, SIZE, 2), np.float32),
    }
    nose = LandmarkLabel(x=16.5, y=16.5, point=(0.0, 0.0, 1.5), visible=True)
    hidden = LandmarkLabel(x=-40.0, y=2.0, point=(-1.0, 0.0, 1.5), visible=False)
    marks = Marks(
        landmarks={"nose": nose, "chin": hidden},
        head_box=(8.0, 8.0, 24.0, 24.0),
        face_box=(8.0, 8.0, 24.0, 24.0),
        camera=CAMERA,
        joints=good_joints(),
    )
    return arrays, marks


def test_what_is_right_passes() -> None:
    check_pictures(good_picture(), ["flat"])
    check_labels(*good_labels(), SIZE)


def emptied(picture: np.ndarray) -> None:
    picture[:] = 0


def one_colour(picture: np.ndarray) -> None:
    picture[:] = (10, 20, 30, 255)


def silhouette(picture: np.ndarray) -> None:
    picture[picture[..., 3] > 0] = (255, 255, 255, 255)
    picture[0, 8, 8:24] = (254, 255, 255, 40)  # an edge, as the filter leaves it


def coloured_air(picture: np.ndarray) -> None:
    picture[0, 0, 0] = (1, 0, 0, 0)


def pink(picture: np.ndarray) -> None:
    picture[picture[..., 3] > 0] = (255, 0, 255, 255)


def barely_pink(picture: np.ndarray) -> None:
    picture[picture[..., 3] > 0] = (251, 4, 251, 255)


@pytest.mark.parametrize("damage", [one_colour, silhouette])
def test_a_neutral_face_of_one_colour_makes_the_model_unusable(damage: Callable[[np.ndarray], None]) -> None:
    picture = good_picture()
    check_neutral(picture, ["flat"])
    damage(picture)

    with pytest.raises(UnusableModelError, match=r"style flat is all one colour.*--keep-unusable"):
        check_neutral(picture, ["flat"])


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (emptied, "empty"),
        (one_colour, "one colour"),
        (silhouette, "one colour"),
        (coloured_air, "transparent"),
        (pink, "pink"),
        (barely_pink, "pink"),
    ],
)
def test_a_damaged_picture_is_caught(damage: Callable[[np.ndarray], None], sentence: str) -> None:
    picture = good_picture()
    damage(picture)

    with pytest.raises(InvalidSampleError, match=sentence):
        check_pictures(picture, ["flat"])


def test_a_flat_picture_with_few_colours_passes_and_so_does_the_back_of_a_head() -> None:
    picture = good_picture()
    picture[picture[..., 3] > 0] = (255, 255, 255, 255)
    check_pictures(picture, ["flat"], shows_face=False)

    picture[0, 12:14, 12:20] = (240, 240, 240, 255)
    check_pictures(picture, ["flat"])


def unknown_part(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    arrays[LabelName.PARTS][9, 9] = len(Part)


def endless(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    arrays[LabelName.UV][0, 0] = np.nan


def behind(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    arrays[LabelName.DEPTH][9, 9] = -1


def hole(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    arrays[LabelName.DEPTH][9, 9] = 0


def long_normal(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    arrays[LabelName.NORMALS][9, 9] *= 1.01


def box_outside(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    marks.head_box = (8.0, 8.0, SIZE + 1.0, 24.0)


def box_inside_out(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    marks.face_box = (24.0, 8.0, 8.0, 24.0)


def upside_down(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    marks.landmarks["nose"].y = 28.5


def outside(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    marks.landmarks["nose"].x = -3.0


def unknown_layer(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    arrays[LabelName.LAYERS][9, 9] = len(Layer)


def bare(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    arrays[LabelName.LAYERS][9, 9] = Layer.BACKGROUND


def joints_of(marks: Marks) -> Joints:
    assert marks.joints is not None
    return marks.joints


def joint_missing(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    del joints_of(marks).coco["left_hip"]


def joint_moved(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    joints_of(marks).humanoid["hips"].x += 0.6


def joint_seen_outside(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    joints_of(marks).humanoid["hips"].visibility = 2


def joint_nowhere(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    joints_of(marks).coco["nose"].point = None


def person_elsewhere(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    joints_of(marks).box = (7.0, 8.0, 24.0, 24.0)


def person_outside(arrays: dict[LabelName, np.ndarray], marks: Marks) -> None:
    joints_of(marks).box = (8.0, 8.0, 24.0, SIZE + 1.0)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (unknown_part, "no part"),
        (unknown_layer, "no layer"),
        (bare, "disagree"),
        (joint_missing, "not those of the table"),
        (joint_moved, "elsewhere in the picture"),
        (joint_seen_outside, "hips is called visible"),
        (joint_nowhere, "nose has no place"),
        (person_elsewhere, "not about what"),
        (person_outside, "box of the person"),
        (endless, "no numbers"),
        (behind, "negative"),
        (hole, "disagree"),
        (long_normal, "unit length"),
        (box_outside, "box of the head"),
        (box_inside_out, "box of the face"),
        (upside_down, "outside its part"),
        (outside, "outside the picture"),
    ],
)
def test_a_damaged_label_is_caught(damage: Callable[[dict[LabelName, np.ndarray], Marks], None], sentence: str) -> None:
    arrays, marks = good_labels()
    damage(arrays, marks)

    with pytest.raises(InvalidSampleError, match=sentence):
        check_labels(arrays, marks, SIZE)
