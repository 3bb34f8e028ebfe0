"""Points of the world as a picture's labels say them: pixels, and metres in the camera's axes, rounded."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera

PIXEL_DIGITS, METRE_DIGITS = 3, 6


@dataclass(frozen=True, slots=True)
class Place:
    """One point."""

    x: float
    """Pixels from the picture's left edge."""
    y: float
    point: tuple[float, float, float]
    """Metres in the camera's axes: x right, y down, z away."""


def places_of(points: NDArray[np.float64], camera: Camera, metres: float, size: int) -> list[Place | None]:
    """(n, 3) world points; `metres` is the length of their unit, `size` the picture's side in pixels.

    None is what is nowhere: a morph may take a point to where its coordinates are no numbers.
    """
    with np.errstate(all="ignore"):
        pixels = camera.project(points, size)
        to_camera = camera.axes() * ((1,), (-1,), (-1,))
        local = (points - camera.position()) @ to_camera.T * metres
    somewhere = np.isfinite(pixels).all(axis=1) & np.isfinite(local).all(axis=1)
    # Rounded first: a point may be rounded into the next pixel, and what is said of it has to hold there.
    return [
        Place(x, y, (right, down, away)) if there else None
        for there, (x, y), (right, down, away) in zip(
            somewhere.tolist(),
            np.round(pixels, PIXEL_DIGITS).tolist(),
            np.round(local, METRE_DIGITS).tolist(),
            strict=True,
        )
    ]
