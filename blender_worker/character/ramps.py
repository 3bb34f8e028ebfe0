"""Shade ramps: the tone of a surface's shade, from its dark end to its lit one.

A ramp is (RAMP_SIZE, 3) float32, linear light, multiplied with the surface's colour; its middle is the light's edge.
"""

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.textures import Texture
from farm.colour import linear_of

RAMP_SIZE = 256
type Ramp = NDArray[np.float32]

_SHADE = (0.62, 0.56, 0.66)
"""Linear light: the tone of a shade whose surface brings none."""
_SOFTNESS = 0.01
"""Half the width of the edge in the ramp, where the surface says nothing."""


def two_tone(shade: tuple[float, float, float] = _SHADE) -> Ramp:
    """`shade` in the dark half, white in the lit one, and a narrow soft edge."""
    return between(shade, 0.5 - _SOFTNESS, 0.5 + _SOFTNESS)


def between(shade: tuple[float, float, float], low: float, high: float) -> Ramp:
    """`shade` below `low`, white above `high`, smooth between the two."""
    place = (np.arange(RAMP_SIZE) + 0.5) / RAMP_SIZE
    share = ((place - low) / max(high - low, 1e-6)).clip(0, 1)
    share = (share * share * (3 - 2 * share))[:, None]
    return np.asarray(np.array(shade) * (1 - share) + share, np.float32)


def from_toon(texture: Texture) -> Ramp:
    """MikuMikuDance's toon texture: its top is lit, its bottom dark, and all columns say the same."""
    column = linear_of(texture.pixels[::-1, texture.pixels.shape[1] // 2, :3].astype(np.float32) / np.float32(255))
    places = (np.arange(RAMP_SIZE) + 0.5) / RAMP_SIZE * len(column) - 0.5
    return np.column_stack([np.interp(places, np.arange(len(column)), column[:, i]) for i in range(3)]).astype(
        np.float32
    )
