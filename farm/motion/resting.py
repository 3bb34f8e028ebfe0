"""Which bones of a character are the humanoid's, and what would make its arms level: what any two bodies have in common."""

from collections.abc import Mapping

import numpy as np

from farm.models.description import Character
from farm.models.posing.turns import Turn, unit
from farm.morphs.names import normalise
from farm.motion.channels import Doubles
from farm.motion.humanoid import ROLES, STANDARD, HumanoidBone, roles_of

_CENTRE = "センター"
"""MikuMikuDance's bone that takes the way and the turn of a humanoid's hips."""
_TINY = 1e-6
_MEASURED = {"UpperArm": "LowerArm", "LowerArm": "Hand"}
"""Bones of an arm whose direction tells how it rests, by what follows each; hands and fingers go with the lower arm."""


def humanoid_bones(character: Character) -> dict[str, int]:
    """The bones of a character by VRM 1.0's names of the humanoid, what is above before what is below."""
    if character.humanoid:
        known: Mapping[str, int] = roles_of(character.humanoid)
        return {name: known[name] for name in ROLES if name in known}
    places = bones_by_name(character)
    found: dict[str, int] = {}
    for role in ROLES.values():
        names = (_CENTRE, *STANDARD.root) if role.name == "hips" else role.bones
        bone_of = [places[name] for name in map(normalise, names) if name in places]
        if bone_of:
            found[role.name] = bone_of[0]
    return found


def bones_by_name(character: Character) -> dict[str, int]:
    """The bones of a character by their names without regard to width, case and spaces; of several the first."""
    places: dict[str, int] = {}
    for index, bone in enumerate(character.bones):
        places.setdefault(normalise(bone.name), index)
    return places


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
