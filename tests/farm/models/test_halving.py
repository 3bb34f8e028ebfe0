"""Halves of morphs: together the morph, each on its own side alone."""

from collections.abc import Iterator

import numpy as np
import pytest

from farm.models.posing.halving import BAND, Halving
from farm.models.posing.morphs import BoneEffect, Effect, Flip, Morph, PaintEffect, ShapeEffect, UVEffect
from farm.models.posing.turns import NO_TURN
from farm.morphs.vocabulary import Side

MIDDLE, HEIGHT = 0.3, 2.0
ACROSS = np.array([-1.0, -0.05, -0.01, 0.0, 0.03, 0.05, 1.0], np.float32)
"""From the middle; the band is 0.04 wide to each side."""
POSITIONS = np.stack([ACROSS + MIDDLE, 0 * ACROSS, 0 * ACROSS], axis=1).astype(np.float32)
BONES = {0: (MIDDLE + 0.5, 0.0, 1.0), 1: (MIDDLE - 0.5, 0.0, 1.0), 2: (MIDDLE, 0.0, 1.0)}
ALL = np.arange(len(ACROSS), dtype=np.int32)
SHAPE = ShapeEffect(ALL, np.ones((len(ALL), 3), np.float32))


@pytest.fixture
def halving() -> Halving:
    return Halving(POSITIONS, MIDDLE, HEIGHT, BONES)


def moves(morph: Morph, weight: float = 1.0) -> np.ndarray:
    total = np.zeros((len(ALL), 3), np.float32)
    for effect, strength in morph.at(weight):
        assert isinstance(effect, ShapeEffect)
        total[effect.vertices] += effect.offsets * np.float32(strength)
    return total


def test_each_half_moves_its_side_alone_and_both_are_the_morph(halving: Halving) -> None:
    morph = Morph([(SHAPE, 0.5)])

    left, right = (moves(halving.half(morph, side)) for side in (Side.LEFT, Side.RIGHT))

    assert pytest.approx(0.04) == BAND * HEIGHT
    np.testing.assert_allclose(left + right, moves(morph), atol=1e-6)
    np.testing.assert_allclose(left[:, 0], 0.5 * np.array([0, 0, 0.375, 0.5, 0.875, 1, 1]), atol=1e-5)


def test_texture_coordinates_are_halved_likewise(halving: Halving) -> None:
    morph = Morph([(UVEffect(ALL, np.ones((len(ALL), 2), np.float32), second=True), 1.0)])

    ((effect, share),) = halving.half(morph, Side.RIGHT).effects

    assert isinstance(effect, UVEffect)
    assert (effect.second, share) == (True, 1.0)
    assert effect.vertices.tolist() == [0, 1, 2, 3, 4]
    np.testing.assert_allclose(effect.offsets[:, 0], [1, 1, 0.625, 0.5, 0.125], atol=1e-5)


def test_a_bone_moves_on_its_own_side(halving: Halving) -> None:
    bones = [BoneEffect(bone, (0.0, 0.0, 1.0), NO_TURN) for bone in (0, 1)]
    morph = Morph([(bone, 1.0) for bone in bones])

    assert halving.half(morph, Side.LEFT).effects == [(bones[0], 1.0)]
    assert halving.half(morph, Side.RIGHT).effects == [(bones[1], 1.0)]


def undivided() -> Iterator[Effect]:
    yield BoneEffect(2, (0.0, 0.0, 1.0), NO_TURN)
    yield PaintEffect(0, np.ones(4, np.float32), np.zeros(4, np.float32))


@pytest.mark.parametrize("effect", list(undivided()))
def test_what_belongs_to_neither_side_alone_has_no_halves(halving: Halving, effect: Effect) -> None:
    flip = Morph(flips=[Flip([(Morph([(effect, 1.0)]), 1.0)])])

    assert list(halving.half(Morph([(SHAPE, 1.0), (effect, 1.0)]), Side.LEFT).every()) == []
    assert list(halving.half(flip, Side.LEFT).every()) == []


def test_a_flip_shows_the_half_of_what_it_shows(halving: Halving) -> None:
    morph = Morph(flips=[Flip([(Morph([(SHAPE, 1.0)]), 0.5)])])

    half = halving.half(morph, Side.LEFT)

    assert not moves(half, 0.2).any()
    np.testing.assert_allclose(moves(half, 0.9) + moves(halving.half(morph, Side.RIGHT), 0.9), moves(morph, 0.9))
