"""Directions as arrays."""

import numpy as np
from numpy.typing import NDArray

from farm.models.corners import at_any_corner

_NOTHING = 1e-6
"""Of a normal that is none."""
_INSIDE_OUT = 0.9
"""Share of a surface's area that faces against its normals, from where on it is wound the other way round."""


def unit[F: np.floating](vectors: NDArray[F], least: float) -> NDArray[F]:
    """(n, 3) of length 1, or 0 where they were no longer than `least`."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > least))


def completed(
    normals: NDArray[np.float32], positions: NDArray[np.float32], triangles: NDArray[np.int32]
) -> NDArray[np.float32]:
    """(n, 3) the normals, and where a vertex has none, the mean of the (m, 3) triangles about it."""
    lost = ~(np.abs(normals) > _NOTHING).any(axis=1)
    about = triangles[at_any_corner(lost, triangles)]
    if not len(about):
        return normals
    a, b, c = positions[about].astype(np.float64).transpose(1, 0, 2)
    across = np.cross(b - a, c - a).repeat(3, axis=0)
    sums = np.column_stack([np.bincount(about.ravel(), across[:, axis], len(normals)) for axis in range(3)])
    found = normals.copy()
    found[lost] = unit(sums[lost], 0.0)
    return found


def inside_out(triangles: NDArray[np.int32], positions: NDArray[np.float32], normals: NDArray[np.float32]) -> bool:
    """Whether nearly all of (m, 3) triangles face against the normals of their corners."""
    a, b, c = positions[triangles].astype(np.float64).transpose(1, 0, 2)
    with np.errstate(all="ignore"):  # a file may hold any numbers
        across = np.cross(b - a, c - a)
        area = np.linalg.norm(across, axis=1)
        against = (across * normals[triangles].sum(axis=1)).sum(axis=1) < 0
        return bool(area[against].sum() > _INSIDE_OUT * area.sum())
