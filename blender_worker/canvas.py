"""What draws an actor: one interface, whatever the way of drawing behind it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from blender_worker.actor import Actor
from blender_worker.camera import Camera
from blender_worker.forward import ForwardCanvas
from blender_worker.styles import Style
from farm.spec import CanvasName


class Canvas(Protocol):
    """Draws one actor with one camera in a fixed list of styles. Let go of it before the scene is emptied."""

    def draw(
        self, weights: dict[str, float], rotation: tuple[float, float, float], light: float
    ) -> list[NDArray[np.uint8]]:
        """Pose the actor and draw it: a (size, size, 4) picture for each style, sRGB, straight alpha, top row first.

        `weights` maps source morphs to [0, 1]; `rotation` is in degrees about world X, Y, Z at the neck; `light` is the
        intensity of the one light, in [0.3, 0.9].
        """
        ...

    def draw_preview(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The neutral pose: alpha (size, size), top row first, and the depth buffer (drawn pixels), bottom row first."""
        ...


def open_canvas(
    name: CanvasName, actor: Actor, camera: Camera, styles: Sequence[Style], size: int, supersample: int
) -> Canvas:
    """The canvas of that name; `size` in pixels, `supersample` drawn pixels for each of them and axis."""
    match name:
        case CanvasName.FORWARD:
            return ForwardCanvas(actor, camera, styles, size, supersample)
