"""What a source morph does to a character at a given weight, in terms that posing and drawing understand.

A morph is a list of effects and of flips. Effects are linear in the weight (bones turn along the shortest arc); a flip
(PMX 2.1) shows exactly one of several morphs, chosen by the weight.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from farm.models.posing.turns import NO_TURN, Turn, after, share_of

type Vector = tuple[float, float, float]


@dataclass(frozen=True, slots=True)
class ShapeEffect:
    """Moves vertices: `offsets` (n, 3) in world axes at weight 1, added to `vertices` (n,), each of which stands once."""

    vertices: NDArray[np.int32]
    offsets: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class BoneEffect:
    """Moves and turns a bone, in world axes."""

    bone: int
    """Index among the file's bones."""
    move: Vector
    turn: Turn


@dataclass(frozen=True, slots=True)
class UVEffect:
    """Moves texture coordinates: `offsets` (n, 2) at weight 1, added to `vertices` (n,), each of which stands once."""

    vertices: NDArray[np.int32]
    offsets: NDArray[np.float32]
    second: bool = False
    """Whether it moves `Vertices.second_uvs`."""


@dataclass(frozen=True, slots=True)
class PaintEffect:
    """Changes a surface's paint: multiplies by lerp(1, `times`, weight), then adds weight times `plus`."""

    surface: int
    times: NDArray[np.float32]
    plus: NDArray[np.float32]


type Effect = ShapeEffect | BoneEffect | UVEffect | PaintEffect


@dataclass(slots=True)
class Morph:
    """A source morph, taken apart."""

    effects: list[tuple[Effect, float]] = field(default_factory=list)
    """Each with the share of the morph's weight that it gets."""
    flips: list["Flip"] = field(default_factory=list)

    def at(self, weight: float) -> Iterator[tuple[Effect, float]]:
        """The effects that show at `weight`, each with its strength."""
        for effect, share in self.effects:
            yield effect, weight * share
        for flip in self.flips:
            yield from flip.at(weight)

    def every(self) -> Iterator[Effect]:
        """All effects that show at any weight."""
        for effect, _ in self.effects:
            yield effect
        for flip in self.flips:
            for choice, _ in flip.choices:
                yield from choice.every()


@dataclass(slots=True)
class Flip:
    """One of several morphs at a time: of n choices, weight w in [0, 1] shows number floor((n + 1) w) - 1, or none."""

    choices: list[tuple[Morph, float]]
    """Each morph with the weight that it shows at."""

    def at(self, weight: float) -> Iterator[tuple[Effect, float]]:
        """The effects of the chosen morph."""
        number = min(int((len(self.choices) + 1) * weight), len(self.choices)) - 1
        if number >= 0:
            morph, own_weight = self.choices[number]
            yield from morph.at(own_weight)


@dataclass(slots=True)
class Combined:
    """All effects of a pose, added up by what they act on."""

    shapes: list[tuple[ShapeEffect, float]]
    bones: dict[int, tuple[Vector, Turn]]
    uvs: list[tuple[UVEffect, float]]
    paints: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]]
    """Surface to (factors, summands)."""


def combine(effects: Iterable[tuple[Effect, float]]) -> Combined:
    """Add up `effects`; several on one thing work together, whatever their order."""
    total = Combined([], {}, [], {})
    for effect, strength in effects:
        match effect:
            case ShapeEffect():
                total.shapes.append((effect, strength))
            case BoneEffect(bone=bone, move=(x, y, z), turn=turn):
                (own_x, own_y, own_z), turned = total.bones.get(bone, ((0.0, 0.0, 0.0), NO_TURN))
                moved = (own_x + x * strength, own_y + y * strength, own_z + z * strength)
                total.bones[bone] = moved, after(share_of(turn, strength), turned)
            case UVEffect():
                total.uvs.append((effect, strength))
            case PaintEffect(surface=surface, times=times, plus=plus):
                factors, summands = total.paints.get(surface, (np.ones_like(times), np.zeros_like(plus)))
                factors = factors * (1 + (times - 1) * np.float32(strength))
                total.paints[surface] = (factors, summands + plus * np.float32(strength))
    return total
