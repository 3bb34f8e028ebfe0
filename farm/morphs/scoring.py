"""How well a source morph fits a semantic: a logistic score of its name's promise and its traits.

The numbers stand in `weights.toml`, which says where they come from.
"""

import hashlib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from math import exp, sqrt
from typing import Any

from farm.morphs.naming import Promise, part_of
from farm.morphs.traits import TRAITS

STRAYING = 3.0
"""Spreads from the middle; a trait further out counts as this far out: beyond it the weights have seen nothing."""
PROMISED = (Promise.NAMED, Promise.VARIANT, Promise.AKIN)
"""The promises of a name that stands for the semantic in question."""


@dataclass(frozen=True, slots=True)
class Score:
    """How well one morph fits one semantic."""

    confidence: float
    """In [0, 1]."""
    shares: Mapping[str, float]
    """What each trait adds, in logits: over 0 it speaks for the semantic."""


@dataclass(frozen=True, slots=True)
class Weights:
    """The fitted numbers, as `weights.toml` has them."""

    scales: Mapping[str, Mapping[str, tuple[float, float]]]
    """Part, trait to its middle and its spread."""
    names: Mapping[str, Mapping[str, float]]
    """Semantic, promise to logits."""
    traits: Mapping[str, Mapping[str, tuple[float, float]]]
    """Semantic, trait to logits for a spread from the middle, and for its square."""
    alone: Mapping[str, Mapping[str, float]]
    """Semantic, promise to the share of morphs that play it, on whichever side."""
    true_sides: float
    """The share of one-sided names that say the side that moves."""
    calibration: tuple[float, float]
    """Slope and offset that make the logits of morphs with a promise into those of how often they are right."""

    def score(self, semantic: str, promise: Promise, measured: Mapping[str, float]) -> Score:
        """Score a morph by name and traits (of `farm.morphs.traits.traits`)."""
        scales = self.scales[part_of(semantic)]
        shares = {}
        for trait, value in measured.items():
            linear, square = self.traits[semantic][trait]
            x = standard(value, scales[trait])
            shares[trait] = linear * x + square * x * x
        total = self.names[semantic][promise] + sum(shares.values())
        if promise in PROMISED:
            slope, offset = self.calibration
            total = slope * total + offset
        return Score(logistic(total), shares)

    def by_name(self, semantic: str, promise: Promise, guessed: bool) -> Score:
        """Score a morph of which no movement was measured; `guessed` when the name alone says that it is of one side."""
        return Score(self.alone[semantic].get(promise, 0.0) * (self.true_sides if guessed else 1.0), {})

    def distance(self, part: str, one: Mapping[str, float], other: Mapping[str, float]) -> float:
        """How unlike two morphs move, in spreads of each trait (root of the mean square); 0 when they move alike."""
        scales = self.scales[part]
        squares = [
            (standard(one[trait], scales[trait]) - standard(other[trait], scales[trait])) ** 2
            for trait in TRAITS[part]
            if trait not in _ROUGH
        ]
        return sqrt(sum(squares) / len(squares))


_ROUGH = ("arch", "tilt", "upper", "widening")
"""Traits of the recorded points, which are fewer on each side of a morph that moves both: not for comparing with one side."""


def logistic(total: float) -> float:
    """The probability of logits."""
    return 1 / (1 + exp(-max(min(total, 30.0), -30.0)))


def standard(value: float, scale: tuple[float, float]) -> float:
    """`value` in spreads from the middle, at most STRAYING."""
    middle, spread = scale
    return max(min((value - middle) / spread, STRAYING), -STRAYING)


def _file() -> bytes:
    return files("farm.morphs").joinpath("weights.toml").read_bytes()


@cache
def weights() -> Weights:
    """The weights that come with the farm."""
    return weights_of(tomllib.loads(_file().decode()))


@cache
def weights_version() -> str:
    """Changes with the file."""
    return hashlib.sha256(_file()).hexdigest()[:8]


def weights_of(data: Mapping[str, Any]) -> Weights:
    """Weights from the tables of a `weights.toml`."""

    def pairs(table: Mapping[str, Mapping[str, list[float]]]) -> dict[str, dict[str, tuple[float, float]]]:
        return {key: {trait: (each[0], each[1]) for trait, each in row.items()} for key, row in table.items()}

    slope, offset = data["calibration"]
    return Weights(
        scales=pairs(data["scales"]),
        names=data["names"],
        traits=pairs(data["traits"]),
        alone=data["alone"],
        true_sides=data["true_sides"],
        calibration=(slope, offset),
    )
