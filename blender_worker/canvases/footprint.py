"""Which parts of a picture an actor can touch: what follows its drawing need look at nothing else."""

import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from farm.models.corners import corners_of

TILE = 16
"""Side of a tile in pixels; a picture's last ones may reach beyond its edge."""
_FAR_APART = 2
"""Tiles along an axis between the ends of a box from which some that it touches hold none of its corners."""


class Footprint:
    """Where on a picture some triangles are."""

    def __init__(self, triangles: NDArray[np.int32]) -> None:
        """`triangles` are (m, 3) vertices of an actor."""
        self._vertices = corners_of(triangles)
        places = np.zeros(self._vertices.max(initial=-1) + 1, np.intp)
        places[self._vertices] = np.arange(len(self._vertices))
        self._corners = places[triangles.T]

    def tiles(self, positions: NDArray[np.float32], camera: Camera, size: int, margin: float) -> NDArray[np.bool_]:
        """(n, n) which tiles of a picture of `size` pixels, top row first, the triangles come near.

        `positions` are those of all vertices, (vertices, 3); `margin` is how far, in pixels, something drawn reaches beyond
        its triangle. Some tiles too many may be named, none too few.
        """
        count = -(-size // TILE)
        if not len(self._vertices):
            return np.zeros((count, count), bool)
        points = positions.take(self._vertices, axis=0)
        places, depths = camera.project(points, 1), points @ camera.axes()[2].astype(np.float32)
        if not depths.max() < camera.position() @ camera.axes()[2] - camera.near:
            return np.ones((count, count), bool)  # where on the screen a point behind the camera is means nothing
        # A tile more all round, for what lies beyond the picture.
        boxes = np.empty((len(points), 4), np.int16)
        for axis in range(2):
            place = places[:, axis] * np.float32(size / TILE)
            for end, by in ((axis, -margin), (axis + 2, margin)):
                boxes[:, end] = (place + np.float32(by / TILE + 1)).clip(0, count + 1)
        marked = np.zeros((count + 2, count + 2), bool)
        _mark(marked, *boxes.T)
        # Most triangles are small, so that all three corners have the same box, which is marked by now.
        corners = boxes.view(np.int64)[:, 0].take(self._corners)
        apart = np.flatnonzero((corners[0] != corners[1]) | (corners[0] != corners[2]))
        first, second, third = corners.take(apart, axis=1).view(np.int16).reshape(3, -1, 4)
        left, top = np.minimum(np.minimum(first, second), third).T[:2]
        right, bottom = np.maximum(np.maximum(first, second), third).T[2:]
        _mark(marked, left, top, right, bottom)
        broad = (right - left >= _FAR_APART) | (bottom - top >= _FAR_APART)
        for x, y, last_x, last_y in set(zip(*(end[broad].tolist() for end in (left, top, right, bottom)), strict=True)):
            marked[y : last_y + 1, x : last_x + 1] = True
        return marked[1:-1, 1:-1]


def _mark(
    marked: NDArray[np.bool_],
    left: NDArray[np.int16],
    top: NDArray[np.int16],
    right: NDArray[np.int16],
    bottom: NDArray[np.int16],
) -> None:
    """Mark the tiles at the corners of boxes."""
    across = marked.shape[1]
    for rows in (top.astype(np.intp) * across, bottom.astype(np.intp) * across):
        for columns in (left, right):
            marked.reshape(-1)[rows + columns] = True


def squares(tiles: NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    """(6 m, 2) corners in [-1, 1] of two triangles for each of the m tiles that are True, the first row at -1."""
    rows, columns = np.nonzero(tiles)
    low = np.column_stack([columns, rows])[:, None, :]
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 0), (1, 1), (0, 1)])
    return np.asarray(((low + corners) * (2 * TILE / size) - 1).reshape(-1, 2), np.float32)
