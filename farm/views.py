"""The views of a sample: where the camera stands for each of its pictures, drawn from the seed."""

import math
from collections.abc import Sequence

from farm.cameras import CameraSpec
from farm.pipe import View
from farm.poses import between

_AT_FACE = 0.5
"""Cosine between the way to the camera and straight ahead from which a picture shows the face: up to 60 degrees."""


def draw_views(seed: int, model: str, sample: int, camera: CameraSpec) -> tuple[View, ...]:
    """The views of a sample, in order; both partitions share them. A view does not depend on how many there are."""

    def angle(bounds: tuple[float, float], purpose: str) -> float:
        return between(*bounds, seed, model, sample, purpose)

    if camera.around:
        return views_around(camera.around, camera.rings or (0.0,))
    return tuple(
        View(
            index=index,
            yaw=angle(camera.yaw, f"view/{index}/yaw"),
            elevation=angle(camera.elevation, f"view/{index}/elevation"),
        )
        for index in range(camera.views)
    )


def views_around(count: int, rings: Sequence[float]) -> tuple[View, ...]:
    """`count` views at equal angles, the first from the front and the next from the character's left, on each of `rings`
    (elevations in degrees), one ring after the other.

    >>> [view.yaw for view in views_around(4, [0])]
    [0.0, 90.0, 180.0, -90.0]
    """
    yaws = [round(360 * step / count, 6) for step in range(count)]
    return tuple(
        View(index=index, yaw=yaw - 360 if yaw > 180 else yaw, elevation=elevation)
        for index, (elevation, yaw) in enumerate((elevation, yaw) for elevation in rings for yaw in yaws)
    )


def shows_face(view: View) -> bool:
    """Whether a camera there looks at the face, not at the crown or the back of the head."""
    return math.cos(math.radians(view.yaw)) * math.cos(math.radians(view.elevation)) > _AT_FACE
