"""Where the camera stands: fixed for all images of a model, straight in front of the neck bone.

Framing measured on 83 characters: the head fills 48 % of the frame's height, the frame's centre is 0.3 frame heights
above the neck. Source: the released images of AnimeCeleb.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

HEAD_SHARE = 0.48
CENTRE_ABOVE_NECK = 0.3
FIELD_OF_VIEW = 20.0
"""Degrees, vertical and horizontal."""
HEAD_WEIGHT = 0.5
"""A vertex belongs to the head when the head bone has more than this share of it."""
_HEAD_PERCENTILE = 99
"""The head ends where all but this share of its vertices lie lower: a hair or a halo does not count."""


def head_height(choices: Iterable[NDArray[np.float32]], fallback: float) -> float:
    """The height of the head over the neck bone, from heights over the neck of the head's vertices.

    The first of `choices` that gives a positive height counts, `fallback` if none does.
    """
    for heights in choices:
        if len(heights) and (top := float(np.percentile(heights, _HEAD_PERCENTILE))) > 0:
            return top
    return fallback


@dataclass(frozen=True, slots=True)
class Camera:
    """A perspective camera that looks along world +Y."""

    position: tuple[float, float, float]
    near: float
    far: float

    def view_projection(self) -> NDArray[np.float32]:
        """The (4, 4) matrix from world to OpenGL clip space, for column vectors."""
        x, y, z = self.position
        view = np.array([[1, 0, 0, -x], [0, 0, 1, -z], [0, -1, 0, y], [0, 0, 0, 1]], np.float64)
        focal = 1 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
        near, far = self.near, self.far
        lens = np.diag([focal, focal, (far + near) / (near - far), 0.0])
        lens[2, 3] = 2 * far * near / (near - far)
        lens[3, 2] = -1
        return np.asarray(lens @ view, np.float32)

    def distance_to(self, points: NDArray[np.float32]) -> NDArray[np.float64]:
        """(n,) distances of (n, 3) world points from the camera's plane."""
        return np.asarray(points[:, 1].astype(np.float64) - self.position[1])

    def distance_of(self, depth: NDArray[np.float32]) -> NDArray[np.float64]:
        """The distances behind values of the depth buffer, in [0, 1]."""
        ndc = depth.astype(np.float64) * 2 - 1
        return np.asarray(2 * self.far * self.near / (self.far + self.near - ndc * (self.far - self.near)))

    def project(self, points: NDArray[np.float32], size: int) -> NDArray[np.float64]:
        """(n, 3) world points as (n, 2) pixels of a square picture, x to the right, y up, origin bottom left."""
        clip = np.column_stack([points, np.ones(len(points))]) @ self.view_projection().astype(np.float64).T
        return np.asarray((clip[:, :2] / np.maximum(clip[:, 3:], 1e-9) * 0.5 + 0.5) * size)


def frame(neck: tuple[float, float, float], head_height: float) -> Camera:
    """The camera for a character whose neck bone is at `neck` and whose head ends `head_height` above it."""
    height = head_height / HEAD_SHARE
    distance = height / 2 / np.tan(np.radians(FIELD_OF_VIEW) / 2)
    x, y, z = neck
    # Capes and long hair reach a few frame heights behind; nothing of the face is nearer than a tenth of the distance.
    return Camera((x, y - distance, z + CENTRE_ABOVE_NECK * height), float(distance * 0.1), float(distance * 4))
