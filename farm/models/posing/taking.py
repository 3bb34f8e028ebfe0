"""Takes source morphs apart into effects: groups are flattened, all vertices that one morph moves become one shape."""

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from farm.models.description import BoneMorph, Character, Expression, GroupMorph, Morph, VertexMorph
from farm.models.posing.morphs import BoneEffect, Effect, Flip, ShapeEffect, UVEffect
from farm.models.posing.morphs import Morph as Taken
from farm.models.posing.turns import unit

MOST_STEPS = 30_000_000
"""Vertices (and other things) that all morphs of a model may move together: groups of groups in a hostile file would
multiply without end."""
_MOST_DEPTH = 64
"""Groups inside groups."""
_STEP = 1000
"""What a morph costs besides its vertices, in vertices."""

type Pieces = list[tuple[NDArray[np.int32], NDArray[np.float32]]]
"""Vertices (n,) and how far each moves (n, 3), in the file's axes."""


def no_looks(_: Morph) -> Iterator[Effect]:
    """What a morph does besides moving something, for those who want to know of movement only."""
    return iter(())


class Taker:
    """Takes the morphs of one character apart."""

    def __init__(
        self, character: Character, world: NDArray[np.float32], looks: Callable[[Morph], Iterable[Effect]] = no_looks
    ) -> None:
        """`world` (3, 3) leads from the file's axes to the world's.

        `looks` gives the effects of a morph, no group, on paint and texture coordinates.
        """
        self._character, self._world, self._looks = character, world, looks
        self.steps = 0
        """What it has cost so far; beyond MOST_STEPS nothing more is taken apart."""

    def morph(self, index: int) -> Taken:
        """One source morph at weight 1."""
        return self._morph(index, frozenset())

    def _morph(self, index: int, seen: frozenset[int]) -> Taken:
        result = Taken()
        pieces: Pieces = []
        self._collect([(index, 1.0)], seen, pieces, result)
        vertices, offsets = summed(pieces)
        if len(vertices):
            shape = ShapeEffect(vertices, np.ascontiguousarray(offsets @ self._world.T))
            result.effects.insert(0, (shape, 1.0))
        return result

    def _collect(self, roots: Iterable[tuple[int, float]], seen: frozenset[int], pieces: Pieces, result: Taken) -> None:
        """Add the source morphs `roots` to `pieces` and `result`; a group that contains itself is cut there."""
        for index, weight in roots:
            morph = self._character.morphs[index]
            self.steps += _STEP + (len(morph.vertices) if isinstance(morph, VertexMorph) else 0)
            if self.steps > MOST_STEPS:
                return
            match morph:
                case VertexMorph():
                    pieces.append((morph.vertices, morph.offsets * np.float32(weight)))
                case Expression():
                    self._add_targets(morph, weight, pieces)
                case BoneMorph():
                    result.effects += [(effect, weight) for effect in self._bone_effects(morph)]
                case GroupMorph() if index not in seen and len(seen) < _MOST_DEPTH:
                    children = list(zip(morph.morphs.tolist(), morph.weights.tolist(), strict=True))
                    inside = seen | {index}
                    if morph.flip:
                        result.flips.append(Flip([(self._morph(child, inside), own) for child, own in children]))
                    else:
                        self._collect([(child, own * weight) for child, own in children], inside, pieces, result)
                case _:
                    pass
            if not isinstance(morph, GroupMorph):
                self._add_looks(morph, weight, result)

    def _add_looks(self, morph: Morph, weight: float, result: Taken) -> None:
        for effect in self._looks(morph):
            self.steps += _STEP + (len(effect.vertices) if isinstance(effect, UVEffect) else 0)
            if self.steps > MOST_STEPS:
                return
            result.effects.append((effect, weight))

    def _add_targets(self, morph: Expression, weight: float, pieces: Pieces) -> None:
        for number, share in morph.targets:
            target = self._character.targets[number]
            self.steps += _STEP + len(target.vertices)
            if self.steps > MOST_STEPS:
                return
            pieces.append((target.vertices, target.offsets * np.float32(share * weight)))

    def _bone_effects(self, morph: BoneMorph) -> Iterator[BoneEffect]:
        """The bone effects in world axes; a mirror among the axes turns rotations the other way round."""
        hand = -1.0 if np.linalg.det(self._world) < 0 else 1.0
        rows = zip(morph.bones.tolist(), morph.translations @ self._world.T, morph.rotations, strict=True)
        for bone, move, turn in rows:
            x, y, z = (self._world @ turn[:3] * hand).tolist()
            right, back, up = move.tolist()
            yield BoneEffect(bone, (right, back, up), unit(x, y, z, float(turn[3])))


def summed(pieces: Pieces) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """The vertices that move, each once and in order, and how far: the sum over `pieces`, in their order."""
    if not pieces:
        return np.zeros(0, np.int32), np.zeros((0, 3), np.float32)
    row = np.concatenate([piece for piece, _ in pieces])
    vertices = np.arange(int(row.max(initial=-1)) + 1)
    if len(row) < len(vertices):  # else a place for each is cheaper than to sort them
        vertices, row = np.unique(row, return_inverse=True)
    offsets = np.zeros((len(vertices), 3), np.float32)
    np.add.at(offsets, row, np.concatenate([moves for _, moves in pieces]))
    moved = offsets.any(axis=1)
    return vertices[moved].astype(np.int32), offsets[moved]
