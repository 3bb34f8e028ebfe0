"""Which triangles are what a picture shows at a pixel: those that lie there at the depth that was drawn."""

import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera

_INSIDE = 1e-2
"""By how much a weight of a triangle's corner may be under 0 at a pixel's centre: a graphics card rounds corners."""


class Sight:
    """The triangles of one posed actor, as one camera has them."""

    def __init__(
        self, positions: NDArray[np.float32], triangles: NDArray[np.int32], camera: Camera, metres: float, size: int
    ) -> None:
        """(n, 3) world positions and (m, 3) triangles of them; `metres` is the length of a unit, `size` in pixels."""
        self._triangles, self._flat = triangles, camera.orthographic
        points = positions.astype(np.float64)
        self._screen = camera.project(points, size)
        self._depth = camera.distance_to(points) * metres
        corners = self._screen[triangles]
        self._low, self._high = corners.min(axis=1), corners.max(axis=1)
        self._ahead = self._depth[triangles].min(axis=1) > 0

    def at(self, column: int, row: int, depth: float, within: float) -> NDArray[np.int64]:
        """The triangles that lie at the centre of a pixel no more than `within` metres before or behind `depth`."""
        x, y = column + 0.5, row + 0.5
        low, high = self._low, self._high
        near = (low[:, 0] <= x + 1) & (high[:, 0] >= x - 1) & (low[:, 1] <= y + 1) & (high[:, 1] >= y - 1)
        chosen = np.flatnonzero(near & self._ahead)
        a, b, c = (self._screen[self._triangles[chosen, corner]] for corner in range(3))
        area = _cross(b - a, c - a)
        solid = np.abs(area) > 1e-12
        place = np.array([x, y])
        safe = np.where(solid, area, 1.0)
        second, third = _cross(place - a, c - a) / safe, _cross(b - a, place - a) / safe
        weights = np.column_stack([1 - second - third, second, third])
        there = solid & (weights >= -_INSIDE).all(axis=1)
        depths = self._depth[self._triangles[chosen]]
        # Across a picture in perspective, what grows evenly along a triangle is one over its depth.
        found = (weights * depths).sum(axis=1) if self._flat else 1 / (weights / depths).sum(axis=1)
        return np.asarray(chosen[there & (np.abs(found - depth) <= within)])


def _cross(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(one[..., 0] * other[..., 1] - one[..., 1] * other[..., 0])
