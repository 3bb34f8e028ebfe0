"""Finds the ears of a face: no file says where they are, and many drawn heads have none that could be told from the cheek."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.figure import Figure
from blender_worker.anatomy.landmarks import Landmark
from farm.labels import Part

EARS: Mapping[str, tuple[Part, ...]] = {"ear_left": (Part.FACE,), "ear_right": (Part.FACE,)}
"""By name, the parts of which one shows where an ear is visible."""
_RIGID = 0.85
"""Share of the neck's rotation that an ear's vertices take at least."""
_BEHIND = 0.08
"""Head heights by which ears lie behind the outer corner of their eye at least."""
_ABOVE, _BELOW = 0.06, 0.2
"""Head heights above and under the outer corner of the eye between which ears are."""


def find_ears(figure: Figure, parts: NDArray[np.uint8], landmarks: Mapping[str, Landmark]) -> dict[str, Landmark]:
    """Where skin is furthest from the middle on each side, behind the eyes and at their height; none where there is none.

    `parts` (m,) are those of the figure's triangles.
    """
    skin = figure.vertices_of((parts == Part.FACE) & figure.shown)
    skin = skin[figure.turns[skin] > _RIGID]
    found = {}
    for name, eye, sign in (("ear_left", "eye_left_outer", 1.0), ("ear_right", "eye_right_outer", -1.0)):
        if eye not in landmarks or not len(skin):
            continue
        corner = (figure.points[landmarks[eye].vertices] * landmarks[eye].weights[:, None]).sum(axis=0)
        points = figure.points[skin] - corner
        own = (points[:, 1] > _BEHIND) & (points[:, 2] < _ABOVE) & (points[:, 2] > -_BELOW)
        own &= points[:, 0] * sign > 0
        if own.any():
            outermost = skin[own][np.argmax(points[own, 0] * sign)]
            found[name] = Landmark(np.array([outermost], np.int32), np.ones(1, np.float32))
    return found
