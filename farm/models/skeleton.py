"""Finds the bones that a face picture needs: the neck (camera and rotation) and the head (framing)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from farm.errors import NoNeckBoneError
from farm.models.description import Bone, Character
from farm.morphs.names import normalise

# By rule: (name of the rule, neck, head), matched against whole names after NFKC and without case and spaces. Exporters
# put the rig's name before a bone's (mixamorig1:Neck, Armature_neck, Bip01 Neck) and a number behind it (neck_01).
_RULES = (
    ("MMD", "首", "頭"),
    ("Mixamo", r"mixamorig\d*[:_]neck\d*", r"mixamorig\d*[:_]head"),
    ("English", r"((?:.*[:_.|])|bip\d*)?neck[_.]?0?1?", r"((?:.*[:_.|])|bip\d*)?head[_.]?0?1?"),
)
_NECK_NAMES = {"MMD": "首", "Mixamo": "mixamorig:Neck", "English": "neck"}
"""By rule: a name that it takes for a neck's."""


@dataclass(frozen=True, slots=True)
class NeckAndHead:
    """The two bones by name, and the rule that found them."""

    neck: str
    head: str
    rule: str


def find_neck_and_head(names: Sequence[str]) -> NeckAndHead:
    """Find the neck and the head among bone names, Japanese before English.

    A model without a head bone uses its neck for both. Raises NoNeckBoneError when there is no neck.
    """
    for rule, neck_pattern, head_pattern in _RULES:
        neck = next((name for name in names if re.fullmatch(neck_pattern, normalise(name))), None)
        if neck is not None:
            head = next((name for name in names if re.fullmatch(head_pattern, normalise(name))), neck)
            return NeckAndHead(neck, head, rule)
    raise NoNeckBoneError(
        "The model has no neck bone (首, neck, or the humanoid bone of a VRM), so neither the camera nor the head's "
        "rotation has a place. Name the bone 首 in an editor such as PMX Editor, or leave the model out."
    )


def locate_neck_and_head(bones: Sequence[Bone]) -> tuple[int, int, str]:
    """The indices of a character's neck and head, and the rule that found them.

    The English names count where the creator's own say nothing. Raises NoNeckBoneError.
    """
    own = [bone.name for bone in bones]
    try:
        names, found = own, find_neck_and_head(own)
    except NoNeckBoneError:
        names = [bone.name_en for bone in bones]
        found = find_neck_and_head(names)
    return names.index(found.neck), names.index(found.head), found.rule


def lone_head(bones: Sequence[Bone]) -> tuple[int, str, str] | None:
    """The index of the head of a character without a neck; the name and the English name that a neck bone would be found by.

    None without a head.
    """
    for names, own in (([bone.name for bone in bones], True), ([bone.name_en for bone in bones], False)):
        for rule, _, pattern in _RULES:
            for index, name in enumerate(names):
                if re.fullmatch(pattern, normalise(name)):
                    return index, _NECK_NAMES[rule] if own else "", _NECK_NAMES[rule]
    return None


def turning_bones(character: Character) -> tuple[int, int, str]:
    """The indices of the neck and the head, and the rule that found them: a VRM says it itself. Raises NoNeckBoneError."""
    humanoid = character.humanoid
    if "neck" in humanoid and "head" in humanoid:
        return humanoid["neck"], humanoid["head"], "humanoid"
    return locate_neck_and_head(character.bones)
