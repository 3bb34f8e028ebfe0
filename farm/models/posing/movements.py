"""Movements of bones that no morph of the file makes: the eyes' look, the body's turn, breathing.

Bones are found by what they are to a character: as a VRM says it, or by their names. Those of the body stand above the neck
in the file's tree, so that the head goes where they take it.
"""

import re
from collections.abc import Iterable
from math import degrees, inf

import numpy as np
from numpy.typing import NDArray

from farm.models.description import Character
from farm.models.posing.armature import Armature
from farm.models.posing.morphs import BoneEffect, Effect, Morph
from farm.models.posing.turns import NO_TURN, Turn, turn_of
from farm.morphs.names import normalise
from farm.poses import rotation_matrix
from farm.spaces.space import BoneMove, BoneRole

_TRUNK = re.compile(
    r"上半身[0-9]?|(.*[:_.|]|bip\d*)?"
    r"(upper_?body_?\d?|(lower|upper)?_?(spine|chest|torso)(_?(lower|upper|\d+))?|abdomen|tummy)"
)
"""Bones of the trunk above the hips by their names after NFKC, in lower case and without spaces."""
_TRUNK_ROLES = ("spine", "chest", "upperChest")
_EYES = {"left_eye": "leftEye", "right_eye": "rightEye"}


class Movements:
    """Makes movements of one character's bones."""

    def __init__(
        self,
        character: Character,
        armature: Armature,
        neck: int,
        head: int,
        head_height: float,
        positions: NDArray[np.float32],
    ) -> None:
        """`neck` and `head` are bones; `head_height` is in the file's unit, `positions` (n, 3) at rest in world axes."""
        self._character, self._armature, self._neck, self._height = character, armature, neck, head_height
        self._positions, self._owners = positions, armature.owners
        self._roles = armature.roles(head)

    def movement(self, moves: Iterable[BoneMove]) -> Morph:
        """What the bones do at 1.

        Without any effect where the character lacks one of them: a part of the movement would be another one.
        """
        effects: list[tuple[Effect, float]] = []
        for move in moves:
            found = self.bones_of(move.role)
            if not found:
                return Morph()
            right, back, up = (float(way * self._height) for way in move.move)
            effects += [(BoneEffect(bone, (right, back, up), self._turn(bone, move)), 1.0) for bone in found]
        return Morph(effects)

    def _turn(self, bone: int, move: BoneMove) -> Turn:
        """The turn of one bone: an eye's lies at its back in one file and in the middle of the head in another, so that equal
        angles would take one iris three times as far as another."""
        if not any(move.turn):
            return NO_TURN
        held = self._positions[self._owners == bone, 1]
        lever = float(self._armature.place_of(bone)[1] - held.min()) if len(held) else 0.0
        most = degrees(move.reach * self._height / lever) if move.reach and lever > 0 else inf
        x, y, z = (max(-most, min(most, angle)) for angle in move.turn)
        return turn_of(rotation_matrix((x, y, z)))

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
