"""Which way a head is held at rest: some files have it rolled or turned, and what is up on such a face is not up in the file.

A head is upright unless its bones say otherwise: the line from eye to eye where the file has eye bones, else the one from
the neck to the head. Neither tells how far a head nods.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.models.posing.armature import Armature

_UPRIGHT, _MOST = 1.0, 60.0
"""Degrees. Less is no more than how carefully bones are placed (the characters at hand have 0); at 3.5 a character of 77
targets loses some. At more the bones are not where their names say, or the face is not seen from the front."""
_SHORT = 0.04
"""Head heights; a shorter line has no direction. The eye bones of the characters at hand are apart by 0.048 and more."""

type Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Bearing:
    """A head's own axes. Points are (n, 3), in head heights from the neck bone's head, in world axes: left, back, up."""

    axes: Array
    """(3, 3), in rows the head's left, back and up."""
    aside: float
    """How far to the head's left of the neck its middle is, in head heights."""

    def places(self, points: NDArray[np.floating]) -> Array:
        """Where points are on the head, as if it were upright over the neck."""
        found = self.ways(points)
        found[:, 0] -= self.aside
        return found

    def ways(self, moves: NDArray[np.floating]) -> Array:
        """(n, 3) movements in the head's axes."""
        return np.asarray(moves @ self.axes.T, np.float64)


def bearing_of(armature: Armature, neck: int, head: int, height: float) -> Bearing | None:
    """How the head is held, None for upright; `height` is the head's, in the file's unit, and positive."""
    start = np.array(armature.place_of(neck))
    eyes: dict[str, Array] = {}
    for bone, role in enumerate(armature.roles(head)):
        if role in ("leftEye", "rightEye"):
            eyes.setdefault(role, np.array(armature.place_of(bone)) - start)
    if len(eyes) == 2:
        line, middle = eyes["leftEye"] - eyes["rightEye"], (eyes["leftEye"] + eyes["rightEye"]) / 2
    else:
        middle = np.array(armature.place_of(head)) - start
        line = np.array([middle[2], 0.0, -middle[0]])  # square to the way up, seen from the front
    length = float(np.linalg.norm(line))
    if not _SHORT * height <= length < np.inf:
        return None
    left = line / length
    if not _UPRIGHT < np.degrees(np.arccos(left[0].clip(-1, 1))) < _MOST:
        return None
    up = np.array([0.0, 0.0, 1.0]) - left[2] * left
    up /= np.linalg.norm(up)
    return Bearing(np.stack([left, np.cross(up, left), up]), float(middle @ left) / height)
