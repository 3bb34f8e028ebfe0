"""What a motion is on one character: which bones move and how, and which morphs play.

A VMD moves bones of PMX and PMD by their names, as MikuMikuDance does. Everything else goes through the humanoid. Morphs are
found by name, then by the target morph that the name stands for. 付与 follows by itself where the bones are posed. IK is not
solved, and what physics moves stands still.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from farm.models.description import Character
from farm.models.posing.morphs import Vector
from farm.models.posing.turns import NO_TURN, Turn
from farm.morphs.panels import Panel
from farm.morphs.vocabulary import Side, on_side, recognise
from farm.motion.channels import Doubles
from farm.motion.description import BoneTrack, Convention, MorphTrack, Motion
from farm.motion.naming import Names
from farm.motion.transfer import Own, Transfer, world_turns

_NO_MOVE: Vector = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Instant:
    """What a character does at a time."""

    bones: Mapping[int, tuple[Vector, Turn]]
    """By index: move in the character's unit and turn, in world axes, by itself; what `Skeleton.pose` takes."""
    weights: Mapping[int, float]
    """Of source morphs by index, in [0, 1]."""


class Retargeted:
    """One motion on one character."""

    def __init__(self, motion: Motion, character: Character, annotation: Mapping[str, int]) -> None:
        """`annotation` says by index which source morph plays which target morph."""
        self._character = character
        self._directly = motion.naming is Convention.MMD and not character.humanoid
        self._transfer = Transfer(motion, character)
        self._tracks = _by_name(motion, character) if self._directly else {}
        self._morphs = _morphs(motion, character, annotation)
        played = [track for track, _ in self._morphs]
        self.absent_bones = self._unused(motion) if self._directly else self._transfer.absent
        """Names in the motion that move nothing here."""
        self.absent_morphs = tuple(track.name for track in motion.morphs if track not in played)
        """Names in the motion that play nothing here."""

    def _unused(self, motion: Motion) -> tuple[str, ...]:
        used = {track.name for track in self._tracks.values()}
        return tuple(track.name for track in motion.bones if track.name not in used)

    @property
    def moved(self) -> frozenset[int]:
        """The bones that move or turn by themselves."""
        return frozenset(self._tracks) if self._directly else self._transfer.bones

    @property
    def hips(self) -> int | None:
        """The bone that takes the way of the whole body; None: the character has none."""
        return self._transfer.hips

    @property
    def played(self) -> frozenset[int]:
        """The source morphs that play."""
        return frozenset(index for _, indices in self._morphs for index in indices)

    def at(self, times: Doubles) -> list[Instant]:
        """What the character does at each of (n,) times, in seconds."""
        own = self._named(times) if self._directly else self._transfer.at(times)
        bones: list[dict[int, tuple[Vector, Turn]]] = [{} for _ in times]
        for entry in own:
            moves = [_NO_MOVE] * len(times) if entry.moves is None else list(map(tuple, entry.moves.tolist()))
            for place, (move, turn) in enumerate(zip(moves, entry.turns.tolist(), strict=True)):
                x, y, z, w = turn
                if move != _NO_MOVE or (x, y, z, abs(w)) != NO_TURN:
                    bones[place][entry.bone] = move, (x, y, z, w)
        weights = self._weights(times)
        return [
            Instant(moved, {index: float(values[place]) for index, values in weights.items() if values[place] > 0})
            for place, moved in enumerate(bones)
        ]

    def _named(self, times: Doubles) -> list[Own]:
        axes = self._character.axes
        world = np.array(axes.to_world, np.float64)
        still = np.tile(np.array(NO_TURN), (len(times), 1))
        return [
            Own(
                bone,
                track.moves.at(times) @ world.T if track.moves is not None else None,
                world_turns(track.turns.at(times), axes) if track.turns is not None else still,
            )
            for bone, track in self._tracks.items()
        ]

    def _weights(self, times: Doubles) -> dict[int, Doubles]:
        """(n,) the weight of each source morph; several that play one add up."""
        found: dict[int, Doubles] = {}
        for track, indices in self._morphs:
            values = track.weights.at(times)[:, 0].clip(0, 1)
            for index in indices:
                found[index] = np.minimum(found.get(index, 0.0) + values, 1.0)
        return found


def _by_name(motion: Motion, character: Character) -> dict[int, BoneTrack]:
    """The track of each bone of a character for MikuMikuDance."""
    names = Names(character.bones)
    found: dict[int, BoneTrack] = {}
    for track in motion.bones:
        index = names.find(track.name)
        if index is not None:
            found.setdefault(index, track)
    return found


def _morphs(
    motion: Motion, character: Character, annotation: Mapping[str, int]
) -> list[tuple[MorphTrack, tuple[int, ...]]]:
    names = Names(character.morphs)
    found = []
    for track in motion.morphs:
        index = names.find(track.name)
        indices = (index,) if index is not None else _by_target(track.name, annotation)
        if indices:
            found.append((track, indices))
    return found


def _by_target(name: str, annotation: Mapping[str, int]) -> tuple[int, ...]:
    """What plays the target morph that a name stands for: one source morph, or one for each side.

    A motion has no panels; names that count in the eyebrows' panel alone are eyebrows in MikuMikuDance's own characters.
    """
    known = recognise(name, None) or recognise(name, Panel.EYEBROW)
    if known is None:
        return ()
    target = known[0].name
    if target in annotation:
        return (annotation[target],)
    sides = [on_side(target, side) for side in (Side.LEFT, Side.RIGHT)]
    if target == on_side(target, Side.BOTH) and all(side in annotation for side in sides):
        return tuple(dict.fromkeys(annotation[side] for side in sides))
    return ()
