"""What a source morph does to a character at a given weight, in terms that posing and drawing understand.

A morph is a list of effects and of flips. Effects are linear in the weight (bones turn along the shortest arc); a flip
(PMX 2.1) shows exactly one of several morphs, chosen by the weight.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

import bpy
import numpy as np
from mathutils import Quaternion, Vector
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class KeyEffect:
    """Drives a shape key; `factor` is its value at weight 1."""

    key: bpy.types.ShapeKey
    factor: float


@dataclass(frozen=True, slots=True)
class BoneEffect:
    """Moves and turns a bone, in world axes."""

    bone: str
    translation: Vector
    rotation: Quaternion


@dataclass(frozen=True, slots=True)
class UVEffect:
    """Moves texture coordinates: `offsets` (n, 2) at weight 1, added to the drawn vertices `vertices` of a part."""

    part: int
    vertices: NDArray[np.int32]
    offsets: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class PaintEffect:
    """Changes a surface's paint: multiplies by lerp(1, `times`, weight), then adds weight times `plus`."""

    surface: int
    times: NDArray[np.float32]
    plus: NDArray[np.float32]


type Effect = KeyEffect | BoneEffect | UVEffect | PaintEffect


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

    keys: dict[str, tuple[bpy.types.ShapeKey, float]]
    bones: dict[str, tuple[Vector, Quaternion]]
    uvs: list[tuple[UVEffect, float]]
    paints: dict[int, tuple[NDArray[np.float32], NDArray[np.float32]]]
    """Surface to (factors, summands)."""


def share_of(turn: Quaternion, share: float) -> Quaternion:
    """`share` of a rotation, about the same axis the short way round; any share, negative ones too."""
    if turn.w < 0:
        turn = -turn
    return Quaternion(turn.axis, turn.angle * share)


def combine(effects: Iterable[tuple[Effect, float]]) -> Combined:
    """Add up `effects`; several on one thing work together, whatever their order."""
    total = Combined({}, {}, [], {})
    for effect, strength in effects:
        match effect:
            case KeyEffect(key=key, factor=factor):
                name = f"{key.id_data.name}/{key.name}"
                total.keys[name] = (key, total.keys.get(name, (key, 0.0))[1] + strength * factor)
            case BoneEffect(bone=bone, translation=translation, rotation=rotation):
                moved, turned = total.bones.get(bone, (Vector(), Quaternion()))
                turned = share_of(rotation, strength) @ turned
                total.bones[bone] = (moved + translation * strength, turned)
            case UVEffect():
                total.uvs.append((effect, strength))
            case PaintEffect(surface=surface, times=times, plus=plus):
                factors, summands = total.paints.get(surface, (np.ones_like(times), np.zeros_like(plus)))
                factors = factors * (1 + (times - 1) * np.float32(strength))
                total.paints[surface] = (factors, summands + plus * np.float32(strength))
    return total
