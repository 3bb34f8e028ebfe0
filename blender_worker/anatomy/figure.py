"""A character as one heap of points and triangles, measured for `anatomy` and `landmarks`.

Lengths are shares of the head's height, positions are relative to the neck bone's head. Axes as everywhere here: +X is
the character's left, the character looks along -Y, Z is up.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.rays import Floats, Hits, Indices, Mask, cast
from blender_worker.character.actor import FRONT, Actor, Pose
from blender_worker.character.places import MIXERS, place_keys

_SIDE = "/(both|left|right)$"
_FAR = 1e3
"""Head heights; nothing of a character is further from its neck, and hostile numbers end here."""
_SEEN = 0.5
"""A surface with less opacity than this at rest hides nothing: MMD models keep blushes and tears that way."""
CLOSE = 0.002
"""A point this little behind a surface lies on it."""
STIRS = 0.003
"""Head heights by which a target must move a vertex to count; less is what neighbours do."""


@dataclass(frozen=True, slots=True)
class Change:
    """What a target at full weight, on both sides, does."""

    move: Floats
    """(n, 3) to each vertex's place."""
    slide: Floats
    """(n, 2) to its texture coordinates."""
    opacity: Floats
    """(surfaces,) afterwards."""


class Figure:
    """All drawn vertices and triangles of an actor at rest, and how far its annotated targets move them."""

    def __init__(self, actor: Actor, annotation: Mapping[str, int]) -> None:
        self._actor = actor
        self._annotation = annotation
        self._neck = np.nan_to_num(np.array(actor.neck_position, np.float64))
        height = float(actor.head_height)
        self._unit = height if np.isfinite(height) and height > 1e-9 else 1.0
        vertices = actor.vertices
        self.points = self._measured(actor.rest.positions)
        """(n, 3)"""
        self.turns = np.nan_to_num(vertices.turns).astype(np.float64)
        self.bones = vertices.bones.astype(np.int64)
        self.triangles = np.concatenate([np.zeros((0, 3), np.int64), *(run.triangles for run in actor.runs)])
        """(m, 3) of all runs, one after the other."""
        self.lengths = [len(run.triangles) for run in actor.runs]
        self.surface = np.repeat([run.surface for run in actor.runs] or [0], self.lengths or [0]).astype(np.int64)
        """(m,)"""
        self._opacity = self._opacities(actor.rest)
        self.uvs = vertices.uvs.astype(np.float64)
        """(n, 2)"""
        self._painted_over = ~self._see_through()
        self.shown = (self._opacity[self.surface] >= _SEEN) & self._painted_over
        """(m,) whether the triangle can be seen at rest."""
        self.centres = self.points[self.triangles].mean(axis=1)
        """(m, 3)"""
        self.components, self.nodes, self.component_of_node = self._connect()
        self._changes: dict[str, Change] = {}

    def _opacities(self, pose: Pose) -> Floats:
        """(surfaces,)"""
        return np.array([look.colour[3] for look in pose.looks] or [1.0])

    def _measured(self, positions: NDArray[np.float32]) -> Floats:
        """(n, 3) world positions in head heights from the neck."""
        return np.asarray(np.nan_to_num((positions - self._neck) / self._unit, nan=0.0).clip(-_FAR, _FAR))

    def _connect(self) -> tuple[Indices, Indices, Indices]:
        """Connected components of triangles within a surface, where vertices at one place are one.

        Returns (m,) the component of each triangle, (k,) one vertex for every place of every component, and the
        component of each of these.
        """
        corners = self.triangles.ravel()
        keys = self.place_keys()[corners] + np.repeat(self.surface, 3).astype(np.uint64) * MIXERS[1]
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
            key = key * MIXERS[2] + place_keys(points.astype(np.float32))
        return key

    @cached_property
    def targets(self) -> list[str]:
        """The annotated targets, without their sides, that the actor has."""
        bare = [re.sub(_SIDE, "", name) for name in self._annotation]
        return [name for name in dict.fromkeys(bare) if self._sources(name)]

    def _sources(self, target: str) -> list[int]:
        """The source morphs that together show `target` on both sides."""
        found = {
            side: source
            for side in ("", "/both", "/left", "/right")
            if (source := self._annotation.get(target + side)) is not None and source in self._actor.morphs
        }
        whole = found.get("", found.get("/both"))
        return [whole] if whole is not None else list(found.values())

    def change(self, target: str) -> Change:
        """What `target` at full weight, on both sides, does; nothing when the actor does not have it."""
        if target not in self._changes:
            sources = self._sources(target)
            if sources:
                pose = self._actor.pose(dict.fromkeys(sources, 1.0), FRONT)
                slide = np.zeros_like(self.uvs) if pose.uvs is None else np.nan_to_num(pose.uvs - self.uvs)
                self._changes[target] = Change(
                    self._measured(pose.positions) - self.points, slide, self._opacities(pose)
                )
            else:
                self._changes[target] = Change(np.zeros_like(self.points), np.zeros_like(self.uvs), self._opacity)
        return self._changes[target]

    def move(self, target: str) -> Floats:
        """(n, 3) how `target` at full weight, on both sides, moves each vertex; zero when the actor does not have it."""
        return self.change(target).move

    def shown_with(self, target: str) -> Mask:
        """(m,) whether the triangle can be seen with `target` at full weight."""
        return (self.change(target).opacity[self.surface] >= _SEEN) & self._painted_over

    def reach(self, targets: Iterable[str]) -> Floats:
        """(n,) how far any of `targets` moves each vertex."""
        far = np.zeros(len(self.points))
        for target in targets:
            np.maximum(far, np.linalg.norm(self.move(target), axis=1), out=far)
        return far

    def effect(self, targets: Iterable[str]) -> Floats:
        """(n,) how much any of `targets` changes each vertex: the head heights of its way, or of its texture the share
        by which that slides; 1 where its surface appears or vanishes."""
        far = np.zeros(len(self.points))
        for target in targets:
            change = self.change(target)
            np.maximum(far, np.linalg.norm(change.move, axis=1), out=far)
            np.maximum(far, np.abs(change.slide).max(axis=1).clip(0, 1), out=far)
            turned = (change.opacity >= _SEEN) != (self._opacity >= _SEEN)
            if turned.any():
                far[self.vertices_of(turned[self.surface])] = 1.0
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
        return cast(self.points, self.triangles, across, among)

    def visible(self, vertices: Indices, among: Mask) -> Mask:
        """(n,) whether nothing `among` hides the vertex from the front."""
        depth = self.cast(self.points[vertices][:, [0, 2]], among).depth
        return np.asarray(~(self.points[vertices, 1] > depth + CLOSE))


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
