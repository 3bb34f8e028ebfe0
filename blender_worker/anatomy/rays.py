"""What rays from the front meet first: the one question that anatomy asks of triangles.

Rays run along +Y, away from whoever looks at the character.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

type Floats = NDArray[np.float64]
type Indices = NDArray[np.int64]
type Mask = NDArray[np.bool_]

_MOST_PAIRS = 2**22
"""Rays and triangles that are tried for one question; a character of 50,000 vertices needs a quarter of that."""
_PAIRS_AT_ONCE = 2**20
"""Rays and triangles that are tried together: a limit on memory."""


@dataclass(frozen=True, slots=True)
class Hits:
    """What rays along +Y meet first; -1 and NaN where they meet nothing."""

    triangle: Indices
    """(n,)"""
    weights: Floats
    """(n, 3) of the triangle's corners."""
    depth: Floats
    """(n,) y."""


def cast(points: Floats, triangles: Indices, across: NDArray[np.floating], among: Mask) -> Hits:
    """What rays through (n, 2) places x and z meet first, from the front.

    Of the (m, 3) `triangles` of (k, 3) `points` those `among` (m,) count.
    """
    count = len(across)
    hits = Hits(np.full(count, -1, np.int64), np.full((count, 3), np.nan), np.full(count, np.nan))
    if not count or not among.any():
        return hits
    candidates = np.flatnonzero(among)
    flat = points[triangles[candidates]][:, :, [0, 2]]
    low, high = flat.min(axis=1), flat.max(axis=1)
    inside = ((low <= across.max(axis=0)) & (high >= across.min(axis=0)) & (low < high)).all(axis=1)
    candidates, flat, low, high = candidates[inside], flat[inside], low[inside], high[inside]
    # Rays in the order of their x: those that a triangle can meet stand side by side.
    order = np.argsort(across[:, 0], kind="stable")
    sorted_x = across[order, 0]
    begin = np.searchsorted(sorted_x, low[:, 0], side="left")
    number = np.searchsorted(sorted_x, high[:, 0], side="right") - begin
    if number.sum() > _MOST_PAIRS:  # a hostile model: its broadest triangles count as not there
        narrow = np.argsort(number, kind="stable")
        number[narrow[np.cumsum(number[narrow]) > _MOST_PAIRS]] = 0
    nearest = np.full(count, np.inf)
    for rows in _portions(number):
        ray = order[_ranges(begin[rows], number[rows])]
        owner = np.repeat(np.arange(rows.start, rows.stop), number[rows])
        z = across[ray, 1]
        near = (z >= low[owner, 1]) & (z <= high[owner, 1])
        ray, owner = ray[near], owner[near]
        weights = _barycentric(across[ray], flat[owner])
        hit = (weights >= -1e-6).all(axis=1)
        ray, weights, triangle = ray[hit], weights[hit], candidates[owner[hit]]
        depth = (weights * points[triangles[triangle]][:, :, 1]).sum(axis=1)
        nearer = np.lexsort((depth, ray))
        ray, first = np.unique(ray[nearer], return_index=True)
        first = nearer[first]
        better = depth[first] < nearest[ray]
        ray, first = ray[better], first[better]
        nearest[ray] = hits.depth[ray] = depth[first]
        hits.triangle[ray], hits.weights[ray] = triangle[first], weights[first]
    return hits


def _portions(numbers: Indices) -> Iterator[slice]:
    """Slices of `numbers` whose sums stay near `_PAIRS_AT_ONCE`."""
    ends = np.cumsum(numbers)
    start = 0
    while start < len(numbers):
        done = ends[start - 1] if start else 0
        stop = max(start + 1, int(np.searchsorted(ends, done + _PAIRS_AT_ONCE, side="right")))
        yield slice(start, stop)
        start = stop


def _ranges(begin: Indices, number: Indices) -> Indices:
    """The numbers from each of `begin` on, as many as `number` says, one range after the other."""
    before = np.cumsum(number) - number
    return np.arange(int(number.sum())) - np.repeat(before - begin, number)


def _barycentric(places: Floats, triangles: Floats) -> Floats:
    """(n, 3) weights of the corners of (n, 3, 2) triangles at (n, 2) places; -1 for triangles without an area."""
    a, b, c = (triangles[:, i] for i in range(3))
    (bx, bz), (cx, cz), (px, pz) = (b - a).T, (c - a).T, (places - a).T
    area = bx * cz - bz * cx
    flat = np.abs(area) < 1e-14
    area = np.where(flat, 1.0, area)
    second, third = (px * cz - pz * cx) / area, (bx * pz - bz * px) / area
    weights = np.column_stack([1 - second - third, second, third])
    weights[flat] = -1.0
    return weights
