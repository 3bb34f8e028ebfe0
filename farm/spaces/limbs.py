"""The limbs that poses of a body turn, and how a character stands that nothing turns."""

from enum import StrEnum
from typing import Literal, get_args


class RestPose(StrEnum):
    """How a character stands when nothing moves it."""

    FILE = "file"
    """As its file has it."""
    A = "a"
    """The arms straight and 45 degrees below the level, to the sides."""
    T = "t"
    """The arms straight and level, to the sides."""


type Limb = Literal[
    "shoulder",
    "upper_arm",
    "arm_twist",
    "lower_arm",
    "forearm_twist",
    "hand",
    "fingers",
    "upper_leg",
    "lower_leg",
    "foot",
]
"""Bones of arms and legs by what they are to a body; those of the trunk and the head are none."""
type LimbRole = Literal[
    "left_shoulder", "left_upper_arm", "left_arm_twist", "left_lower_arm", "left_forearm_twist", "left_hand",
    "left_fingers", "left_upper_leg", "left_lower_leg", "left_foot",
    "right_shoulder", "right_upper_arm", "right_arm_twist", "right_lower_arm", "right_forearm_twist", "right_hand",
    "right_fingers", "right_upper_leg", "right_lower_leg", "right_foot",
]  # fmt: skip
"""A limb on a side of the character."""
LIMBS: frozenset[str] = frozenset(get_args(Limb.__value__))
LIMB_ROLES: frozenset[str] = frozenset(get_args(LimbRole.__value__))
