"""What draws an actor: one interface, whatever the way of drawing behind it."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.canvases.eevee import EeveeCanvas
from blender_worker.canvases.final import FinalCanvas
from blender_worker.canvases.forward import ForwardCanvas
from blender_worker.character.actor import Actor, Pose
from blender_worker.gpu.buffers import Geometry
from farm.pipe import FINAL_SAMPLES
from farm.spec import CanvasName
from farm.styles.style import Style


class Canvas(Protocol):
    """Draws one actor in a fixed list of styles. Let go of it before the scene is emptied."""

    def draw(self, pose: Pose, camera: Camera, light: float) -> list[NDArray[np.uint8]]:
        """Draw the actor in `pose`: a (size, size, 4) picture for each style, sRGB, straight alpha, top row first.

        RGB is 0 where alpha is 0. `light` is the intensity of the one light, in [0.3, 0.9].
        """
        ...


def open_canvas(
    name: CanvasName,
    actor: Actor,
    geometry: Geometry,
    styles: Sequence[Style],
    size: int,
    supersample: int,
    final_samples: int = FINAL_SAMPLES,
) -> Canvas:
    """The canvas of that name; `size` in pixels, `supersample` drawn pixels for each of them and axis.

    `final_samples` is how many samples a pixel the canvas `final` takes.
    """
    match name:
        case CanvasName.FORWARD:
            return ForwardCanvas(actor, geometry, styles, size, supersample)
        case CanvasName.EEVEE:
            return EeveeCanvas(actor, styles, size, supersample)
        case CanvasName.FINAL:
            return FinalCanvas(actor, styles, size, final_samples)
