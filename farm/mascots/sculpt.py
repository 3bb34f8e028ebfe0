"""Geometry that the mascots are made of: curves, sheets, tubes, and the mesh that gathers the patches.

Everything here is in the axes of `farm.models.description`: X to the character's left, Y up, the character looks along
-Z, triangles clockwise seen from outside. Lengths are model units of about 8 cm.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import ArrayLike, NDArray

from farm.models.description import Ints

type Array = NDArray[np.float64]
type Rig = Callable[[Array], Array]
"""Maps positions (n, 3) to bone weights (n, number of bones), rows summing to 1."""


class Spline:
    """Natural cubic spline through `values` (k, ...) at `knots` (k,); ends continue as straight lines would."""

    def __init__(self, values: ArrayLike, knots: ArrayLike | None = None) -> None:
        self.values = np.asarray(values, dtype=np.float64)
        count = len(self.values)
        self.knots = np.linspace(0.0, 1.0, count) if knots is None else np.asarray(knots, dtype=np.float64)
        steps = np.diff(self.knots)
        system = np.eye(count)
        right = np.zeros_like(self.values)
        for i in range(1, count - 1):
            system[i, i - 1 : i + 2] = (steps[i - 1], 2.0 * (steps[i - 1] + steps[i]), steps[i])
            right[i] = 6.0 * (
                (self.values[i + 1] - self.values[i]) / steps[i] - (self.values[i] - self.values[i - 1]) / steps[i - 1]
            )
        self.curvatures = np.linalg.solve(system, right.reshape(count, -1)).reshape(self.values.shape)

    def __call__(self, at: ArrayLike) -> Array:
        """The curve at `at` (any shape): shape of `at` + shape of one value."""
        x = np.clip(np.asarray(at, dtype=np.float64), self.knots[0], self.knots[-1])
        i = np.clip(np.searchsorted(self.knots, x, side="right") - 1, 0, len(self.knots) - 2)
        step = (self.knots[i + 1] - self.knots[i]).reshape(x.shape + (1,) * (self.values.ndim - 1))
        a = (self.knots[i + 1].reshape(x.shape) - x).reshape(step.shape) / step
        b = 1.0 - a
        bend = ((a**3 - a) * self.curvatures[i] + (b**3 - b) * self.curvatures[i + 1]) * step**2 / 6.0
        result: Array = a * self.values[i] + b * self.values[i + 1] + bend
        return result


def curve(points: ArrayLike, count: int) -> Array:
    """`count` points, evenly spaced by chord length, on a smooth curve through `points` (k, d): (count, d)."""
    through = np.asarray(points, dtype=np.float64)
    knots = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(through, axis=0), axis=1))])
    return Spline(through, knots)(np.linspace(0.0, knots[-1], count))


def smoothstep(low: float, high: float, x: ArrayLike) -> Array:
    """0 below `low`, 1 above `high`, smooth in between."""
    t = np.clip((np.asarray(x, dtype=np.float64) - low) / (high - low), 0.0, 1.0)
    result: Array = t * t * (3.0 - 2.0 * t)
    return result


def unit(vectors: Array) -> Array:
    """The vectors (..., 3) at length 1."""
    result: Array = vectors / np.maximum(np.linalg.norm(vectors, axis=-1, keepdims=True), 1e-12)
    return result


@dataclass(frozen=True)
class Patch:
    """A piece of surface with the shapes it can take."""

    positions: Array
    """(n, 3)"""
    normals: Array
    """(n, 3), of unit length."""
    uvs: Array
    """(n, 2), v counted from the top of the picture."""
    triangles: Ints
    """(m, 3)"""
    shapes: Mapping[str, Array] = field(default_factory=dict)
    """Other positions (n, 3) of the same vertices; the builder makes morphs of them."""
    edge: Array | None = None
    """(n,) factor on the outline width; None means 1 everywhere."""


def mirrored(patch: Patch) -> Patch:
    """The patch reflected at the plane X = 0; the texture coordinates stay."""
    flip = np.array([-1.0, 1.0, 1.0])
    return replace(
        patch,
        positions=patch.positions * flip,
        normals=patch.normals * flip,
        triangles=patch.triangles[:, ::-1],
        shapes={name: positions * flip for name, positions in patch.shapes.items()},
    )


def grid_triangles(rows: int, columns: int, *, wrap: bool = False) -> Ints:
    """Triangles of a grid, clockwise where rows go up and columns right; `wrap` joins the last column to the first."""
    row, column = np.meshgrid(np.arange(rows - 1), np.arange(columns if wrap else columns - 1), indexing="ij")
    after = (column + 1) % columns
    a, b = row * columns + column, row * columns + after
    c, d = a + columns, b + columns
    return np.stack([np.stack([a, c, d], -1), np.stack([a, d, b], -1)], 2).reshape(-1, 3).astype(np.int32)


def smooth_normals(positions: Array, triangles: Ints) -> Array:
    """Normals (n, 3) averaged by area over the triangles; vertices at one place share their normal."""
    a, b, c = (positions[triangles[:, i]] for i in range(3))
    faces = np.cross(b - a, c - a)
    _, place = np.unique(np.round(positions, 5), axis=0, return_inverse=True)
    place = place.reshape(-1)
    total = np.zeros((place.max() + 1, 3))
    for corner in range(3):
        np.add.at(total, place[triangles[:, corner]], faces)
    return unit(total[place])


def sheet(points: Array, uvs: Array, *, wrap: bool = False, flip: bool = False, normals: Array | None = None) -> Patch:
    """A grid (rows, columns, 3) as a patch; its outside is where rows go up and columns go right, unless `flip`."""
    rows, columns, _ = points.shape
    triangles = grid_triangles(rows, columns, wrap=wrap)
    if flip:
        triangles = triangles[:, ::-1]
    positions = points.reshape(-1, 3)
    if normals is None:
        normals = smooth_normals(positions, triangles)
    return Patch(positions, normals.reshape(-1, 3), uvs.reshape(-1, 2), triangles)


def joined(patches: Sequence[Patch]) -> Patch:
    """Several patches without shapes as one."""
    starts = np.cumsum([0] + [len(patch.positions) for patch in patches[:-1]])
    return Patch(
        np.concatenate([patch.positions for patch in patches]),
        np.concatenate([patch.normals for patch in patches]),
        np.concatenate([patch.uvs for patch in patches]),
        np.concatenate([patch.triangles + start for patch, start in zip(patches, starts, strict=True)]).astype(
            np.int32
        ),
        edge=np.concatenate([np.ones(len(p.positions)) if p.edge is None else p.edge for p in patches]),
    )


_RIM = np.array([-1.0, -0.62, 0.0, 0.62, 1.0, 0.55, -0.55])
"""Across a ribbon: five points over its front, two back along its rear."""
_RIM_HEIGHT = np.array([0.0, 0.62, 1.0, 0.62, 0.0, -0.4, -0.4])


def ribbon(
    centres: Array, outward: Array, half_widths: Array, thickness: Array, uv_of: Callable[[Array, Array], Array]
) -> Patch:
    """A closed, lens-shaped strand along a path, as locks of hair and laces are.

    `centres` and `outward` (n, 3) run from root to tip, `half_widths` and `thickness` are (n,). `uv_of` takes the place
    across in [-1, 1] and along in [0, 1] and returns texture coordinates.
    """
    tangents = unit(np.gradient(centres, axis=0))
    side = unit(np.cross(outward, tangents))
    up = unit(np.cross(tangents, side))
    points = (
        centres[:, None]
        + side[:, None] * (half_widths[:, None] * _RIM)[..., None]
        + up[:, None] * (thickness[:, None] * _RIM_HEIGHT)[..., None]
    )
    along = np.linspace(0.0, 1.0, len(centres))
    uvs = uv_of(np.broadcast_to(_RIM, points.shape[:2]), np.broadcast_to(along[:, None], points.shape[:2]))
    patch = sheet(points, uvs, wrap=True)
    outwards = np.einsum(
        "ij,ij->i", patch.normals, np.repeat(up, len(_RIM), axis=0) * np.tile(_RIM_HEIGHT, len(centres))[:, None]
    )
    if outwards.sum() < 0.0:
        patch = sheet(points, uvs, wrap=True, flip=True)
    taper = np.repeat(np.clip(half_widths / max(float(half_widths.max()), 1e-9) * 2.5, 0.25, 1.0), len(_RIM))
    return replace(patch, edge=taper)


def tube(centres: Array, radii: Array, uv: Array, *, sides: int = 12, closed: bool = False) -> Patch:
    """A round tube along a path (n, 3) with `radii` (n,); every vertex gets `uv` (2,) or (n, 2) per ring."""
    if closed:
        tangents = unit(np.roll(centres, -1, axis=0) - np.roll(centres, 1, axis=0))
    else:
        tangents = unit(np.gradient(centres, axis=0))
    # Any direction that the path never takes will do: rings lie level, all other tubes hang.
    aid = np.array([0.0, 1.0, 0.0]) if closed else np.array([0.0, 0.0, 1.0])
    side = unit(np.cross(np.broadcast_to(aid, tangents.shape), tangents))
    up = np.cross(tangents, side)
    angle = np.linspace(0.0, 2.0 * np.pi, sides, endpoint=False)
    spokes = side[:, None] * np.cos(angle)[:, None] + up[:, None] * np.sin(angle)[:, None]
    points = centres[:, None] + spokes * radii[:, None, None]
    coordinates = np.broadcast_to(uv if uv.ndim == 1 else uv[:, None, :], (*points.shape[:2], 2))
    if closed:
        points = np.concatenate([points, points[:1]])
        coordinates = np.concatenate([coordinates, coordinates[:1]])
        spokes = np.concatenate([spokes, spokes[:1]])
    patch = sheet(points, coordinates, wrap=True)
    if np.einsum("ij,ij->", patch.normals, spokes.reshape(-1, 3)) < 0.0:
        patch = sheet(points, coordinates, wrap=True, flip=True)
    return patch


def ellipsoid(centre: ArrayLike, radii: ArrayLike, uv: Array, *, rows: int = 9, columns: int = 14) -> Patch:
    """A closed ellipsoid, all of it at one texture coordinate."""
    latitude = np.linspace(-0.5 * np.pi, 0.5 * np.pi, rows)[:, None]
    longitude = np.linspace(0.0, 2.0 * np.pi, columns, endpoint=False)[None]
    directions = np.stack(
        [
            np.cos(latitude) * np.sin(longitude),
            np.sin(latitude) * np.ones_like(longitude),
            -np.cos(latitude) * np.cos(longitude),
        ],
        -1,
    )
    size = np.asarray(radii, dtype=np.float64)
    points = np.asarray(centre, dtype=np.float64) + directions * size
    return sheet(points, np.broadcast_to(uv, (rows, columns, 2)), wrap=True, normals=unit(directions / size))


class Mesh:
    """Gathers patches under materials, in the order in which the materials are drawn."""

    def __init__(self, materials: Sequence[str]) -> None:
        self._patches: dict[str, list[tuple[Patch, Rig, str]]] = {name: [] for name in materials}

    def add(self, material: str, patch: Patch, rig: Rig, side: str = "") -> None:
        """Adds a patch; shapes of a patch with a `side` are kept apart as "shape.side"."""
        self._patches[material].append((patch, rig, side))

    def add_pair(self, material: str, patch: Patch, rig: Rig, mirror_rig: Rig | None = None) -> None:
        """Adds a patch of the character's left and its mirror image on the right."""
        self.add(material, patch, rig, "left")
        self.add(material, mirrored(patch), mirror_rig or rig, "right")

    def finished(self) -> "FlatMesh":
        """All patches as flat arrays."""
        positions, normals, uvs, weights, edges, triangles = [], [], [], [], [], []
        runs: dict[str, tuple[int, int]] = {}
        shapes: dict[str, list[tuple[Ints, Array]]] = {}
        count = drawn = 0
        for material, patches in self._patches.items():
            first = drawn
            for patch, rig, side in patches:
                size = len(patch.positions)
                positions.append(patch.positions)
                normals.append(patch.normals)
                uvs.append(patch.uvs)
                weights.append(rig(patch.positions))
                edges.append(np.ones(size) if patch.edge is None else patch.edge)
                triangles.append(patch.triangles + count)
                drawn += len(patch.triangles)
                for name, moved in patch.shapes.items():
                    offsets = moved - patch.positions
                    touched = np.flatnonzero(np.abs(offsets).max(axis=1) > 1e-6).astype(np.int32)
                    key = f"{name}.{side}" if side else name
                    shapes.setdefault(key, []).append((touched + np.int32(count), offsets[touched]))
                count += size
            runs[material] = (first, drawn - first)
        return FlatMesh(
            np.concatenate(positions),
            np.concatenate(normals),
            np.concatenate(uvs),
            np.concatenate(weights),
            np.concatenate(edges),
            np.concatenate(triangles).astype(np.int32),
            runs,
            {
                name: (np.concatenate([v for v, _ in moves]), np.concatenate([o for _, o in moves]))
                for name, moves in shapes.items()
            },
        )


@dataclass(frozen=True)
class FlatMesh:
    """A mesh as flat arrays; n vertices, m triangles, b bones."""

    positions: Array
    normals: Array
    uvs: Array
    weights: Array
    """(n, b), rows summing to 1."""
    edges: Array
    triangles: Ints
    runs: dict[str, tuple[int, int]]
    """Material name to (first triangle, number of triangles)."""
    shapes: dict[str, tuple[Ints, Array]]
    """Shape name to (vertices (k,), offsets (k, 3))."""
