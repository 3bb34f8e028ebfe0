"""Which bones of a character are the humanoid's, and which of these moves what hangs on every other bone."""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from farm.models.ancestry import inherited
from farm.models.description import BoneFlag, Character
from farm.morphs.names import normalise
from farm.motion.humanoid import HUMANOID_BONES, ROLES, STANDARD, roles_of

_CENTRE = "センター"
"""MikuMikuDance's bone that takes the way and the turn of a humanoid's hips."""
_FOLLOWS = 0.5
"""Share of another bone's turn (付与) from which a bone moves with that one rather than with its parent."""
_SIDES = {1: "左", -1: "右", 0: ""}


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


def humanoid_joints(character: Character) -> dict[str, int]:
    """The bone at whose head each joint of the humanoid is, by VRM 1.0's names in the order of `HUMANOID_BONES`.

    A VRM says it itself; in MikuMikuDance it is the outermost of the bones that `humanoid.toml` has for it and its side.
    """
    known: Mapping[str, int]
    if character.humanoid:
        known = roles_of(character.humanoid)
    else:
        known = {name: bones[0] for name, bones in _mmd(character) if bones}
    return {name: known[name] for name in HUMANOID_BONES if name in known}


def carriers_of(character: Character) -> NDArray[np.int16]:
    """(bones,) index in `HUMANOID_BONES` of the humanoid's bone that each bone is, or moves with; -1 for none.

    What takes most of another bone's turn (付与: D bones, twists) moves with that one, all else with its parent.
    """
    numbers = {name: number for number, name in enumerate(HUMANOID_BONES)}
    own: dict[int, str] = {}
    if not character.humanoid:
        places = bones_by_name(character)
        own |= {places[key]: "hips" for key in map(normalise, STANDARD.root) if key in places}
        own |= {index: name for name, bones in _mmd(character) for index in bones}
    own |= {index: name for name, index in humanoid_joints(character).items()}
    above = [_above(character, index) for index in range(len(character.bones))]
    known = {index: numbers[name] for index, name in own.items()}
    return np.array(inherited([-1 if bone is None else bone for bone in above], known, -1), np.int16)


def _above(character: Character, index: int) -> int | None:
    bone = character.bones[index]
    leads = bone.inheritance
    if leads is not None and bone.flags & BoneFlag.INHERIT_ROTATION and leads.ratio >= _FOLLOWS:
        return leads.parent
    return bone.parent


def _mmd(character: Character) -> Iterator[tuple[str, list[int]]]:
    """Each humanoid bone and those of MikuMikuDance's that are it, from the outermost; bones of both sides are neither's."""
    places = bones_by_name(character)
    for role in ROLES.values():
        names = (normalise(name) for name in role.bones if _SIDES[role.side] in name)
        yield role.name, [places[name] for name in names if name in places]
