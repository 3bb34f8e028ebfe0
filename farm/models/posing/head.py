"""How high the head is: what the framing and all measures of the face go by.

Two measures. The *bone's*: where the vertices that the head bone holds end. It is right for most characters, and far off
where hair hangs on bones of its own, or where the head bone holds a hat or ears. The *crown*: the height at which the head,
seen from the front, narrows to half of that height. The bone's counts unless the crown gives a reason against it.
"""

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from farm.models.corners import at_all_corners
from farm.models.description import Character
from farm.models.posing.armature import Armature

_HEAD_WEIGHT = 0.5
"""A vertex belongs to the head when the head bone has more than this share of it."""
_ORDINARY_HEAD = 0.25
"""Metres; for a model of which nothing is above its neck."""
_PERCENTILE = 99
"""The head ends where all but this share of its vertices lie lower: a hair or a halo does not count."""
_AGREE = 0.105
"""Share by which the two measures may differ. On the characters at hand they differ by 0.10 at most (a head of 362 vertices
with a tuft; by 0.04 the others)."""
_NARROW = 0.5
"""Of the crown's height: how wide the head is there."""
_ABOVE_CROWN = 0.97
"""Where it is that narrow, as a share of the whole head's height."""
_AXIS = 0.4
"""Of the crown's height: what is further to the side, such as hair in tails, is no part of it."""
_HIGHEST_EYES = 0.62
"""Of a head's height; where eyes would be higher, what was left out is no hat but hair."""
_COLUMNS, _STEPS = 64, 16
"""Columns of the front of a head, and points of an edge that goes through several."""


def head_height(
    character: Character, armature: Armature, neck: int, head: int, positions: NDArray[np.float32]
) -> float:
    """The height of the head over the neck, in the file's unit; of an empty model, something to go on with.

    `neck` and `head` are bones, `positions` (n, 3) all vertices at rest in world axes.
    """
    start = armature.place_of(neck)
    front = np.ascontiguousarray((positions - np.array(start, np.float32))[:, [0, 2]])
    heights = front[:, 1]
    weight = np.where(character.bone_indices == head, character.bone_weights, 0).sum(axis=1)
    held, turning = weight > _HEAD_WEIGHT, armature.turns > _HEAD_WEIGHT
    # Without a head bone the neck stands in for it, and a few vertices of the neck are no head.
    by_head = [held] if head != neck else []
    choices = (heights[chosen] for chosen in (*by_head, turning, heights > 0))
    by_bone = _bone_height(choices, _ORDINARY_HEAD / character.axes.metres)
    roles = enumerate(armature.roles(head))
    eyes = [armature.place_of(bone)[2] - start[2] for bone, role in roles if role in ("leftEye", "rightEye")]
    pieces = [run[at_all_corners(turning, run)] for run in map(character.triangles_of, character.materials)]
    return _by_both(by_bone, front, held, pieces, min(eyes, default=None))


def _bone_height(choices: Iterable[NDArray[np.float32]], fallback: float) -> float:
    """The bone's measure, from heights over the neck of the head's vertices.

    The first of `choices` that gives a positive height counts, `fallback` if none does.
    """
    for heights in choices:
        if len(heights) and (top := float(np.percentile(heights, _PERCENTILE))) > 0:
            return top
    return fallback


def _by_both(
    by_bone: float,
    front: NDArray[np.float32],
    held: NDArray[np.bool_],
    pieces: Sequence[NDArray[np.int32]],
    eyes: float | None,
) -> float:
    """The height of the head over the neck.

    `by_bone` is the bone's measure, `front` (n, 2) the places of all vertices left of the neck and above it, `held` (n,)
    whether the head bone holds them. `pieces` are (m, 3) triangles that turn with the neck, an array for each material;
    `eyes` is the height of the eyes over the neck, if it is known.
    """
    crown = _bare_crown(front, pieces, by_bone, eyes)
    if crown > by_bone * (1 + _AGREE):
        # What the head bone holds itself, however high, is in its measure: only what hangs on others is a reason.
        own = _crown(front, [triangles[at_all_corners(held, triangles)] for triangles in pieces], by_bone)
        return crown if crown > own * (1 + _AGREE) else by_bone
    return crown if 0 < crown * (1 + _AGREE) < by_bone else by_bone


def _bare_crown(
    front: NDArray[np.float32], pieces: Sequence[NDArray[np.int32]], about: float, eyes: float | None
) -> float:
    """The crown without materials that begin above the eyes, such as hats, where that leaves a head."""
    if eyes is not None and eyes > 0:
        below = [triangles for triangles in pieces if len(triangles) and front[triangles, 1].min() < eyes]
        bare = _crown(front, below, about)
        if bare * _HIGHEST_EYES > eyes:
            return bare
    return _crown(front, pieces, about)


def _crown(front: NDArray[np.float32], pieces: Sequence[NDArray[np.int32]], about: float) -> float:
    """The height of a head that is narrow enough near its top; 0 where nothing is as wide as that.

    What is further to the side than twice the height `about` is not looked at.
    """
    column = 4 * about / _COLUMNS
    triangles = np.concatenate([np.zeros((0, 3), np.int32), *pieces])
    edges = triangles[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2)
    starts, ends = front[edges[:, 0]], front[edges[:, 1]]
    seen = (np.abs(starts) < 1e3 * about).all(axis=1) & (np.abs(ends) < 1e3 * about).all(axis=1)
    starts, ends = starts[seen], ends[seen]
    # What is highest of a triangle over any place lies on one of its edges.
    long = np.abs(starts - ends)[:, 0] > column
    shares = np.linspace(0, 1, _STEPS, dtype=np.float32)[:, None, None]
    between = (starts[long] + (ends[long] - starts[long]) * shares).reshape(-1, 2)
    across, up = np.concatenate([starts, between]).T
    inside = np.abs(across) < 2 * about
    places = ((across[inside] + 2 * about) / column).astype(np.int64).clip(0, _COLUMNS - 1)
    tops = np.zeros(_COLUMNS, np.float32)
    np.maximum.at(tops, places, up[inside])
    off_axis = np.abs((np.arange(_COLUMNS) + 0.5) * column - 2 * about)
    for top in sorted(tops[tops > 0].tolist(), reverse=True):
        if ((tops >= top) & (off_axis < _AXIS * top)).sum() * column >= _NARROW * top:
            return float(top) / _ABOVE_CROWN
    return 0.0
