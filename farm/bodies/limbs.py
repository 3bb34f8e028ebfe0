"""How one character is brought to stand, and what turns its limbs.

Bodies rest differently: arms hang at some 36 degrees in MikuMikuDance and are level in VRM. So each arm is measured, and the
T-pose, in which both segments are level, is what all axes are said in. With the bones about a body in the T-pose turned
against the world by T, a limb stands by T(above)^-1 S T and is turned by r about an axis a by the turn of r about
T(above)^-1 a, where S is what brings the T-pose into the pose asked for. Legs, hands and fingers stand as the file has them.
IK is not solved: what it would move turns directly, and 付与 follows as ever. Where a file has a second chain of bones along
a limb, as some have for sleeves and lead it by IK, that turns as the limb does.
"""

from collections.abc import Iterable, Iterator, Mapping
from math import cos, radians, sin

import numpy as np

from farm.models.description import Character
from farm.models.posing.morphs import BoneEffect, Effect, Morph, Vector
from farm.models.posing.turns import NO_TURN, Turn, after, matrix_of, turn_of
from farm.morphs.names import normalise
from farm.motion.bones import bones_by_name, humanoid_bones
from farm.motion.channels import Doubles
from farm.motion.humanoid import ROLES, HumanoidBone
from farm.motion.resting import heads_of, levelled
from farm.poses import rotation_matrix
from farm.spaces.limbs import LIMB_ROLES, RestPose
from farm.spaces.space import BoneMove

A_POSE_DEGREES = 45.0
"""How far below the level an arm is in the A-pose."""
_NAMES = {
    "shoulder": "Shoulder", "upper_arm": "UpperArm", "arm_twist": "UpperArm", "lower_arm": "LowerArm",
    "forearm_twist": "LowerArm", "hand": "Hand", "upper_leg": "UpperLeg", "lower_leg": "LowerLeg", "foot": "Foot",
}  # fmt: skip
"""Limbs to the humanoid bone that turns, without its side."""
_TWISTS = {"arm_twist": ("{}腕捩", "LowerArm"), "forearm_twist": ("{}手捩", "Hand")}
"""Twists to MikuMikuDance's own bone for it, and the humanoid bone that hangs below that."""
_FINGERS = tuple(
    f"{finger}{joint}"
    for finger in ("Index", "Middle", "Ring", "Little")
    for joint in ("Proximal", "Intermediate", "Distal")
)
_CHAINS = (("UpperArm", "LowerArm", "Hand"), ("UpperLeg", "LowerLeg", "Foot"))
_SAME_PLACE = 0.02
"""Of a limb's first segment: how far a joint of a second chain may be from the limb's."""
_ROUNDING = 1e-9
"""A turn that is none: what moves costs time in every pose."""
_MOST_BESIDE = 8
"""Bones of second chains along one bone of a limb; each costs time in every pose."""
_NEEDED = {
    "arms": ("UpperArm", "LowerArm", "Hand"),
    "legs": ("UpperLeg", "LowerLeg", "Foot"),
}
"""What a body has to have of its limbs, on both sides."""


def limbs_lacking(bones: Iterable[str]) -> tuple[str, ...]:
    """Of a body's limbs, "arms" and "legs", those that humanoid bones of these names do not make."""
    found = set(bones)
    return tuple(
        limb
        for limb, parts in _NEEDED.items()
        if not found >= {f"{side}{part}" for side in ("left", "right") for part in parts}
    )


class Limbs:
    """The limbs of one character that stands as it is asked to."""

    def __init__(self, character: Character, rest: RestPose) -> None:
        self._character = character
        self.bones = humanoid_bones(character)
        """Humanoid bones by VRM 1.0's names."""
        self._by_name = {} if character.humanoid else bones_by_name(character)
        heads = heads_of(character)
        self._level: dict[str, Turn] = {}
        """What turns each bone of an arm into the T-pose, against the world."""
        for name in self.bones:
            role = ROLES[name]
            if role.arm:
                # Of what cannot be measured, such as a forearm without a hand, the bone above says how it rests.
                self._level[name] = levelled(role, self.bones, heads) or self._above_level(name)
        self._rest = rest
        self._twins = dict(_twins(character, self.bones, heads))
        """The bones of second chains by the humanoid bone that each goes along."""

    @property
    def stance(self) -> dict[int, Turn]:
        """What each bone is turned by itself, in world axes, for the character to stand so."""
        if self._rest is RestPose.FILE:
            return {}
        found: dict[int, Turn] = {}
        for name, level in self._level.items():
            stands = after(self._stands(ROLES[name]), level)
            turn = after(_back(self._above_level(name)), stands)
            if max(map(abs, turn[:3])) > _ROUNDING:
                found |= dict.fromkeys((self.bones[name], *self._twins.get(name, ())), turn)
        return found

    def movement(self, moves: Iterable[BoneMove]) -> Morph:
        """What limbs do at 1; without any effect where the character lacks one of them, as in `Movements.movement`."""
        effects: list[tuple[Effect, float]] = []
        for move in moves:
            found = self._effects(move)
            if not found:
                return Morph()
            effects += [(effect, 1.0) for effect in found]
        return Morph(effects)

    def _effects(self, move: BoneMove) -> list[BoneEffect]:
        side, _, limb = move.role.partition("_")
        if limb == "fingers":
            names = [f"{side}{finger}" for finger in _FINGERS if f"{side}{finger}" in self.bones]
            return [self._effect(self.bones[name], self._above_level(name), move.turn) for name in names]
        name = f"{side}{_NAMES[limb]}"
        if name not in self.bones:
            return []
        bones, turn, found = [self.bones[name], *self._twins.get(name, ())], move.turn, []
        if (twist := self._twist_bone(side, limb)) is not None:
            found.append(self._effect(twist, self._level.get(name, NO_TURN), turn))
            del bones[0]
        if limb in _TWISTS:  # about the limb itself, however it stands
            x, y, z = (matrix_of(self._stood(name)) @ np.array(turn)).tolist()
            turn = (x, y, z)
        return [*found, *(self._effect(bone, self._above_level(name), turn) for bone in bones)]

    def _effect(self, bone: int, above: Turn, degrees: Vector) -> BoneEffect:
        """A bone turned about an axis of the T-pose, when all above it is turned by `above` into that."""
        axis = matrix_of(_back(above)) @ np.array(degrees)
        angle = float(np.linalg.norm(axis))
        x, y, z = (axis / angle * sin(radians(angle) / 2)).tolist() if angle else (0.0, 0.0, 0.0)
        return BoneEffect(bone, (0.0, 0.0, 0.0), (x, y, z, cos(radians(angle) / 2)))

    def _above_level(self, name: str) -> Turn:
        above = ROLES[name].above
        while above and above not in self.bones:
            above = ROLES[above].above
        return self._level.get(above, NO_TURN)

    def _stands(self, role: HumanoidBone) -> Turn:
        """What a bone of an arm does by itself in the T-pose to stand as asked."""
        if self._rest is RestPose.A and role.name.endswith("UpperArm"):
            return turn_of(rotation_matrix((0.0, A_POSE_DEGREES * role.side, 0.0)))
        return NO_TURN

    def _stood(self, name: str) -> Turn:
        """What turns a bone from the T-pose to how it stands, by itself."""
        if self._rest is RestPose.FILE:
            return after(self._above_level(name), _back(self._level.get(name, NO_TURN)))
        return self._stands(ROLES[name])

    def _twist_bone(self, side: str, limb: str) -> int | None:
        """MikuMikuDance's own bone for a twist, where the rest of the arm hangs on it."""
        if limb not in _TWISTS or not self._by_name:
            return None
        found = self._by_name.get(normalise(_TWISTS[limb][0].format("左" if side == "left" else "右")))
        below = self.bones.get(f"{side}{_TWISTS[limb][1]}")
        return found if found is not None and below is not None and self._hangs(below, found) else None

    def _hangs(self, bone: int, above: int) -> bool:
        passed: set[int] = set()
        parent = self._character.bones[bone].parent
        while parent is not None and parent not in passed:
            if parent == above:
                return True
            passed.add(parent)
            parent = self._character.bones[parent].parent
        return False


def _twins(character: Character, bones: Mapping[str, int], heads: Doubles) -> Iterator[tuple[str, list[int]]]:
    """Chains of bones that begin beside a limb, and have their joints where the limb has its own."""
    below: dict[int | None, list[int]] = {}
    for number, bone in enumerate(character.bones):
        below.setdefault(bone.parent, []).append(number)
    for names in ((f"{side}{part}" for part in chain) for side in ("left", "right") for chain in _CHAINS):
        chain = [(name, bones[name]) for name in names if name in bones]
        if len(chain) < 2:
            continue
        within = _SAME_PLACE * float(np.linalg.norm(heads[chain[1][1]] - heads[chain[0][1]]))
        found: list[tuple[str, list[int]]] = []
        beside = below.get(character.bones[chain[0][1]].parent, [])
        for name, own in chain:
            level = [
                index
                for index in beside
                if index != own
                and character.bones[index].inheritance is None
                and np.linalg.norm(heads[index] - heads[own]) <= within
            ][:_MOST_BESIDE]
            found.append((name, level))
            beside = [index for parent in level for index in below.get(parent, [])]
        (first, starts), (_, seconds), *_ = found
        parents = {character.bones[index].parent for index in seconds}
        yield first, [index for index in starts if index in parents]  # one joint at one place is no chain
        yield from found[1:]


def turns_limbs(moves: Iterable[BoneMove]) -> bool:
    """Whether `Limbs` makes this movement."""
    return any(move.role in LIMB_ROLES for move in moves)


def _back(turn: Turn) -> Turn:
    x, y, z, w = turn
    return -x, -y, -z, w
