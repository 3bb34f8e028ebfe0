"""Halves of morphs: what a morph of both sides does on one side of the face alone.

Left and right half together are the morph: about the face's middle, in a band, each vertex takes part in both.
"""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from farm.models.posing.morphs import BoneEffect, Effect, Flip, Morph, PaintEffect, ShapeEffect, UVEffect, Vector
from farm.morphs.vocabulary import Side

BAND = 0.02
"""Head heights to each side of the middle: inner corners of eyes and ends of brows begin beyond it."""

_LEAST = 1e-30
"""A band of no width would be divided by."""


class Halving:
    """Halves the morphs of one character."""

    def __init__(
        self, positions: NDArray[np.float32], middle: float, head_height: float, bones: Mapping[int, Vector]
    ) -> None:
        """`positions` (n, 3) and where the `bones` are: at rest in world axes; `middle` is the face's x among them."""
        band = max(BAND * head_height, _LEAST)
        self._band, self._middle, self._bones = band, middle, bones
        self._left = (0.5 + (positions[:, 0] - middle) / (2 * band)).clip(0, 1).astype(np.float32)

    def half(self, morph: Morph, side: Side) -> Morph:
        """The half of `morph` on that side; without any effect where it has something that belongs to neither side alone.

        That are surfaces' paint, and bones in the middle.
        """
        if any(self._is_whole(effect) for effect in morph.every()):
            return Morph()
        return self._half(morph, side)

    def _half(self, morph: Morph, side: Side) -> Morph:
        effects = [(each, share) for effect, share in morph.effects for each in self._part(effect, side)]
        flips = [Flip([(self._half(choice, side), own) for choice, own in flip.choices]) for flip in morph.flips]
        return Morph(effects, flips)

    def _is_whole(self, effect: Effect) -> bool:
        match effect:
            case PaintEffect():
                return True
            case BoneEffect(bone=bone):
                return abs(self._bones[bone][0] - self._middle) <= self._band
            case _:
                return False

    def _part(self, effect: Effect, side: Side) -> list[Effect]:
        match effect:
            case ShapeEffect(vertices=vertices, offsets=offsets):
                taking, shares = self._shares(vertices, side)
                return [ShapeEffect(vertices[taking], offsets[taking] * shares)] if taking.any() else []
            case UVEffect(vertices=vertices, offsets=offsets, second=second):
                taking, shares = self._shares(vertices, side)
                return [UVEffect(vertices[taking], offsets[taking] * shares, second)] if taking.any() else []
            case BoneEffect(bone=bone):
                return [effect] if (self._bones[bone][0] > self._middle) == (side is Side.LEFT) else []
            case _:
                return []

    def _shares(self, vertices: NDArray[np.int32], side: Side) -> tuple[NDArray[np.bool_], NDArray[np.float32]]:
        """Which of `vertices` take part, and (k, 1) how much those do."""
        share = self._left[vertices] if side is Side.LEFT else 1 - self._left[vertices]
        taking = share > 0
        return taking, share[taking, None]
