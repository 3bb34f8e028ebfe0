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
        # A tile more all round, for what lies beyond the picture. Columns and rows are apart: numpy is quicker so.
        ends = []
        for axis in range(2):
            place = places[:, axis] * np.float32(size / TILE)
            low, high = ((place + np.float32(by / TILE)).clip(-1, count) for by in (-margin, margin))
            first, last = (np.floor(end).astype(np.int16).take(self._corners) for end in (low, high))
            ends.append(
                (np.minimum(np.minimum(*first[:2]), first[2]) + 1, np.maximum(np.maximum(*last[:2]), last[2]) + 1)
            )
        (left, right), (top, bottom) = ends
        marked = np.zeros((count + 2, count + 2), bool)
        for rows in (top, bottom):
            for columns in (left, right):
                marked.reshape(-1)[rows * (count + 2) + columns] = True
        broad = (right - left >= _FAR_APART) | (bottom - top >= _FAR_APART)
        for x, y, last_x, last_y in set(zip(*(end[broad].tolist() for end in (left, top, right, bottom)), strict=True)):
            marked[y : last_y + 1, x : last_x + 1] = True
        return marked[1:-1, 1:-1]


def squares(tiles: NDArray[np.bool_], size: int) -> NDArray[np.float32]:
    """(6 m, 2) corners in [-1, 1] of two triangles for each of the m tiles that are True, the first row at -1."""
    rows, columns = np.nonzero(tiles)
    low = np.column_stack([columns, rows])[:, None, :]
    corners = np.array([(0, 0), (1, 0), (1, 1), (0, 0), (1, 1), (0, 1)])
    return np.asarray(((low + corners) * (2 * TILE / size) - 1).reshape(-1, 2), np.float32)
