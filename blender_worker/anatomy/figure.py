"""A character as one heap of points and triangles, measured for `anatomy` and `landmarks`.

Lengths are shares of the head's height, positions are relative to the neck bone's head. Axes as everywhere here: +X is
the character's left, the character looks along -Y, Z is up.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.actor import Actor

type Floats = NDArray[np.float64]
type Indices = NDArray[np.int64]
type Mask = NDArray[np.bool_]

_FRONT = (0.0, 0.0, 0.0)
_SIDE = "/(both|left|right)$"
_FAR = 1e3
"""Head heights; nothing of a character is further from its neck, and hostile numbers end here."""
_SEEN = 0.5
"""A surface with less opacity than this at rest hides nothing: MMD models keep blushes and tears that way."""
CLOSE = 0.002
"""A point this little behind a surface lies on it."""
_MIXERS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F, 0x165667B19E3779F9], np.uint64)
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


class Figure:
    """All drawn vertices and triangles of an actor at rest, and how far its annotated targets move them."""

    def __init__(self, actor: Actor, annotation: Mapping[str, str]) -> None:
        self._actor = actor
        self._annotation = annotation
        self._neck = np.nan_to_num(np.array(actor.neck_position, np.float64))
        height = float(actor.head_height)
        self._unit = height if np.isfinite(height) and height > 1e-9 else 1.0
        rest = actor.pose({}, _FRONT)
        counts = [len(part.vertices) for part in actor.parts]
        self.first = np.concatenate([[0], np.cumsum(counts, dtype=np.int64)])
        """(parts + 1,) where the vertices of each part begin."""
        self.points = self._gathered(rest.positions)
        """(n, 3)"""
        self.turns = self._joined([np.nan_to_num(part.turns) for part in actor.parts], np.float64)
        self.bones = self._joined([part.bones for part in actor.parts], np.int64)
        runs = [run.triangles.astype(np.int64) + self.first[run.part] for run in actor.runs]
        self.triangles = np.concatenate([*runs, np.zeros((0, 3), np.int64)])
        """(m, 3) of all runs, one after the other."""
        self.lengths = [len(run) for run in runs]
        self.surface = np.repeat([run.surface for run in actor.runs] or [0], self.lengths or [0]).astype(np.int64)
        """(m,)"""
        opacity = np.array([look.colour[3] for look in rest.looks] or [1.0])
        self.uvs = np.concatenate([np.zeros((0, 2)), *(part.uvs for part in actor.parts)])
        """(n, 2)"""
        self.shown = (opacity[self.surface] >= _SEEN) & ~self._see_through()
        """(m,) whether the triangle can be seen at rest."""
        self.centres = self.points[self.triangles].mean(axis=1)
        """(m, 3)"""
        self.components, self.nodes, self.component_of_node = self._connect()
        self._moves: dict[str, Floats] = {}

    def _joined(self, arrays: list[NDArray[np.generic]], kind: type) -> NDArray:
        return np.concatenate([np.zeros(0, kind), *(array.astype(kind) for array in arrays)])

    def _gathered(self, positions: list[NDArray[np.float32]]) -> Floats:
        stacked = np.concatenate([np.zeros((0, 3)), *positions])
        return np.nan_to_num((stacked - self._neck) / self._unit, nan=0.0).clip(-_FAR, _FAR)

    def _connect(self) -> tuple[Indices, Indices, Indices]:
        """Connected components of triangles within a surface, where vertices at one place are one.

        Returns (m,) the component of each triangle, (k,) one vertex for every place of every component, and the
        component of each of these.
        """
        corners = self.triangles.ravel()
        keys = self.place_keys()[corners] + np.repeat(self.surface, 3).astype(np.uint64) * _MIXERS[1]
        _, chosen, node = np.unique(keys, return_index=True, return_inverse=True)
        label = connected(node.reshape(-1, 3), len(chosen))
        _, component = np.unique(label, return_inverse=True)
        return component[node.reshape(-1, 3)[:, 0]], corners[chosen], component

    def texels(self, surface: int, uvs: Floats) -> NDArray[np.uint8] | None:
        """(n, 4) the pixels of a surface's texture at (n, 2) coordinates; None without one."""
        texture = self._actor.surfaces[surface].texture
        if texture is None or not texture.pixels.size:
            return None
        height, width = texture.pixels.shape[:2]
        u, v = np.nan_to_num(uvs, posinf=0.0, neginf=0.0).T % 1.0
        rows, columns = ((1 - v) * height).astype(np.int64), (u * width).astype(np.int64)
        return np.asarray(texture.pixels[rows.clip(0, height - 1), columns.clip(0, width - 1)])

    def _see_through(self) -> Mask:
        """(m,) whether the texture is transparent in the middle and at the corners of a triangle: shades, free space."""
        result = np.zeros(len(self.triangles), bool)
        for number, surface in enumerate(self._actor.surfaces):
            rows = np.flatnonzero(self.surface == number)
            if surface.opaque or not len(rows):
                continue
            corners = self.uvs[self.triangles[rows]]
            samples = np.concatenate([corners, corners.mean(axis=1, keepdims=True)], axis=1)
            texels = self.texels(number, samples.reshape(-1, 2))
            if texels is not None:
                result[rows] = texels[:, 3].reshape(-1, 4).max(axis=1) < _SEEN * 255
        return result

    def place_keys(self, *targets: str) -> NDArray[np.uint64]:
        """(n,) equal for vertices at one place, at rest and with each of `targets`."""
        key = np.zeros(len(self.points), np.uint64)
        for points in (self.points, *(self.points + self.move(target) for target in targets)):
            bits = np.ascontiguousarray(points.astype(np.float32) + np.float32(0)).view(np.uint32).astype(np.uint64)
            key = key * _MIXERS[2] + (bits * _MIXERS).sum(axis=1, dtype=np.uint64)
        return key

    @cached_property
    def targets(self) -> list[str]:
        """The annotated targets, without their sides, that the actor has."""
        bare = [re.sub(_SIDE, "", name) for name in self._annotation]
        return [name for name in dict.fromkeys(bare) if self._sources(name)]

    def _sources(self, target: str) -> list[str]:
        """The source morphs that together show `target` on both sides."""
        found = {
            side: source
            for side in ("", "/both", "/left", "/right")
            if (source := self._annotation.get(target + side)) is not None and source in self._actor.morphs
        }
        whole = found.get("") or found.get("/both")
        return [whole] if whole is not None else list(found.values())

    def move(self, target: str) -> Floats:
        """(n, 3) how `target` at full weight, on both sides, moves each vertex; zero when the actor does not have it."""
        if target not in self._moves:
            sources = self._sources(target)
            if sources:
                pose = self._actor.pose(dict.fromkeys(sources, 1.0), _FRONT)
                self._moves[target] = self._gathered(pose.positions) - self.points
            else:
                self._moves[target] = np.zeros_like(self.points)
        return self._moves[target]

    def reach(self, targets: Iterable[str]) -> Floats:
        """(n,) how far any of `targets` moves each vertex."""
        far = np.zeros(len(self.points))
        for target in targets:
            np.maximum(far, np.linalg.norm(self.move(target), axis=1), out=far)
        return far

    def vertices_of(self, triangles: Mask) -> Indices:
        """The vertices of the chosen triangles."""
        return np.unique(self.triangles[triangles])

    def boxes(self, triangles: Indices, label: Indices) -> tuple[Indices, Floats, Floats]:
        """The labels in `label` (n,) of some `triangles` (n,), and the lowest and highest corner of each label's box."""
        order = np.argsort(label, kind="stable")
        labels, starts = np.unique(label[order], return_index=True)
        corners = self.points[self.triangles[triangles[order]]]
        low, high = corners.min(axis=1), corners.max(axis=1)
        return labels, np.minimum.reduceat(low, starts), np.maximum.reduceat(high, starts)

    def cast(self, across: NDArray[np.floating], among: Mask) -> Hits:
        """What rays through (n, 2) places x and z meet first of the triangles `among`, from the front."""
        count = len(across)
        hits = Hits(np.full(count, -1, np.int64), np.full((count, 3), np.nan), np.full(count, np.nan))
        if not count or not among.any():
            return hits
        candidates = np.flatnonzero(among)
        flat = self.points[self.triangles[candidates]][:, :, [0, 2]]
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
            depth = (weights * self.points[self.triangles[triangle]][:, :, 1]).sum(axis=1)
            nearer = np.lexsort((depth, ray))
            ray, first = np.unique(ray[nearer], return_index=True)
            first = nearer[first]
            better = depth[first] < nearest[ray]
            ray, first = ray[better], first[better]
            nearest[ray] = hits.depth[ray] = depth[first]
            hits.triangle[ray], hits.weights[ray] = triangle[first], weights[first]
        return hits

    def visible(self, vertices: Indices, among: Mask) -> Mask:
        """(n,) whether nothing `among` hides the vertex from the front."""
        depth = self.cast(self.points[vertices][:, [0, 2]], among).depth
        return ~(self.points[vertices, 1] > depth + CLOSE)


def connected(triangles: Indices, count: int) -> Indices:
    """(count,) a label of the connected component of each node: the smallest node in it."""
    label = np.arange(count)
    edges = triangles[:, [0, 1, 1, 2]].reshape(-1, 2)
    while len(edges):
        one, other = label[edges[:, 0]], label[edges[:, 1]]
        differs = one != other
        if not differs.any():
            break
        edges, one, other = edges[differs], one[differs], other[differs]
        np.minimum.at(label, np.maximum(one, other), np.minimum(one, other))
        while not np.array_equal(further := label[label], label):
            label = further
    return label


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
