"""Poses and their sampling.

A pose is what a pose space says (`farm.spaces`); the default one is the paper's: 20 floats, 17 morph weights in [0, 1] (see
``farm/morphs/vocabulary.toml``) and the head's rotation about the world's X (nod), Y (tilt) and Z (turn) axes in degrees.
Every random number is a hash of (seed, model, sample, purpose), so a sample does not depend on any other, nor on who draws
it, when or in which order. Source of the light: AnimeCeleb, arXiv 2111.07640, section 3.
"""

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from farm.morphs.columns import extra_values
from farm.morphs.vocabulary import POSE_ENTRIES, Side, Target
from farm.spaces.reading import Group, Vector
from farm.spaces.space import DEFAULT, Space, space_named

_PAPER = space_named(DEFAULT)
POSE_SIZE = POSE_ENTRIES + 3
ROTATION_LIMIT = _PAPER.angles[0][1].range[1]
"""Degrees: each head angle is drawn from [-20, 20]."""
LIGHT_RANGE = (0.3, 0.9)
"""The intensity of the one light is drawn from this range."""
BASIS_LIGHT = 0.6
"""Intensity for the neutral face, which the paper leaves open: the middle of the range."""
MANY_TARGETS = _PAPER.file.samples.more_than
"""A model with more annotated target morphs than this gets SAMPLES_MANY samples, any other SAMPLES_FEW."""
SAMPLES_MANY = _PAPER.file.samples.many
SAMPLES_FEW = _PAPER.file.samples.few
_GIMBAL = 1e-6
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
    """Key of the pose space, in the default one target name, to value."""
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
    """Sample `index` of a model in the default space: one target morph per part, its weight, the head's rotation, the light.

    `model` is the model's content hash; `targets` are its annotated target morphs in the vocabulary's order, such of the
    extended vocabulary among them as are switched on.
    """
    by_part: dict[str, list[str]] = {}
    for target in targets:
        by_part.setdefault(target.part, []).append(target.name)
    return _draw(_PAPER, seed, model, index, by_part)


def draw_in(space: Space, seed: int, model: str, index: int, keys: Sequence[str]) -> Sample:
    """Sample `index` of a model that can play these keys of `space`, as the space's own rules have it."""
    by_group: dict[str, list[str]] = {}
    for name in keys:
        by_group.setdefault(space.keys[name].group.name, []).append(name)
    return _draw(space, seed, model, index, by_group)


def _draw(space: Space, seed: int, model: str, index: int, playable: Mapping[str, list[str]]) -> Sample:
    """`playable` are keys by group; both in the order in which weights are listed."""

    def number(purpose: str) -> float:
        return uniform(seed, model, index, purpose)

    def drawn(bounds: tuple[float, float], purpose: str) -> float:
        return between(*bounds, seed, model, index, purpose)

    def bounds(key: str) -> tuple[float, float]:
        return space.keys[key].parameter.range if key in space.keys else (0.0, 1.0)

    groups = {group.name: group for group in space.file.group}
    playing = {name: keys for name, keys in playable.items() if not groups[name].alone}
    for name, keys in playable.items():
        if groups[name].alone and number(f"{name}/alone") < groups[name].alone:
            playing = {name: keys, **{each: playing[each] for each in playing if groups[each].plays == "each"}}
    weights: dict[str, float] = {}
    for name, keys in playing.items():
        group = groups[name]
        for purpose, choices in _choosings(space, group, keys):
            if group.rest and number(f"{purpose}/rest") < group.rest:
                continue
            chosen = _chosen(choices, number, f"{purpose}/target")
            for place, together in enumerate(chosen):
                value = drawn(bounds(together[0]), f"{purpose}/weight" + (f"/{place}" if place else ""))
                weights.update(dict.fromkeys(together, value))
    rotation = [0.0, 0.0, 0.0]
    for axis, (group, parameter, degrees) in space.angles.items():
        purpose = f"{group.name}/{parameter.name}"
        if not (group.rest and number(f"{purpose}/rest") < group.rest):
            rotation[axis] = round(drawn(parameter.range, purpose) * degrees, _DIGITS)
    x, y, z = rotation
    return Sample(index, weights, (x, y, z), drawn(LIGHT_RANGE, "light"))


type _Choice = tuple[float, tuple[tuple[str, ...], ...]]
"""A share, and what plays if it is chosen: keys that have one weight together, for each weight that is drawn."""


def _choosings(space: Space, group: Group, keys: Sequence[str]) -> Iterator[tuple[str, list[_Choice]]]:
    """What is chosen in a group, one of several choices at a time, each with the purpose of its random numbers."""
    if group.plays == "each":
        for parameter in dict.fromkeys(space.keys[key].parameter.name for key in keys):
            own = [key for key in keys if space.keys[key].parameter.name == parameter]
            yield f"{group.name}/{parameter}", _sides_of(space, group, own)
    elif group.sets:
        found: list[_Choice] = [(1.0, (each,)) for each in map(space.keys_of, group.sets) if set(each) <= set(keys)]
        if found:
            yield group.name, found
    else:
        yield group.name, _sides_of(space, group, keys)


def _sides_of(space: Space, group: Group, keys: Sequence[str]) -> list[_Choice]:
    found: list[_Choice] = []
    for key in keys:
        # Targets that a specification adds to the paper's space are equally likely, whatever their sides.
        side = space.keys[key].side if key in space.keys else None
        found.append((1.0 if side is None else getattr(group.sides, side), ((key,),)))
        left = f"{key.removesuffix(Side.RIGHT)}{Side.LEFT}"
        if side is Side.RIGHT and left in keys and group.sides.apart:
            found.append((group.sides.apart, ((left,), (key,))))
    return found


def _chosen(choices: Sequence[_Choice], number: Callable[[str], float], purpose: str) -> tuple[tuple[str, ...], ...]:
    """One of `choices` by their shares; nothing where none has a share."""
    shares = [share for share, _ in choices]
    if len(set(shares)) == 1:
        return choices[int(number(purpose) * len(choices))][1] if shares[0] else ()
    upto = list(accumulate(shares))
    return choices[min(bisect_right(upto, number(purpose) * upto[-1]), len(choices) - 1)][1]


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


def values_in(space: Space, sample: Sample, partition: Partition) -> dict[str, float]:
    """What of a sample's weights shows in a partition: what is still when frontal, rests there as the head does."""
    if partition is Partition.ROTATED:
        return dict(sample.weights)
    return {
        name: value
        for name, value in sample.weights.items()
        if name not in space.keys or not space.keys[name].group.still_when_frontal
    }


def vector_in(space: Space, sample: Sample, partition: Partition) -> tuple[float, ...]:
    """The pose vector of a sample of `space` in a partition."""
    return space.vector(values_in(space, sample, partition), sample.rotation_in(partition))


def head_matrix(space: Space, sample: Sample, partition: Partition) -> NDArray[np.float64]:
    """The (3, 3) rotation of the head about world axes, that of the body on which it stands included."""
    whole = rotation_matrix(sample.rotation_in(partition))
    for turn in space.trunk_turns(values_in(space, sample, partition)):
        whole = np.asarray(rotation_matrix(turn) @ whole)
    return whole


def angles_of(matrix: NDArray[np.float64]) -> Vector:
    """The degrees about world X, Y, Z of which `rotation_matrix` makes this (3, 3) rotation; that about Y within 90.

    Where X and Z have one axis, which is where Y is 90 degrees, Z is 0.
    """
    across = float(np.hypot(matrix[0, 0], matrix[1, 0]))
    about_y = np.arctan2(-matrix[2, 0], across)
    if across > _GIMBAL:
        about_x, about_z = np.arctan2(matrix[2, 1], matrix[2, 2]), np.arctan2(matrix[1, 0], matrix[0, 0])
    else:
        about_x, about_z = np.arctan2(-matrix[1, 2], matrix[1, 1]), 0.0
    x, y, z = (round(float(np.degrees(angle)), _DIGITS) + 0.0 for angle in (about_x, about_y, about_z))
    return x, y, z


def rotation_matrix(degrees: Vector) -> NDArray[np.float64]:
    """The (3, 3) rotation about world X, then Y, then Z, for column vectors: Rz @ Ry @ Rx."""
    (cx, cy, cz), (sx, sy, sz) = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    about_x = np.array([[1, 0, 0], [0, cx, -sx], [0, sx, cx]])
    about_y = np.array([[cy, 0, sy], [0, 1, 0], [-sy, 0, cy]])
    about_z = np.array([[cz, -sz, 0], [sz, cz, 0], [0, 0, 1]])
    return np.asarray(about_z @ about_y @ about_x)
