"""Shade ramps: the tone of a surface's shade, from its dark end to its lit one.

A ramp is (RAMP_SIZE, 3) float32, linear light, multiplied with the surface's colour; its middle is the light's edge.
"""

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.textures import Texture
from farm.colour import linear_of

RAMP_SIZE = 256
type Ramp = NDArray[np.float32]

_HARD = 0.01
"""Half the width in the ramp of an edge that is to look hard."""
_SHARED_TOONS: tuple[tuple[tuple[int, int, int], float, float], ...] = (
    ((205, 205, 205), 0.5 - _HARD, 0.5 + _HARD),
    ((245, 225, 225), 0.5 - _HARD, 0.5 + _HARD),
    ((155, 155, 155), 0.5 - _HARD, 0.5 + _HARD),
    ((248, 239, 235), 0.5 - _HARD, 0.5 + _HARD),
    ((255, 228, 212), 0.3, 0.7),
    ((255, 238, 130), 0.25, 0.75),
    *(((255, 255, 255), 0.0, 1.0),) * 4,
)
"""MikuMikuDance's own ramps toon01.bmp to toon10.bmp, as people describe them: the shade (sRGB bytes), and where it begins
to fade into the light and has done so. Hard grey for things, a hard pale pink for skin, hard dark grey, a hard pale cream,
soft flesh, soft yellow; the last four are white. They are drawn here, not copied."""


def flat() -> Ramp:
    """White throughout: of a surface without a ramp, of which no shade is seen."""
    return np.ones((RAMP_SIZE, 3), np.float32)


def shared_toon(number: int) -> Ramp:
    """One of the ten ramps that MikuMikuDance brings along, 0 for toon01.bmp to 9 for toon10.bmp."""
    shade, low, high = _SHARED_TOONS[number]
    red, green, blue = linear_of(np.array(shade, np.float32) / np.float32(255)).tolist()
    return between((red, green, blue), low, high)


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
