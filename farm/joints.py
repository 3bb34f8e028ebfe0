"""The joints of the body that the label `joints` names: COCO's seventeen, and those of VRM's humanoid."""

from collections.abc import Iterator, Mapping
from itertools import islice

from farm.motion.humanoid import HUMANOID_BONES, ROLES

COCO_JOINTS: Mapping[str, str] = {
    "nose": "",
    "left_eye": "leftEye",
    "right_eye": "rightEye",
    "left_ear": "",
    "right_ear": "",
    "left_shoulder": "leftUpperArm",
    "right_shoulder": "rightUpperArm",
    "left_elbow": "leftLowerArm",
    "right_elbow": "rightLowerArm",
    "left_wrist": "leftHand",
    "right_wrist": "rightHand",
    "left_hip": "leftUpperLeg",
    "right_hip": "rightUpperLeg",
    "left_knee": "leftLowerLeg",
    "right_knee": "rightLowerLeg",
    "left_ankle": "leftFoot",
    "right_ankle": "rightFoot",
}
"""COCO's keypoints in COCO's order, and the humanoid's joint that each is; "" for those that are the face's alone."""
COCO_LINES = (
    ("left_ankle", "left_knee"), ("left_knee", "left_hip"), ("right_ankle", "right_knee"), ("right_knee", "right_hip"),
    ("left_hip", "right_hip"), ("left_shoulder", "left_hip"), ("right_shoulder", "right_hip"),
    ("left_shoulder", "right_shoulder"), ("left_shoulder", "left_elbow"), ("right_shoulder", "right_elbow"),
    ("left_elbow", "left_wrist"), ("right_elbow", "right_wrist"), ("left_eye", "right_eye"), ("nose", "left_eye"),
    ("nose", "right_eye"), ("left_eye", "left_ear"), ("right_eye", "right_ear"), ("left_ear", "left_shoulder"),
    ("right_ear", "right_shoulder"),
)  # fmt: skip
"""What COCO's skeleton connects."""
HUMANOID_JOINTS = HUMANOID_BONES
"""Every joint of the humanoid, by VRM 1.0's names: the head of the bone of that name."""
_TRUNK = frozenset({"hips", "spine", "chest", "upperChest", "leftShoulder", "rightShoulder"})
"""Bones that count as one: which of them moves the cloth before a shoulder or a hip differs from rig to rig."""


def above_of(name: str) -> Iterator[str]:
    """The humanoid's joints above one, the nearest first."""
    above = "head" if name == "jaw" else ROLES[name].above
    while above:
        yield above
        above = ROLES[above].above


def neighbours() -> dict[str, frozenset[str]]:
    """For each joint of the humanoid the bones that move what may lie before it: its own, those above and below it.

    The bones of the trunk count as one.
    """
    found = {name: {name} for name in HUMANOID_JOINTS}
    for name in HUMANOID_JOINTS:
        for above in islice(above_of(name), 1):
            found[name].add(above)
            found[above].add(name)
    for name, near in found.items():
        if near & _TRUNK:
            near |= _TRUNK
        if name in _TRUNK:
            near |= set().union(*(found[one] for one in _TRUNK))
    return {name: frozenset(near) for name, near in found.items()}
