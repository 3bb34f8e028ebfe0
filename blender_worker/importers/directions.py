"""Directions as arrays."""

import numpy as np
from numpy.typing import NDArray

_NOTHING = 1e-6
"""Of a normal that is none."""


def unit[F: np.floating](vectors: NDArray[F], least: float) -> NDArray[F]:
    """(n, 3) of length 1, or 0 where they were no longer than `least`."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > least))


def completed(
    normals: NDArray[np.float32], positions: NDArray[np.float32], triangles: NDArray[np.int32]
) -> NDArray[np.float32]:
    """(n, 3) the normals, and where a vertex has none, the mean of the (m, 3) triangles about it."""
    lost = ~(np.abs(normals) > _NOTHING).any(axis=1)
    about = triangles[lost[triangles].any(axis=1)]
    if not len(about):
        return normals
    a, b, c = positions[about].astype(np.float64).transpose(1, 0, 2)
    across = np.cross(b - a, c - a).repeat(3, axis=0)
    sums = np.column_stack([np.bincount(about.ravel(), across[:, axis], len(normals)) for axis in range(3)])
    found = normals.copy()
    found[lost] = unit(sums[lost], 0.0)
    return found
