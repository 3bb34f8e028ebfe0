"""What props are made of: tubes, sheets and rings of few triangles, with normals, texture coordinates and how it is held.

Lengths are head heights. Axes as everywhere: x is the character's left, y its back, z up.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.rays import Floats

_TINY = 1e-9


@dataclass(frozen=True, slots=True)
class Shape:
    """Triangles of one colour."""

    points: Floats
    """(n, 3)"""
    normals: Floats
    """(n, 3) of unit length."""
    uvs: Floats
    """(n, 2) in [0, 1], v from the bottom."""
    held: Floats
    """(n,) how much of each vertex the head holds, in [0, 1]; what is below the neck holds the rest."""
    triangles: NDArray[np.int64]
    """(m, 3) counter-clockwise from outside."""
    colour: tuple[float, float, float]
    """sRGB, in [0, 1]."""
    double_sided: bool = False


def joined(shapes: Sequence[Shape]) -> Shape:
    """Shapes of one colour as one."""
    starts = np.cumsum([0, *(len(shape.points) for shape in shapes)])[:-1]
    return Shape(
        np.concatenate([shape.points for shape in shapes]),
        np.concatenate([shape.normals for shape in shapes]),
        np.concatenate([shape.uvs for shape in shapes]),
        np.concatenate([shape.held for shape in shapes]),
        np.concatenate([shape.triangles + start for shape, start in zip(shapes, starts, strict=True)]),
        shapes[0].colour,
        any(shape.double_sided for shape in shapes),
    )


def sheet(
    grid: Floats,
    colour: tuple[float, float, float],
    held: Floats | None = None,
    closed: tuple[bool, bool] = (False, False),
    double_sided: bool = False,
) -> Shape:
    """A surface through (rows, columns, 3) points; from outside, rows go down and columns to the right.

    `closed` says whether the last row, and the last column, meet the first. `held` is (rows,), 1 where it is None.
    """
    rows, columns = grid.shape[:2]
    down = np.arange(rows if closed[0] else rows - 1)
    right = np.arange(columns if closed[1] else columns - 1)
    r, c = (each.ravel() for each in np.meshgrid(down, right, indexing="ij"))
    below, beside = (r + 1) % rows, (c + 1) % columns
    a, b, d, e = r * columns + c, below * columns + c, below * columns + beside, r * columns + beside
    triangles = np.concatenate([np.column_stack([a, b, d]), np.column_stack([a, d, e])])
    points = grid.reshape(-1, 3)
    places = np.stack(np.meshgrid(np.linspace(0, 1, columns), np.linspace(1, 0, rows)), -1).reshape(-1, 2)
    shares = np.ones(rows) if held is None else held
    return Shape(
        points, _normals(points, triangles), places, np.repeat(shares, columns), triangles, colour, double_sided
    )


def tube(
    line: Floats, radius: float, colour: tuple[float, float, float], closed: bool = False, sides: int = 6
) -> Shape:
    """A tube of that radius along (n, 3) points; `closed`: its end is its beginning."""
    if closed:
        ways = np.roll(line, -1, axis=0) - np.roll(line, 1, axis=0)
    else:
        ways = np.gradient(line, axis=0)
    ways = _unit(ways)
    # Carried along the line, so that the tube is not twisted.
    across = np.zeros_like(ways)
    across[0] = _unit(np.cross(ways[0], np.eye(3)[np.abs(ways[0]).argmin()]))
    for number in range(1, len(ways)):
        last = across[number - 1]
        across[number] = _unit(last - (last @ ways[number]) * ways[number])
    other = np.cross(ways, across)
    angles = np.arange(sides) * 2 * np.pi / sides
    outward = across[:, None] * np.cos(angles)[:, None] + other[:, None] * np.sin(angles)[:, None]
    grid = line[:, None] + radius * outward
    shape = sheet(grid, colour, closed=(closed, True))
    facing = (np.einsum("ij,ij->i", shape.normals, outward.reshape(-1, 3)) > 0).mean() > 0.5
    triangles = shape.triangles if facing else shape.triangles[:, ::-1]
    return Shape(shape.points, outward.reshape(-1, 3), shape.uvs, shape.held, triangles, colour)


def disc(rim: Floats, middle: Floats, colour: tuple[float, float, float]) -> Shape:
    """A flat or domed disc within (n, 3) points about a `middle` (3,); it has two sides."""
    count = len(rim)
    points = np.concatenate([rim, middle[None]])
    turn = np.arange(count)
    triangles = np.column_stack([np.full(count, count), turn, (turn + 1) % count])
    normals = _normals(points, triangles)
    if normals[:, 1].mean() > 0:
        triangles, normals = triangles[:, ::-1], -normals
    low, high = points.min(axis=0), points.max(axis=0)
    places = ((points - low) / np.maximum(high - low, _TINY))[:, [0, 2]]
    return Shape(points, normals, places, np.ones(count + 1), triangles, colour, double_sided=True)


def _normals(points: Floats, triangles: NDArray[np.int64]) -> Floats:
    """(n, 3) the mean of the triangles' about each vertex, by their area."""
    a, b, c = (points[triangles[:, corner]] for corner in range(3))
    flat = np.cross(b - a, c - a)
    found = np.zeros_like(points)
    for corner in range(3):
        np.add.at(found, triangles[:, corner], flat)
    return _unit(found)


def _unit(ways: Floats) -> Floats:
    return np.asarray(ways / np.linalg.norm(ways, axis=-1, keepdims=True).clip(_TINY))
