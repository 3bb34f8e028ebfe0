"""Pictures of the neutral model and of poses, as they are compared with each other: whether a change shows."""

import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.canvases.forward import ForwardCanvas
from blender_worker.character.actor import Pose
from farm.poses import BASIS_LIGHT

SIZE = 256
"""Side in pixels of the pictures that are compared, whatever size is asked for: what is seen is the model's own."""
_CHANGED = 8
"""Levels of 255, of alpha or of a colour times alpha, by which a pixel must change to be another one."""
FEWEST = 4
"""Pixels that must change. A brow that moves by a pixel changes dozens; rounding none."""


def looks(canvas: ForwardCanvas, pose: Pose, camera: Camera) -> NDArray[np.int16]:
    """(SIZE, SIZE, 4), colours times alpha; (styles * SIZE, SIZE, 4) of several, one below the other."""
    values = np.concatenate(canvas.draw(pose, camera, BASIS_LIGHT)).astype(np.int16)
    # A picture's colours are 0 where its alpha is, and most other pixels are solid: few have to be multiplied.
    partly = (values[..., 3] > 0) & (values[..., 3] < 255)
    edges = values[partly].astype(np.int32)
    values[partly, :3] = edges[:, :3] * edges[:, 3:] // 255
    return values


def changed(one: NDArray[np.int16], other: NDArray[np.int16]) -> NDArray[np.bool_]:
    """(styles * SIZE, SIZE) which pixels of two such pictures differ."""
    differing = np.ascontiguousarray(np.abs(one - other) > _CHANGED)
    # Four channels at once: numpy is slow along so short an axis.
    return np.asarray(differing.view(np.uint32)[..., 0] != 0)
