"""Channels: values that change with time, and what is between their keys.

Times are seconds. Between two keys a channel goes on evenly, keeps the first value, or follows a curve: VMD's Bezier curves
say how much of the way is done when, glTF's cubic splines go through the keys with given tangents. Turns go the short way
round at an even pace (slerp). Before the first key and after the last one stands still.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from farm.models.posing.turns import between_turns

type Doubles = NDArray[np.float64]

_EXACT = 1e-9
"""Of the way between two keys in time: how exactly a Bezier curve is solved."""
_MOST_STEPS = 64
_BATCH = 4096
"""Times that are worked out at once, which bounds the memory that a long clip takes."""


@dataclass(frozen=True, slots=True)
class Even:
    """Evenly from key to key."""


@dataclass(frozen=True, slots=True)
class Step:
    """Every value stays until the next key."""


@dataclass(frozen=True, slots=True)
class Bezier:
    """How much of the way from the key before is done when, for each key."""

    points: Doubles
    """(k, w, 4) x1, y1, x2, y2 in [0, 1] of each number's curve from (0, 0) to (1, 1); w is 1 for turns."""


@dataclass(frozen=True, slots=True)
class Cubic:
    """glTF's cubic spline: Hermite's, through the keys, by how fast values change there."""

    arriving: Doubles
    """(k, w) change a second just before each key."""
    leaving: Doubles
    """(k, w) just behind it."""


@dataclass(frozen=True, slots=True)
class Channel:
    """Values (k, w) at times; a channel of turns has unit quaternions x, y, z, w."""

    times: Doubles
    """(k,) seconds, ascending, each once; at least one."""
    values: Doubles
    """(k, w)"""
    between: Even | Step | Bezier | Cubic = field(default_factory=Even)
    turns: bool = False

    @property
    def end(self) -> float:
        """When the last key is."""
        return float(self.times[-1])

    def at(self, times: Doubles) -> Doubles:
        """(n, w) the values at (n,) times."""
        found = np.empty((len(times), self.values.shape[1]))
        for first in range(0, len(times), _BATCH):
            found[first : first + _BATCH] = self._at(times[first : first + _BATCH])
        return found

    def _at(self, times: Doubles) -> Doubles:
        last = len(self.times) - 1
        before = (np.searchsorted(self.times, times, side="right") - 1).clip(0, last)
        after = np.minimum(before + 1, last)
        span = self.times[after] - self.times[before]
        done = np.divide(times - self.times[before], span, out=np.zeros(len(times)), where=span > 0).clip(0, 1)
        start, end = self.values[before], self.values[after]
        match self.between:
            case Step():
                return np.asarray(start)
            case Cubic(arriving=arriving, leaving=leaving):
                mixed = _hermite(done[:, None], span[:, None], start, end, leaving[before], arriving[after])
                return _unit(mixed, start) if self.turns else mixed
            case Bezier(points=points):
                shares = bezier(points[after], np.repeat(done[:, None], points.shape[1], axis=1))
            case Even():
                shares = done[:, None]
        return between_turns(start, end, shares[:, 0]) if self.turns else np.asarray(start + (end - start) * shares)


def bezier(points: Doubles, done: Doubles) -> Doubles:
    """(n, w) how far curves have come: y where x is `done` (n, w), for `points` (n, w, 4) of x1, y1, x2, y2.

    x grows along such a curve, as x1 and x2 lie in [0, 1]: Newton's steps, and halves where they would leave what is left.
    """
    x1, y1, x2, y2 = (points[..., place] for place in range(4))
    low, high = np.zeros_like(done), np.ones_like(done)
    along = done.copy()
    for _ in range(_MOST_STEPS):
        error = _curve(x1, x2, along) - done
        if np.abs(error).max(initial=0) < _EXACT:
            break
        high = np.where(error > 0, along, high)
        low = np.where(error > 0, low, along)
        slope = _slope(x1, x2, along)
        step = along - np.divide(error, slope, out=np.full_like(error, np.inf), where=slope > _EXACT)
        along = np.where((step >= low) & (step <= high), step, (low + high) / 2)
    return np.where((x1 == y1) & (x2 == y2), done, _curve(y1, y2, along))


def _curve(first: Doubles, second: Doubles, along: Doubles) -> Doubles:
    """One coordinate of a curve from 0 to 1 with two handles."""
    rest = 1 - along
    return np.asarray(3 * rest * rest * along * first + 3 * rest * along * along * second + along**3)


def _slope(first: Doubles, second: Doubles, along: Doubles) -> Doubles:
    rest = 1 - along
    return np.asarray(3 * rest * rest * first + 6 * rest * along * (second - first) + 3 * along * along * (1 - second))


def _hermite(
    done: Doubles, span: Doubles, start: Doubles, end: Doubles, leaving: Doubles, arriving: Doubles
) -> Doubles:
    square, cube = done * done, done**3
    return np.asarray(
        (2 * cube - 3 * square + 1) * start
        + (cube - 2 * square + done) * span * leaving
        + (3 * square - 2 * cube) * end
        + (cube - square) * span * arriving
    )


def _unit(turns: Doubles, instead: Doubles) -> Doubles:
    """(n, 4) of length 1; `instead` where there is no length."""
    lengths = np.linalg.norm(turns, axis=1, keepdims=True)
    return np.asarray(np.divide(turns, lengths, out=instead.copy(), where=lengths > _EXACT))
