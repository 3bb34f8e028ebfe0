"""Rotations as unit quaternions x, y, z, w: four plain numbers, since a pose has few of them."""

from math import acos, cos, sin, sqrt

import numpy as np
from numpy.typing import NDArray

type Turn = tuple[float, float, float, float]
NO_TURN: Turn = (0.0, 0.0, 0.0, 1.0)
_TINY = 1e-6


def unit(x: float, y: float, z: float, w: float) -> Turn:
    """The rotation of a quaternion of any length; none for one without a length."""
    length = sqrt(x * x + y * y + z * z + w * w)
    return (x / length, y / length, z / length, w / length) if length > _TINY else NO_TURN


def after(second: Turn, first: Turn) -> Turn:
    """First the one, then the other."""
    (ax, ay, az, aw), (bx, by, bz, bw) = second, first
    return (
        aw * bx + ax * bw + ay * bz - az * by,
        aw * by - ax * bz + ay * bw + az * bx,
        aw * bz + ax * by - ay * bx + az * bw,
        aw * bw - ax * bx - ay * by - az * bz,
    )


def share_of(turn: Turn, share: float) -> Turn:
    """`share` of a rotation, about the same axis the short way round; any share, negative ones too."""
    x, y, z, w = turn if turn[3] >= 0 else (-turn[0], -turn[1], -turn[2], -turn[3])
    length = sqrt(x * x + y * y + z * z)
    if length < _TINY:
        return NO_TURN
    half = acos(min(1.0, w)) * share
    along = sin(half) / length
    return (x * along, y * along, z * along, cos(half))


def matrix_of(turn: Turn) -> NDArray[np.float64]:
    """(3, 3) for column vectors."""
    x, y, z, w = turn
    return np.array(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )


def turn_of(matrix: NDArray[np.float64]) -> Turn:
    """The rotation of a (3, 3) matrix that turns by less than half a circle."""
    w = sqrt(max(0.0, 1 + float(np.trace(matrix)))) / 2
    if w < _TINY:
        raise ValueError("a turn by half a circle has no one axis here")
    x, y, z = matrix[2, 1] - matrix[1, 2], matrix[0, 2] - matrix[2, 0], matrix[1, 0] - matrix[0, 1]
    return unit(float(x) / (4 * w), float(y) / (4 * w), float(z) / (4 * w), w)


def quaternions(matrices: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, 4) unit quaternions x, y, z, w of (n, 3, 3) rotations, half circles among them."""
    m = np.asarray(matrices, np.float64)
    x, y, z = m[:, 0, 0], m[:, 1, 1], m[:, 2, 2]
    # Four times the products of the parts with each other; the row of the largest part is the safest to divide.
    squares = np.stack([1 + x - y - z, 1 - x + y - z, 1 - x - y + z, 1 + x + y + z], axis=1)
    xy, xz, yz = m[:, 0, 1] + m[:, 1, 0], m[:, 0, 2] + m[:, 2, 0], m[:, 1, 2] + m[:, 2, 1]
    xw, yw, zw = m[:, 2, 1] - m[:, 1, 2], m[:, 0, 2] - m[:, 2, 0], m[:, 1, 0] - m[:, 0, 1]
    products = np.stack(
        [
            np.stack([squares[:, 0], xy, xz, xw], axis=1),
            np.stack([xy, squares[:, 1], yz, yw], axis=1),
            np.stack([xz, yz, squares[:, 2], zw], axis=1),
            np.stack([xw, yw, zw, squares[:, 3]], axis=1),
        ],
        axis=1,
    )
    chosen = products[np.arange(len(m)), squares.argmax(axis=1)]
    return np.asarray(chosen / np.linalg.norm(chosen, axis=1, keepdims=True), np.float64)


def between_turns(
    first: NDArray[np.float64], second: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(n, 4) `first` where (n,) `shares` are 0, `second` where they are 1, the short way round at an even pace (slerp)."""
    cosine = (first * second).sum(axis=1)
    near = np.where(cosine < 0, -1.0, 1.0)[:, None] * second
    angle = np.arccos(np.abs(cosine).clip(0, 1))
    sine = np.sin(angle)
    even = sine < _TINY  # so near that a straight line does
    whole = np.where(even, 1.0, sine)
    a = np.where(even, 1 - shares, np.sin((1 - shares) * angle) / whole)
    b = np.where(even, shares, np.sin(shares * angle) / whole)
    mixed = a[:, None] * first + b[:, None] * near
    return np.asarray(mixed / np.linalg.norm(mixed, axis=1, keepdims=True), np.float64)


def turned(vectors: NDArray[np.floating], turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) `vectors`, each turned by its one of (n, 4) `turns`."""
    axes = turns[:, :3]
    once = np.cross(axes, vectors) + turns[:, 3:] * vectors
    return np.asarray(vectors + 2 * np.cross(axes, once), np.float64)


def units(turns: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, 4) quaternions at length 1; no turn for those without a length."""
    given = np.asarray(turns, np.float64)
    lengths = np.linalg.norm(given, axis=1, keepdims=True)
    none = np.tile(np.array(NO_TURN), (len(given), 1))
    return np.asarray(np.divide(given, lengths, out=none, where=lengths > _TINY), np.float64)


def products(second: NDArray[np.float64], first: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) first the one, then the other, row by row; either may be one turn (4,) for all."""
    ax, ay, az, aw = np.moveaxis(second, -1, 0)
    bx, by, bz, bw = np.moveaxis(first, -1, 0)
    return np.stack(
        [
            aw * bx + ax * bw + ay * bz - az * by,
            aw * by - ax * bz + ay * bw + az * bx,
            aw * bz + ax * by - ay * bx + az * bw,
            aw * bw - ax * bx - ay * by - az * bz,
        ],
        axis=-1,
    )


def undone(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 4) or (4,) the turns back."""
    return np.asarray(turns * np.array([-1.0, -1.0, -1.0, 1.0]))
