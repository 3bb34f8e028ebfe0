"""Gives a neck to MikuMikuDance characters whose rig has a head bone alone: pictures need the place about which it turns.

Hats and hair to be worn have a head bone alone, too, and are no characters: what has no morph of a face stays as it is.
"""

from dataclasses import replace

import numpy as np

from farm.errors import NoNeckBoneError
from farm.models.description import Bone, BoneFlag, Character
from farm.models.posing.armature import Armature
from farm.models.posing.head import head_height
from farm.models.skeleton import lone_head, turning_bones
from farm.morphs.panels import Panel
from farm.morphs.vocabulary import recognise

_BELOW = 0.25
"""How far under the head bone the neck is put, in heights of the head over that bone. Of the characters at hand it is by
0.16 to 0.97. The picture is framed by it: a low one shows a little more."""
_FACE = (Panel.EYE, Panel.EYEBROW, Panel.MOUTH)


def with_neck(character: Character) -> Character:
    """The character with a neck bone between its head and what carries it, where it has none and a face; else as it is.

    Bones keep their indices: the new one is the last. A warning tells of it.
    """
    try:
        turning_bones(character)
    except NoNeckBoneError:
        alone = lone_head(character.bones)
    else:
        return character
    if alone is None or not any(m.panel in _FACE or recognise(m.name, m.panel) is not None for m in character.morphs):
        return character
    head, name, name_en = alone
    world = np.array(character.axes.to_world, np.float32)
    with np.errstate(all="ignore"):  # a file may hold any numbers
        height = head_height(character, Armature(character, head, world), head, head, character.positions @ world.T)
    if not 0 < height < np.inf:
        return character
    found = character.bones[head]
    down = world.T @ np.array([0.0, 0.0, -_BELOW * height])
    x, y, z = (np.array(found.position) + down).tolist()
    flags = BoneFlag.ROTATABLE | BoneFlag.VISIBLE | BoneFlag.ENABLED
    neck = Bone(name, name_en, (x, y, z), found.parent, found.layer, flags, tail_bone=head)
    bones = [*character.bones, neck]
    bones[head] = replace(found, parent=len(character.bones))
    return replace(
        character,
        bones=tuple(bones),
        warnings=(
            *character.warnings,
            f"The model has no neck bone; its head turns about a place below the bone '{found.name or found.name_en}', where "
            "necks usually are.",
        ),
    )
