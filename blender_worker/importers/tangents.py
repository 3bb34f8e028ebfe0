"""The axes in which normal maps speak. Source: glTF 2.0, section 3.9.3."""

import numpy as np
from numpy.typing import NDArray

from blender_worker.importers.directions import unit

_NOTHING = 1e-12


def tangents(
    positions: NDArray[np.float32], normals: NDArray[np.float32], uvs: NDArray[np.float32], triangles: NDArray[np.int32]
) -> NDArray[np.float32]:
    """(n, 4) as `Vertices.tangents`, for the vertices of `triangles` (m, 3); others have none.

    `positions` and `normals` (n, 3) are the world's, `uvs` (n, 2) are counted from the bottom.
    """
    places, maps = positions[triangles].astype(np.float64), uvs[triangles].astype(np.float64)
    one, other = places[:, 1] - places[:, 0], places[:, 2] - places[:, 0]
    (u1, v1), (u2, v2) = (maps[:, 1] - maps[:, 0]).T, (maps[:, 2] - maps[:, 0]).T
    area = u1 * v2 - u2 * v1
    hand = np.where(area < 0, -1.0, 1.0)[:, None]
    across = unit((one * v2[:, None] - other * v1[:, None]) * hand, _NOTHING)
    up = unit((other * u1[:, None] - one * u2[:, None]) * hand, _NOTHING)
    # Large triangles say more than small ones.
    weight = np.linalg.norm(np.cross(one, other), axis=1, keepdims=True)
    sums = np.zeros((2, len(positions), 3))
    for corner in range(3):
        np.add.at(sums[0], triangles[:, corner], across * weight)
        np.add.at(sums[1], triangles[:, corner], up * weight)
    normal = unit(normals.astype(np.float64), _NOTHING)
    along, upwards = (unit(each - normal * (each * normal).sum(axis=1, keepdims=True), _NOTHING) for each in sums)
    lone = ~along.any(axis=1)  # where mirrored halves of a texture meet they cancel out
    along[lone] = np.cross(upwards, normal)[lone]
    sign = np.where((np.cross(normal, along) * upwards).sum(axis=1) < 0, -1.0, 1.0)
    return np.column_stack([along, sign]).astype(np.float32)
