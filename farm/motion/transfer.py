"""Brings the turns of one body onto another by way of VRM's humanoid, where the two rest and are built differently.

How far each bone is turned against the world, away from its rest, is taken from the source. Arms rest at an angle in
MikuMikuDance and level in VRM, so what brings the target's rest into the source's goes first. What a bone does by itself is
then the difference to the bone above it. The hips' way is scaled by the heights of the hips.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np

from farm.models.description import Axes, Character
from farm.models.posing.turns import NO_TURN, products, turned, undone
from farm.morphs.names import normalise
from farm.motion.bones import humanoid_bones
from farm.motion.channels import Doubles
from farm.motion.description import Convention, Motion, Rest
from farm.motion.humanoid import ROLES, STANDARD, HumanoidBone
from farm.motion.resting import heads_of, levelled

_TINY = 1e-6


@dataclass(frozen=True, slots=True)
class Own:
    """What one bone does by itself at n times, in world axes and the target's unit."""

    bone: int
    moves: Doubles | None
    """(n, 3); None where it only turns."""
    turns: Doubles
    """(n, 4)"""


def world_turns(turns: Doubles, axes: Axes) -> Doubles:
    """(n, 4) turns about a file's axes as turns about the world's."""
    matrix = np.array(axes.to_world, np.float64)
    hand = -1.0 if np.linalg.det(matrix) < 0 else 1.0
    return np.concatenate([turns[:, :3] @ matrix.T * hand, turns[:, 3:]], axis=1)


class Transfer:
    """Plays one motion on one character through the humanoid."""

    def __init__(self, motion: Motion, character: Character) -> None:
        self._motion = motion
        self._tracks = {_key(motion, track.name): track for track in motion.bones}
        self._world = np.array(motion.axes.to_world, np.float64)
        self._heads = heads_of(character)
        self._bones = humanoid_bones(character)
        self._onto_mmd = not character.humanoid
        self._pivot = self._hips_place()
        self._scale = self._scaled(character)
        self._before = {
            name: self._into_rest(ROLES[name]) for name in self._bones if self._rests_otherwise(ROLES[name])
        }

    @property
    def bones(self) -> frozenset[int]:
        """Those that it may move or turn: what the target lacks of the humanoid is done by the next bone below."""
        return frozenset(self._bones.values())

    @property
    def hips(self) -> int | None:
        """The bone that takes the hips' way; None: the target has none."""
        return self._bones.get("hips")

    @property
    def absent(self) -> tuple[str, ...]:
        """Bones of the motion, by its names, that move nothing here."""
        used = {_key(self._motion, name) for name in self._names_used()}
        return tuple(track.name for track in self._motion.bones if _key(self._motion, track.name) not in used)

    def at(self, times: Doubles) -> list[Own]:
        """What bones do at (n,) times."""
        away = self._turns(times)
        for name, before in self._before.items():
            away[name] = products(away[name], before)
        found: list[Own] = []
        for name, bone in self._bones.items():
            above = self._above(name)
            turns = products(undone(away[above]), away[name]) if above else away[name]
            moves = None
            if name == "hips":
                reach = self._pivot - self._heads[bone]
                moves = self._ways(times) * self._scale + reach - turned(np.tile(reach, (len(times), 1)), turns)
            found.append(Own(bone, moves, turns))
        return found

    def _above(self, name: str) -> str:
        """The nearest humanoid bone above that the target has; "" for none."""
        above = ROLES[name].above
        while above and above not in self._bones:
            above = ROLES[above].above
        return above

    def _names_used(self) -> Iterator[str]:
        """The names of bones in the motion's own way that move something on the target."""
        if self._motion.naming is Convention.HUMANOID:
            yield from self._bones
            return
        for name in self._bones:
            yield from ROLES[name].bones
        if "hips" in self._bones:
            yield from STANDARD.root

    def _turns(self, times: Doubles) -> dict[str, Doubles]:
        """(n, 4) how far each humanoid bone is turned away from its rest, against the world."""
        still = np.tile(np.array(NO_TURN), (len(times), 1))
        root = still
        mmd = self._motion.naming is Convention.MMD
        if mmd:
            for bone in STANDARD.root:
                root = self._turned_by(normalise(bone), times, root)
        found: dict[str, Doubles] = {}
        for role in ROLES.values():
            total = root if (mmd and role.rooted) or not role.above else found[role.above]
            for name in map(normalise, role.bones) if mmd else (role.name,):
                total = self._turned_by(name, times, total)
            found[role.name] = total
        return found

    def _turned_by(self, key: str, times: Doubles, above: Doubles) -> Doubles:
        """(n, 4) what a bone is turned by when that above it is turned by `above`."""
        track = self._tracks.get(key)
        if track is None or track.turns is None:
            return above
        return products(above, world_turns(track.turns.at(times), self._motion.axes))

    def _ways(self, times: Doubles) -> Doubles:
        """(n, 3) how far the hips have gone, in world axes and the motion's unit."""
        if self._motion.naming is Convention.HUMANOID:
            return self._move("hips", times)
        still = np.tile(np.array(NO_TURN), (len(times), 1))
        joint = np.array([0.0, 0.0, STANDARD.hips])
        place = np.tile(joint, (len(times), 1))
        chain = [*STANDARD.root.items(), (ROLES["hips"].bones[0], STANDARD.lower_body)]
        for bone, height in reversed(chain):
            pivot = np.array([0.0, 0.0, height])
            key = normalise(bone)
            place = turned(place - pivot, self._turned_by(key, times, still)) + pivot + self._move(key, times)
        return np.asarray(place - joint)

    def _move(self, key: str, times: Doubles) -> Doubles:
        track = self._tracks.get(key)
        if track is None or track.moves is None:
            return np.zeros((len(times), 3))
        return np.asarray(track.moves.at(times) @ self._world.T)

    def _hips_place(self) -> Doubles:
        """Where the hips are at rest: between the legs' joints in MikuMikuDance, where their bone is in VRM."""
        legs = [self._heads[self._bones[name]] for name in ("leftUpperLeg", "rightUpperLeg") if name in self._bones]
        if self._onto_mmd and legs:
            return np.asarray(np.mean(legs, axis=0))
        return np.asarray(self._heads[self._bones["hips"]]) if "hips" in self._bones else np.zeros(3)

    def _scaled(self, character: Character) -> float:
        """What a length of the motion is here."""
        theirs = STANDARD.hips if self._motion.naming is Convention.MMD else self._motion.hips_height
        ours = float(self._pivot[2])
        if theirs > _TINY and ours > _TINY:
            return ours / theirs
        return self._motion.axes.metres / character.axes.metres

    def _rests_otherwise(self, role: HumanoidBone) -> bool:
        """Whether a bone rests in another way than the motion has it."""
        return role.arm and self._onto_mmd == (self._motion.rest is Rest.T_POSE)

    def _into_rest(self, role: HumanoidBone) -> Doubles:
        """(4,) what turns the target's rest into the source's."""
        if not self._onto_mmd:
            half = radians(STANDARD.arms) / 2 * role.side
            return np.array([0.0, sin(half), 0.0, cos(half)])
        return np.array(levelled(role, self._bones, self._heads) or NO_TURN)


def _key(motion: Motion, name: str) -> str:
    """How a track is found: MikuMikuDance's names without regard to width, case and spaces."""
    return normalise(name) if motion.naming is Convention.MMD else name
