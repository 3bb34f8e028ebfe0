"""The views of a sample: where the camera stands for each of its pictures, drawn from the seed."""

import math

from farm.pipe import View
from farm.poses import between
from farm.spec import CameraSpec

_AT_FACE = 0.5
"""Cosine between the way to the camera and straight ahead from which a picture shows the face: up to 60 degrees."""


def draw_views(seed: int, model: str, sample: int, camera: CameraSpec) -> tuple[View, ...]:
    """The views of a sample, in order; both partitions share them. A view does not depend on how many there are."""

    def angle(bounds: tuple[float, float], purpose: str) -> float:
        return between(*bounds, seed, model, sample, purpose)

    return tuple(
        View(
            index=index,
            yaw=angle(camera.yaw, f"view/{index}/yaw"),
            elevation=angle(camera.elevation, f"view/{index}/elevation"),
        )
        for index in range(camera.views)
    )


def shows_face(view: View) -> bool:
    """Whether a camera there looks at the face, not at the crown or the back of the head."""
    return math.cos(math.radians(view.yaw)) * math.cos(math.radians(view.elevation)) > _AT_FACE
