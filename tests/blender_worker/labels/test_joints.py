"""Joints are where bones are, and are seen where what they move is seen."""

from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.cameras import CameraSpec, Framing
from farm.dataset.validation import check_labels
from farm.drawing.blender import Blender, Drawn
from farm.joints import COCO_JOINTS, HUMANOID_JOINTS
from farm.labels import LabelName, Layer
from farm.marks import JointLabel, Joints
from farm.models.description import Character
from farm.models.package import read_character, read_model, to_bytes, unfold
from farm.motion.bones import humanoid_joints
from farm.poses import Partition
from tests.blender_worker.labels.boxes import MORPH, TURNS, boxes, quaternion, write_boxes

pytestmark = pytest.mark.blender
SIZE = 128
BODY = CameraSpec(framing=Framing.BODY)
BEHIND = pipe.View(index=1, yaw=180.0)
ASKED = [LabelName.PARTS, LabelName.DEPTH, LabelName.LAYERS, LabelName.JOINTS]


def drawn_with(
    blender: Blender,
    model: Path,
    folder: Path,
    *views: pipe.View,
    camera: CameraSpec = BODY,
    morph: str = "",
    labels: list[LabelName] = ASKED,
) -> list[Drawn]:
    """Pictures of a model from each of `views`, with a morph at full weight."""
    package = read_model(model)
    character, textures = unfold(to_bytes(package), folder)
    names = [one.name for one in read_character(package.suffix, package.data).morphs]
    weights = {names.index(morph): 1.0} if morph else {}
    request = pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=sorted({*weights, *(ref.index for ref in package.inventory.annotation.values())}),
        annotation={target: ref.index for target, ref in package.inventory.annotation.items()},
        camera=camera,
        styles=["flat"],
        labels=labels,
        size=SIZE,
        supersample=1,
        shots=[
            pipe.Shot(sample=0, partition=Partition.FRONTAL, weights=weights, rotation=(0, 0, 0), light=0.6, view=view)
            for view in views
        ],
    )
    drawn = list(blender.draw(request, lambda _: None))
    for one in drawn:
        check_labels(one.labels, one.marks, SIZE)
    return drawn


def joints_of(drawn: Drawn) -> Joints:
    assert drawn.marks is not None
    assert drawn.marks.joints is not None
    return drawn.marks.joints


@pytest.fixture(scope="module")
def boxed(blender: Blender, tmp_path_factory: pytest.TempPathFactory) -> list[Drawn]:
    """The character of boxes from the front and from behind."""
    room = tmp_path_factory.mktemp("boxes")
    return drawn_with(blender, write_boxes(room), room / "room", pipe.View(), BEHIND)


def posed_heads(character: Character, turns: dict[str, tuple[float, float, float]]) -> dict[str, np.ndarray]:
    """Where the heads of bones are in the file's axes: each bone turns about its head, with all that hang on it."""
    names = [bone.name for bone in character.bones]
    found = {}
    for bone in character.bones:
        place = np.array(bone.position, np.float64)
        above = bone.parent
        while above is not None:
            if (turn := turns.get(names[above])) is not None:
                *axis, w = quaternion(turn)
                pivot = np.array(character.bones[above].position)
                away = place - pivot
                once = np.cross(axis, away) + w * away
                place = pivot + away + 2 * np.cross(axis, once)
            above = character.bones[above].parent
        found[bone.name] = place
    return found


def projected(places: np.ndarray, character: Character, view: pipe.View, camera: CameraSpec) -> np.ndarray:
    """(n, 2) pixels of (n, 3) places in MikuMikuDance's axes, by a camera that holds the whole body."""
    world, body = (np.asarray(points, np.float64)[:, [0, 2, 1]] for points in (places, character.positions))
    neck = next(bone.position for bone in character.bones if bone.name == "首")
    low, high = body.min(axis=0), body.max(axis=0)
    height = 1.08 * max(high[2] - low[2], 2 * max(abs(low[0] - neck[0]), abs(high[0] - neck[0])))
    target = np.array([neck[0], neck[2], (low[2] + high[2]) / 2])
    half = np.tan(np.radians(camera.field_of_view) / 2)
    yaw, elevation = np.radians((view.yaw, view.elevation))
    away = np.array([np.sin(yaw) * np.cos(elevation), -np.cos(yaw) * np.cos(elevation), np.sin(elevation)])
    eye = target + away * height / 2 / half
    right = np.cross(-away, (0, 0, 1))
    right /= np.linalg.norm(right)
    up = np.cross(right, -away)
    rays = world - eye
    depth = rays @ -away
    across = np.column_stack([rays @ right, -(rays @ up)]) / depth[:, None]
    return np.asarray(SIZE / 2 + across * SIZE / 2 / half)


@pytest.mark.parametrize(
    "view", [pipe.View(), pipe.View(index=1, yaw=35.0, elevation=12.0)], ids=["front", "from the left, above"]
)
def test_joints_lie_within_a_pixel_of_the_bones_projected_by_hand(
    blender: Blender, tmp_path: Path, view: pipe.View
) -> None:
    character = boxes()
    (drawn,) = drawn_with(blender, write_boxes(tmp_path), tmp_path / "room", view, morph=MORPH)
    heads = posed_heads(character, TURNS)
    joints = {name: joint for name, joint in joints_of(drawn).humanoid.items() if joint.visibility}
    bones = {name: character.bones[index].name for name, index in humanoid_joints(character).items()}
    assert set(joints) == set(bones)
    assert {"leftFoot", "rightHand", "head"} <= set(joints)

    expected = projected(np.array([heads[bones[name]] for name in joints]), character, view, BODY)
    rest = projected(np.array([BONES_AT_REST[bones[name]] for name in joints]), character, view, BODY)

    found = np.array([(joint.x, joint.y) for joint in joints.values()])
    assert np.linalg.norm(found - expected, axis=1).max() < 0.05
    moved = dict(zip(joints, np.linalg.norm(rest - expected, axis=1), strict=True))
    assert moved["rightHand"] > 5, "the elbow bends"
    assert moved["leftFoot"] > 5, "the leg is lifted"


BONES_AT_REST = {bone.name: np.array(bone.position) for bone in boxes().bones}


def test_an_arm_behind_the_back_is_seen_from_behind_alone(boxed: list[Drawn]) -> None:
    front, back = (joints_of(drawn).coco for drawn in boxed)

    assert [front[name].visibility for name in ("left_elbow", "left_wrist")] == [1, 1]
    assert [back[name].visibility for name in ("left_elbow", "left_wrist")] == [2, 2]
    for name in ("right_shoulder", "right_elbow", "right_wrist", "left_shoulder"):
        assert front[name].visibility == back[name].visibility == 2, name


def test_a_skirt_hides_the_knees_and_not_the_hips(boxed: list[Drawn]) -> None:
    for drawn in boxed:
        coco = joints_of(drawn).coco
        for side in ("left", "right"):
            seen = [coco[f"{side}_{name}"].visibility for name in ("hip", "knee", "ankle")]
            assert seen == [2, 1, 2]  # the ankles' skin hangs on D bones, beside the humanoid's


def test_left_is_the_characters_left(boxed: list[Drawn]) -> None:
    front, back = (joints_of(drawn).coco for drawn in boxed)

    for name in ("shoulder", "hip", "knee", "ankle"):
        assert front[f"left_{name}"].x > SIZE / 2 > front[f"right_{name}"].x
        assert back[f"left_{name}"].x < SIZE / 2 < back[f"right_{name}"].x


def test_the_box_is_about_what_shows(boxed: list[Drawn]) -> None:
    for drawn in boxed:
        rows, columns = np.nonzero(drawn.pictures[0][..., 3] > 127)
        box = joints_of(drawn).box
        assert box == pytest.approx((columns.min(), rows.min(), columns.max() + 1, rows.max() + 1), abs=1)


def test_what_the_model_lacks_is_said_to_be_absent(boxed: list[Drawn]) -> None:
    joints = joints_of(boxed[0])

    assert list(joints.coco) == list(COCO_JOINTS)
    assert list(joints.humanoid) == list(HUMANOID_JOINTS)
    for name in ("leftLittleDistal", "jaw", "leftToes"):
        assert joints.humanoid[name] == JointLabel(x=0, y=0, point=None, visibility=0)
    assert joints.coco["left_ear"].visibility == 0


def test_joints_outside_the_picture_keep_their_places(blender: Blender, tmp_path: Path) -> None:
    path = write_boxes(tmp_path)
    (head,) = drawn_with(blender, path, tmp_path / "room", pipe.View(), camera=CameraSpec(), labels=[LabelName.JOINTS])

    coco = joints_of(head).coco
    assert coco["left_knee"].visibility == coco["right_ankle"].visibility == 1
    assert coco["right_ankle"].y > coco["left_knee"].y > SIZE
    assert coco["right_ankle"].point is not None
    assert coco["right_ankle"].point[1] == pytest.approx((17.5 - 1.2) * 0.08, abs=0.5)
    assert head.marks is not None
    assert head.marks.landmarks == {}, "nobody asked for them"


GENE = {("left_wrist", "leftMiddleProximal", 1.0): Layer.SKIN, ("left_elbow", "left_wrist", 0.5): Layer.CLOTHES}
GODETTE = {("left_elbow", "left_wrist", 0.5): Layer.SKIN}
DRESSED = {("left_hip", "left_knee", 0.4), ("right_knee", "right_ankle", 0.6), ("left_ankle", "left_ankle", 0.0)}
"""Places between two joints where both are dressed."""


@pytest.mark.parametrize(
    ("model", "layers"),
    [("gene/Gene_light.pmx", GENE), ("vrm_godette/Godette_vrm_v4.vrm", GODETTE)],
    ids=["gene", "godette"],
)
def test_joints_and_layers_of_real_characters(
    blender: Blender, real_models: Path, tmp_path: Path, model: str, layers: dict[tuple[str, str, float], Layer]
) -> None:
    front, back = drawn_with(blender, real_models / model, tmp_path, pipe.View(), BEHIND)
    places = joints_of(front).humanoid | joints_of(front).coco
    for (start, end, share), layer in (layers | dict.fromkeys(DRESSED, Layer.CLOTHES)).items():
        one, other = places[start], places[end]
        x, y = one.x + share * (other.x - one.x), one.y + share * (other.y - one.y)
        assert front.labels[LabelName.LAYERS][int(y), int(x)] == layer, (start, end)
    seen, hidden = joints_of(front).coco, joints_of(back).coco

    for name, joint in seen.items():
        assert joint.visibility == 2 or name in ("left_ear", "right_ear"), name
    for name in ("nose", "left_eye", "right_eye"):
        assert hidden[name].visibility == 1, name
    # A person stands: from the head down to the feet, the left at the picture's right.
    heights = [seen[f"left_{name}"].y for name in ("eye", "shoulder", "hip", "knee", "ankle")]
    assert heights == sorted(heights)
    for name in ("ear", "eye", "shoulder", "elbow", "wrist", "hip", "knee", "ankle"):
        assert seen[f"left_{name}"].x > seen["nose"].x > seen[f"right_{name}"].x, name
        assert hidden[f"left_{name}"].x < hidden["nose"].x < hidden[f"right_{name}"].x, name
    assert seen["left_wrist"].x > seen["left_elbow"].x > seen["left_shoulder"].x
    left, right = (seen[f"{side}_ear"] for side in ("left", "right"))
    assert abs(left.y - right.y) < 3
    assert abs(left.x + right.x - 2 * seen["nose"].x) < 3
