"""Outlines for the surfaces that bring none: `ink` would otherwise show of many characters what `toon` shows.

A line is drawn round what has a shape of its own: hair, face, clothes. Details of a face (eyes, lashes, brows, cheeks) are
drawings in themselves, and a hull about them would blot them; they are told by being low. What shows who
looks at the face its back alone is not drawn, and has no line either.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.actor import Run
from blender_worker.character.surface import Surface
from farm.colour import linear_of

_WIDTH = 1.25
"""Of the style's own outline: 1.4 pixels of a picture of 256."""
_LOW = 0.3
"""Share of the head's height; what is lower than that is a detail."""
_SOLID, _MOSTLY = 0.5, 0.8
"""Alpha from which a point is solid, and the share of a surface's points that have to be."""
_TURNED = 0.9
"""Share of a surface's area from which it shows its back alone."""
_SHADE = 0.05
"""The line's colour as a share of the surface's own, linear light."""


def add_outlines(
    surfaces: Sequence[Surface],
    runs: Sequence[Run],
    positions: NDArray[np.float32],
    uvs: NDArray[np.float32],
    head_height: float,
) -> set[int]:
    """Give an outline to every surface without one that has a shape of its own; the numbers of these.

    `positions` (n, 3) are in world axes, `uvs` (n, 2) are counted from the bottom.
    """
    lined = set()
    for run in runs:
        surface = surfaces[run.surface]
        look = surface.paint.look(surface.paint.values)
        heights = positions[run.triangles.ravel(), 2]
        if look.outline > 0 or look.colour[3] < _SOLID or np.ptp(heights) < _LOW * head_height:
            continue
        if not surface.double_sided and _turned_away(positions[run.triangles]) > _TURNED:
            continue
        middles = uvs[run.triangles].mean(axis=1)
        texels = surface.base.texels_at(middles) if surface.base is not None else np.ones((len(middles), 4), np.float32)
        solid = texels[:, 3] >= _SOLID
        if surface.opaque:
            solid[:] = True
        if solid.mean() >= _MOSTLY:
            own = linear_of(texels[solid, :3]).mean(axis=0) * look.colour[:3]
            red, green, blue = (own * _SHADE).tolist()
            surface.paint.add_outline((red, green, blue), _WIDTH)
            lined.add(run.surface)
    return lined


def _turned_away(corners: NDArray[np.float32]) -> float:
    """The share of what (m, 3, 3) triangles cover as seen from the front, along +Y, that shows its back."""
    (a, b, c) = corners.astype(np.float64)[:, :, [0, 2]].transpose(1, 0, 2)
    (bx, bz), (cx, cz) = (b - a).T, (c - a).T
    facing = bx * cz - bz * cx
    covered = np.abs(facing).sum()
    return float(-facing.clip(None, 0).sum() / covered) if covered > 0 else 0.0
