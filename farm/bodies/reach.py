"""How far a body reaches: where its limbs can be in any pose, to frame it so that nothing of it is cut off.

A frame must not depend on which samples are drawn, so it holds fixed poses: each movement alone as far as it goes, and many
in which every movement is at one of its ends or at rest. The furthest that limbs reach lies at ends.
"""

from collections.abc import Iterator, Mapping

import numpy as np
from numpy.typing import NDArray

from farm.models.posing.morphs import BoneEffect, Morph, combine
from farm.models.posing.skeleton import Skeleton, Skin
from farm.models.posing.turns import NO_TURN, Turn
from farm.poses import uniform

_DRAWN = 160
_DIRECTIONS = 48
"""In which the vertices of each joint that lie furthest stand for all of them."""

type Points = NDArray[np.float32]


def reached(
    skeleton: Skeleton,
    skin: Skin,
    positions: Points,
    stance: Mapping[int, Turn],
    movements: Mapping[int, Morph],
    bends: Mapping[int, tuple[float, float]],
) -> Points:
    """(m, 3) points about all that poses of a body make of `positions` (n, 3), the vertices as the file has them.

    `movements` are morphs by number, `bends` how far each of them plays.
    """
    chosen = _furthest(skin, positions, len(skeleton.joints))
    some, points = skin.of(chosen, positions), positions[chosen]
    stands = [(BoneEffect(bone, (0.0, 0.0, 0.0), turn), 1.0) for bone, turn in stance.items()]
    found = []
    for pose in _poses(bends):
        played = [part for number, value in pose.items() for part in movements[number].at(value)]
        placed = points.copy()
        some.take(placed, skeleton.pose(combine([*stands, *played]).bones, NO_TURN))
        found.append(placed)
    return np.concatenate(found)


def _furthest(skin: Skin, positions: Points, count: int) -> NDArray[np.int32]:
    """(k,) the vertices that lie furthest among those that each of `count` joints holds, and of those that stand still."""
    steps = np.arange(_DIRECTIONS) + 0.5
    heights, turns = 1 - 2 * steps / _DIRECTIONS, np.pi * (1 + 5**0.5) * steps
    widths = np.sqrt(1 - heights**2)
    ways = np.stack([widths * np.cos(turns), widths * np.sin(turns), heights]).astype(np.float32)
    held = (skin.held_by(joint) for joint in range(-1, count))
    found = [vertices[(positions[vertices] @ ways).argmax(axis=0)] for vertices in held if len(vertices)]
    return np.unique(np.concatenate([np.zeros(0, np.int32), *found]))


def _poses(bends: Mapping[int, tuple[float, float]]) -> Iterator[dict[int, float]]:
    yield {}
    for number, ends in bends.items():
        for end in ends:
            if end:
                yield {number: end}
    for index in range(_DRAWN if bends else 0):
        places = {number: int(uniform(0, "reach", index, str(number)) * 3) for number in bends}
        yield {number: (low, 0.0, high)[places[number]] for number, (low, high) in bends.items() if places[number] != 1}
