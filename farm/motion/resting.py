"""How a body rests: where its bones begin, and what would make its arms level."""

from collections.abc import Mapping

import numpy as np

from farm.models.description import Character
from farm.models.posing.turns import Turn, unit
from farm.motion.channels import Doubles
from farm.motion.humanoid import HumanoidBone

_TINY = 1e-6
_MEASURED = {"UpperArm": "LowerArm", "LowerArm": "Hand"}
"""Bones of an arm whose direction tells how it rests, by what follows each; hands and fingers go with the lower arm."""


def heads_of(character: Character) -> Doubles:
    """(bones, 3) where each bone begins at rest, in world axes."""
    matrix = np.array(character.axes.to_world, np.float64)
    return np.asarray(np.array([bone.position for bone in character.bones]).reshape(-1, 3) @ matrix.T)


def levelled(role: HumanoidBone, bones: Mapping[str, int], heads: Doubles) -> Turn | None:
    """What makes a bone of an arm level, to its own side, that rests as the character's does: against the world.

    `bones` and `heads` are what the functions above give. None where the arm cannot be measured.
    """
    english = "left" if role.side > 0 else "right"
    bone = role.name.removeprefix(english)
    bone = bone if bone in _MEASURED else "LowerArm"
    start, end = bones.get(f"{english}{bone}"), bones.get(f"{english}{_MEASURED[bone]}")
    if start is None or end is None:
        return None
    along = heads[end] - heads[start]
    length = float(np.linalg.norm(along))
    if not length > _TINY:
        return None
    level = np.array([float(role.side), 0.0, 0.0])
    x, y, z = np.cross(along / length, level).tolist()
    return unit(x, y, z, 1.0 + float(along @ level) / length)
