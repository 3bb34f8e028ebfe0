"""Which triangles of skin are neck: those whose vertices the neck bone holds, on a rig that has a head bone too."""

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.figure import CLOSE, STIRS, Figure
from blender_worker.anatomy.rays import Mask
from blender_worker.character.actor import Actor
from farm.labels import Part

_NO_NECK = 0.5
"""Head heights over the neck bone; a neck ends below."""
_COARSE = 0.25
"""Head heights; a larger triangle is a row of the neck by itself."""
_MOST_ROWS = (10, 90)
"""Percentiles: the heights between which the neck bone holds vertices, but for some odd ones."""


def held_by_neck(actor: Actor, figure: Figure) -> Mask:
    """(n,) whether the neck bone has the largest share of a vertex, on a rig that has a head bone too.

    A head bone that holds nothing is none, where the neck's holds what is higher than a neck.
    """
    roles = [bone.role for bone in actor.bones]
    nothing = np.zeros(len(figure.points), bool)
    if "head" not in roles or "neck" not in roles:
        return nothing
    held = np.asarray(figure.bones == roles.index("neck"))
    empty = not (figure.bones == roles.index("head")).any()
    return nothing if empty and (figure.points[held, 2] > _NO_NECK).any() else held


def split_neck(figure: Figure, by_neck: Mask, parts: NDArray[np.uint8], skin: Mask) -> None:
    """Make neck of triangles in `parts` (m,), as far as these are `skin` (m,); `by_neck` is what `held_by_neck` gives."""
    held = by_neck[figure.triangles].sum(axis=1)
    # Of two triangles that make a square one would stay with the face: its edge would be a saw. Large ones are one each.
    fine = np.ptp(figure.points[figure.triangles], axis=1).max(axis=1) < _COARSE
    stirred = figure.reach(figure.targets)[figure.triangles].max(axis=1) > STIRS
    whole = np.where(fine & ~stirred, held >= 1, held >= 2)
    skin = skin & np.isin(parts, (Part.FACE, Part.BODY))
    heights = figure.points[figure.triangles, 2]
    coarse = ~fine & skin & (held >= 1)
    of_coarse = np.zeros(len(figure.points), bool)
    of_coarse[figure.triangles[coarse]] = True
    rows = figure.points[of_coarse & by_neck, 2]
    low, high = np.percentile(rows, _MOST_ROWS) if len(rows) else (0.0, 0.0)
    between = coarse & (heights.min(axis=1) > low - CLOSE) & (heights.max(axis=1) < high + CLOSE)
    if between.any():  # rows of them: each row is one part, whatever a corner more or less of it is held by
        whole = np.where(coarse, between, whole)
        parts[coarse & (heights.max(axis=1) < low + CLOSE)] = Part.BODY
    parts[whole & skin] = Part.NECK
