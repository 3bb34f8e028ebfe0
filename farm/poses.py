"""Pose vectors and their sampling.

A pose is 20 floats: 17 morph weights in [0, 1] (see ``farm/morphs/vocabulary.toml``) and the head's rotation about the
world's X (nod), Y (tilt) and Z (turn) axes in degrees. Every random number is a hash of (seed, model, sample, purpose),
so a sample does not depend on any other, nor on who draws it, when or in which order.
Source of the ranges and of the rule of 100 or 20: AnimeCeleb, arXiv 2111.07640, section 3.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from farm.morphs.columns import extra_values
from farm.morphs.vocabulary import POSE_ENTRIES, Target

POSE_SIZE = POSE_ENTRIES + 3
ROTATION_LIMIT = 20.0
"""Degrees: each head angle is drawn from [-20, 20]."""
LIGHT_RANGE = (0.3, 0.9)
"""The intensity of the one light is drawn from this range."""
BASIS_LIGHT = 0.6
"""Intensity for the neutral face, which the paper leaves open: the middle of the range."""
MANY_TARGETS = 5
"""A model with more annotated target morphs than this gets SAMPLES_MANY samples, any other SAMPLES_FEW."""
SAMPLES_MANY = 100
SAMPLES_FEW = 20
WHOLE_FACE = "face"
"""The part of targets that are an expression of the whole face: such a one plays alone."""
WHOLE_FACE_SHARE = 0.25
"""Of the samples of a model that has targets of the whole face switched on."""
_DIGITS = 6
"""Decimals that every drawn number is rounded to, so that text and binary forms of a pose are the same number."""


class Partition(StrEnum):
    """The two pictures of every sample."""

    FRONTAL = "frontal"
    """Morphs only; the paper's frontalized-expression."""
    ROTATED = "rotated"
    """Morphs and head rotation; the paper's rotated-expression."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One drawn pose; both partitions share its morph weights and its light."""

    index: int
    weights: dict[str, float]
    """Target name to weight in [0, 1]."""
    rotation: tuple[float, float, float]
    """Degrees about world X, Y, Z; the frontal partition leaves it out."""
    light: float

    def rotation_in(self, partition: Partition) -> tuple[float, float, float]:
        """The head's angles in degrees as that partition shows them."""
        return self.rotation if partition is Partition.ROTATED else (0.0, 0.0, 0.0)


NEUTRAL = Sample(index=-1, weights={}, rotation=(0.0, 0.0, 0.0), light=BASIS_LIGHT)
"""The basis image: the neutral face, seen from the front."""


def uniform(seed: int, model: str, sample: int, purpose: str) -> float:
    """A number in [0, 1) that depends on the four arguments and nothing else."""
    key = f"{seed}\x1f{model}\x1f{sample}\x1f{purpose}".encode()
    bits = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big")
    return (bits >> 11) / 2**53  # 53 bits: with all 64, rounding could reach 1.0


def between(low: float, high: float, seed: int, model: str, sample: int, purpose: str) -> float:
    """`uniform` between two bounds, rounded."""
    return round(low + (high - low) * uniform(seed, model, sample, purpose), _DIGITS)


def has_many(targets: int) -> bool:
    """Whether a model with so many annotated target morphs gets the many samples."""
    return targets > MANY_TARGETS


def sample_count(targets: tuple[Target, ...]) -> int:
    """How many samples a model gets by the paper's rule; `targets` are its annotated target morphs."""
    return SAMPLES_MANY if has_many(len(targets)) else SAMPLES_FEW


def draw(seed: int, model: str, index: int, targets: tuple[Target, ...]) -> Sample:
    """Sample `index` of a model: one target morph per part, its weight, the head's rotation and the light.

    `model` is the model's content hash; `targets` are its annotated target morphs in the vocabulary's order.
    """

    def drawn(low: float, high: float, purpose: str) -> float:
        return between(low, high, seed, model, index, purpose)

    by_part: dict[str, list[Target]] = {}
    for target in targets:
        by_part.setdefault(target.part, []).append(target)
    whole = by_part.pop(WHOLE_FACE, [])
    if whole and uniform(seed, model, index, f"{WHOLE_FACE}/alone") < WHOLE_FACE_SHARE:
        by_part = {WHOLE_FACE: whole}
    weights: dict[str, float] = {}
    for part, candidates in by_part.items():
        choice = candidates[int(uniform(seed, model, index, f"{part}/target") * len(candidates))]
        weights[choice.name] = drawn(0.0, 1.0, f"{part}/weight")
    x, y, z = (drawn(-ROTATION_LIMIT, ROTATION_LIMIT, f"rotation/{axis}") for axis in "xyz")
    return Sample(index, weights, (x, y, z), drawn(*LIGHT_RANGE, "light"))


def pose_vector(
    sample: Sample, targets: dict[str, Target], partition: Partition, extended: Sequence[str] = ()
) -> tuple[float, ...]:
    """The 20 floats of `sample` in `partition`, and behind them those of `farm.morphs.columns` for `extended` targets.

    `targets` gives each target's entries by name.
    """
    pose = [0.0] * POSE_ENTRIES
    for name, weight in sample.weights.items():
        for entry in targets[name].entries:
            pose[entry] = weight
    return (*pose, *sample.rotation_in(partition), *extra_values(sample.weights, extended))


def rotation_matrix(degrees: tuple[float, float, float]) -> NDArray[np.float64]:
    """The (3, 3) rotation about world X, then Y, then Z, for column vectors: Rz @ Ry @ Rx."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)
