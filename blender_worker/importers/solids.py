"""What hides what lies behind it although its material writes no depth.

A blended material of glTF writes none, and leaves the order of drawing to whoever draws: by the file's order alone, hair that
is blended as a whole would cover the face that is before it. Only where a file gives its blended materials queues of their
own did somebody mean an order; else what is solid of them hides, as any solid thing does.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.actor import Run
from blender_worker.character.surface import Surface
from farm.models.materials import GltfMaterial, Material

_SOLID = 0.99
"""Alpha from which nothing shines through."""
_PARTS = 4
"""Into how many parts each side of a triangle is cut, at whose ends its texels are looked at."""
_AT_ONCE = 2**14
"""Triangles that are looked at together: a limit on memory."""


def with_solids(
    runs: Sequence[Run],
    materials: Sequence[Material],
    surfaces: Sequence[Surface],
    uvs: NDArray[np.float32],
    colours: NDArray[np.float32] | None,
) -> list[Run]:
    """The runs, those of blended materials taken apart into what is solid and what is not, where the file gives no order.

    `materials` and `surfaces` have the same numbers, `uvs` (n, 2) count from the bottom, `colours` (n, 4) are the vertices'.
    """
    blended = {run.surface: materials[run.surface] for run in runs if not surfaces[run.surface].writes_depth}
    queues = {material.queue for material in blended.values() if isinstance(material, GltfMaterial)}
    if len(queues) != 1:
        return list(runs)
    found: list[Run] = []
    for run in runs:
        found += _apart(run, surfaces[run.surface], uvs, colours) if run.surface in blended else [run]
    return found


def _apart(run: Run, surface: Surface, uvs: NDArray[np.float32], colours: NDArray[np.float32] | None) -> Iterable[Run]:
    solid = _solid(run.triangles, surface, uvs, colours)
    if not solid.any():
        return [run]
    if solid.all():
        return [replace(run, solid=True)]
    hull = run.triangles if run.hull is None else run.hull  # one outline for both, about all of it
    return [
        Run(run.surface, run.triangles[solid], hull, solid=True),
        Run(run.surface, run.triangles[~solid], np.zeros((0, 3), np.int32)),
    ]


def _solid(
    triangles: NDArray[np.int32], surface: Surface, uvs: NDArray[np.float32], colours: NDArray[np.float32] | None
) -> NDArray[np.bool_]:
    """(m,) through which of the (m, 3) triangles nothing shines, as far as their texels at some places tell."""
    found = np.full(len(triangles), surface.paint.look(surface.paint.values).colour[3] >= _SOLID)
    if colours is not None and surface.detail is not None and surface.detail.coloured:
        found &= (colours[triangles, 3] >= _SOLID).all(axis=1)
    base = surface.base
    if base is None or base.texture.pixels[..., 3].min() >= _SOLID * 255:
        return found
    shares = np.array([(i, j, _PARTS - i - j) for i in range(_PARTS + 1) for j in range(_PARTS + 1 - i)], np.float32)
    for start in range(0, len(triangles), _AT_ONCE):
        rows = slice(start, start + _AT_ONCE)
        places = np.einsum("sc,mcd->msd", shares / _PARTS, uvs[triangles[rows]])
        alpha = base.texels_at(places.reshape(-1, 2))[:, 3].reshape(len(places), -1)
        found[rows] &= (alpha >= _SOLID).all(axis=1)
    return found
