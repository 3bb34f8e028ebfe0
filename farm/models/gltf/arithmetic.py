"""Arithmetic of meshes and skins, on arrays of n vertices and m triangles."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.models.description import Floats, Ints

type Doubles = NDArray[np.float64]
type Indices = NDArray[np.int64]


def compacted(corners: Indices, count: int) -> tuple[Indices, Ints]:
    """The vertices that the triangles use, ascending, and the triangles as indices into those."""
    if count > 8 * corners.size:
        used, places = np.unique(corners, return_inverse=True)
        return used, places.reshape(-1, 3).astype(np.int32)
    is_used = np.zeros(count, bool)
    is_used[corners] = True
    used = np.flatnonzero(is_used)
    order = np.zeros(count, np.int32)
    order[used] = np.arange(len(used), dtype=np.int32)
    return used, order[corners]


def blended(palette: Doubles, slots: Indices, weights: Doubles, points: Doubles) -> tuple[Doubles, Doubles | None]:
    """The matrices (n or 1, 3, 4) that skinning blends, and where each bone alone would put the points (n, k, 3).

    A palette of one matrix stands for all bones: then there is nothing to blend, and None to tell apart.
    """
    if len(palette) == 1:
        return palette, None
    total = np.zeros((len(points), 3, 4))
    alone = np.zeros((*slots.shape, 3))
    for slot in range(slots.shape[1]):
        rows = np.flatnonzero(weights[:, slot] > 0)
        matrices = palette[slots[rows, slot]]
        total[rows] += matrices * weights[rows, slot, None, None]
        alone[rows, slot] = applied(matrices[:, :, :3], points[rows]) + matrices[:, :, 3]
    means = applied(total[:, :, :3], points) + total[:, :, 3]
    return total, np.where((weights > 0)[:, :, None], alone, means[:, None])


def applied(matrices: Doubles, vectors: NDArray[Any]) -> Doubles:
    """(n or 1, 3, 3) times (n, 3)."""
    if len(matrices) == 1:
        return np.asarray(vectors @ matrices[0].T)
    return np.asarray(np.einsum("nij,nj->ni", matrices, vectors))


def cofactors(linear: Doubles) -> Doubles:
    """The inverse transpose times the determinant: it turns normals, and exists for flat matrices too."""
    a, b, c = linear[:, 0], linear[:, 1], linear[:, 2]
    return np.stack([np.cross(b, c), np.cross(c, a), np.cross(a, b)], axis=1)


def unit(vectors: NDArray[Any]) -> Floats:
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, lengths, out=np.zeros_like(vectors), where=lengths > 0), np.float32)


def face_normals(positions: Floats, triangles: Ints) -> Floats:
    a, b, c = (positions[triangles[:, corner]] for corner in range(3))
    return np.cross(b - a, c - a)


def bulge(meshes: list[tuple[Floats, Ints]]) -> float:
    """How far the triangles face away from their middle rather than towards it, by volume, in [-1, 1].

    1: all face away from the middle. 0: flat, or as much one way as the other.
    """
    corners = np.concatenate([positions[triangles] for positions, triangles in meshes]).astype(np.float64)
    a, b, c = (corners - corners.mean(axis=(0, 1))).transpose(1, 0, 2)
    volumes = (a * np.cross(b, c)).sum(axis=1)
    both = np.abs(volumes).sum()
    return float(volumes.sum() / both) if both > 0 else 0.0


def smooth_normals(positions: Floats, triangles: Ints) -> Floats:
    faces = face_normals(positions, triangles).astype(np.float64)
    total = np.stack(
        [np.bincount(triangles.ravel(), np.repeat(faces[:, axis], 3), len(positions)) for axis in range(3)], axis=1
    )
    return unit(total)
