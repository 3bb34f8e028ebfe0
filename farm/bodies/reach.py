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
    joints, points = _corners(skin, positions, len(skeleton.joints))
    stands = [(BoneEffect(bone, (0.0, 0.0, 0.0), turn), 1.0) for bone, turn in stance.items()]
    found = [points[joints < 0]]
    points, joints = points[joints >= 0], joints[joints >= 0]
    for pose in _poses(bends):
        played = [part for number, value in pose.items() for part in movements[number].at(value)]
        frames = skeleton.pose(combine([*stands, *played]).bones, NO_TURN)
        found.append((frames.turns[joints] @ points[:, :, None])[:, :, 0] + frames.moves[joints])
    return np.concatenate(found)


def _corners(skin: Skin, positions: Points, count: int) -> tuple[NDArray[np.int32], Points]:
    """(k,) joints, -1 for what stands still, and (k, 3) the points that lie furthest among those that each holds."""
    steps = np.arange(_DIRECTIONS) + 0.5
    heights, turns = 1 - 2 * steps / _DIRECTIONS, np.pi * (1 + 5**0.5) * steps
    widths = np.sqrt(1 - heights**2)
    ways = np.stack([widths * np.cos(turns), widths * np.sin(turns), heights]).astype(np.float32)
    joints, points = [], []
    for joint in range(-1, count):
        held = positions[skin.held_by(joint)]
        if len(held):
            furthest = np.unique((held @ ways).argmax(axis=0))
            joints.append(np.full(len(furthest), joint, np.int32))
            points.append(held[furthest])
    if not joints:
        return np.zeros(0, np.int32), np.zeros((0, 3), np.float32)
    return np.concatenate(joints), np.concatenate(points)


def _poses(bends: Mapping[int, tuple[float, float]]) -> Iterator[dict[int, float]]:
    yield {}
    for number, ends in bends.items():
        for end in ends:
            if end:
                yield {number: end}
    for index in range(_DRAWN if bends else 0):
        places = {number: int(uniform(0, "reach", index, str(number)) * 3) for number in bends}
        yield {number: (low, 0.0, high)[places[number]] for number, (low, high) in bends.items() if places[number] != 1}
