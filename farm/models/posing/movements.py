"""Movements of bones that no morph of the file makes: the eyes' look, the body's turn, breathing.

Bones are found by what they are to a character: as a VRM says it, or by their names. Those of the body stand above the neck
in the file's tree, so that the head goes where they take it.
"""

import re
from collections.abc import Iterable

from farm.models.description import Character
from farm.models.posing.armature import Armature
from farm.models.posing.morphs import BoneEffect, Morph
from farm.models.posing.turns import NO_TURN, turn_of
from farm.morphs.names import normalise
from farm.poses import rotation_matrix
from farm.spaces.space import BoneRole, Vector

_TRUNK = re.compile(
    r"上半身[0-9]?|(.*[:_.| ]|bip\d*)?(upper_?body_?\d?|(lower|upper)?_?(spine|chest|torso)(_?(lower|upper|\d+))?|abdomen|tummy)"
)
"""Bones of the trunk above the hips by their names after NFKC, in lower case and without spaces."""
_TRUNK_ROLES = ("spine", "chest", "upperChest")
_EYES = {"left_eye": "leftEye", "right_eye": "rightEye"}


class Movements:
    """Makes movements of one character's bones."""

    def __init__(self, character: Character, armature: Armature, neck: int, head: int, head_height: float) -> None:
        """`neck` and `head` are bones; `head_height` is in the file's unit."""
        self._character, self._neck, self._height = character, neck, head_height
        self._roles = armature.roles(head)

    def movement(self, bones: Iterable[tuple[BoneRole, Vector, Vector]]) -> Morph:
        """What the bones do at 1: role, degrees about world X, Y, Z, and way in head heights.

        Without any effect where the character lacks one of them: a part of the movement would be another one.
        """
        effects = []
        for role, turn, move in bones:
            found = self.bones_of(role)
            if not found:
                return Morph()
            right, back, up = (float(way * self._height) for way in move)
            turned = turn_of(rotation_matrix(turn)) if any(turn) else NO_TURN
            effects += [(BoneEffect(bone, (right, back, up), turned), 1.0) for bone in found]
        return Morph(effects)

    def bones_of(self, role: BoneRole) -> list[int]:
        """The bones of this role, none of them below another."""
        if role == "neck":
            return [self._neck]
        if role in _EYES:
            own = {index for index, found in enumerate(self._roles) if found == _EYES[role]}
            return sorted(index for index in own if not own & set(self._above(index)))
        trunk = self._trunk()
        return trunk[-1:] if role == "upper_body" else trunk[:1]

    def _trunk(self) -> list[int]:
        """The bones of the trunk on the way from the neck to the root, the nearest to the neck first."""
        above = self._above(self._neck)
        if humanoid := self._character.humanoid:
            said = {humanoid[role] for role in _TRUNK_ROLES if role in humanoid}
            return [index for index in above if index in said]
        bones = self._character.bones
        return [
            index
            for index in above
            if _TRUNK.fullmatch(normalise(bones[index].name)) or _TRUNK.fullmatch(normalise(bones[index].name_en))
        ]

    def _above(self, index: int) -> list[int]:
        """The bones above, the nearest first; parents that run in a circle end there."""
        found: list[int] = []
        parent = self._character.bones[index].parent
        while parent is not None and parent not in found and parent != index:
            found.append(parent)
            parent = self._character.bones[parent].parent
        return found
