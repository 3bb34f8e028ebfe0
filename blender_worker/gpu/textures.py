"""Textures on the graphics card.

Blender's gpu module makes no mipmaps for textures of ours, and crashes on textures of its own after their image is removed.
But the camera hardly moves, so one level of detail, chosen when a character is loaded, does what mipmaps would do.
"""

from collections.abc import Sequence

import gpu
import numpy as np
from numpy.typing import NDArray

from blender_worker.character.ramps import RAMP_SIZE, Ramp
from blender_worker.character.surface import Map
from blender_worker.character.textures import Texture
from farm.colour import premultiplied
from farm.models.materials import Wrap

_EXTEND = {Wrap.REPEAT: "REPEAT", Wrap.MIRROR: "MIRRORED_REPEAT", Wrap.CLAMP: "EXTEND"}


def upload(
    pixels: NDArray[np.uint8],
    wrap: tuple[Wrap, Wrap] = (Wrap.REPEAT, Wrap.REPEAT),
    smooth: bool = True,
    data: bool = False,
) -> gpu.types.GPUTexture:
    """(height, width, 4) sRGB pixels, straight alpha, top row first, as a texture that goes on like `wrap` along u and v.

    They go up with alpha multiplied in (in linear light), so that transparent texels do not colour their neighbours; `data`
    are no colours and stay the numbers that they are.
    """
    height, width, _ = pixels.shape
    values = pixels[::-1].astype(np.float32) / np.float32(255)
    if (pixels[..., 3] < 255).any():
        values = premultiplied(values)
    buffer = gpu.types.Buffer("FLOAT", values.size, np.ascontiguousarray(values).ravel())
    form = "RGBA8" if data else "SRGB8_A8"
    texture = gpu.types.GPUTexture((width, height), format=form, data=buffer)
    texture.extend_mode_x(_EXTEND[wrap[0]])
    texture.extend_mode_y(_EXTEND[wrap[1]])
    texture.filter_mode(smooth)
    return texture


def upload_ramp(ramp: Ramp) -> gpu.types.GPUTexture:
    """A shade ramp, to be looked up along x."""
    values = np.column_stack([ramp, np.ones(RAMP_SIZE, np.float32)]).astype(np.float32)
    data = gpu.types.Buffer("FLOAT", values.size, values.ravel())
    texture = gpu.types.GPUTexture((RAMP_SIZE, 1), format="RGBA16F", data=data)
    texture.extend_mode("EXTEND")
    texture.filter_mode(True)
    return texture


def reduced(one: Map, densities: Sequence[NDArray[np.float64]]) -> NDArray[np.uint8]:
    """The map's pixels, reduced to about one texel for a drawn pixel; `densities` are those of its triangles."""
    return one.texels(_level_of_detail(np.concatenate(densities)))


def texel_density(
    triangles: NDArray[np.int32], texture: Texture, uvs: NDArray[np.float32], screen: NDArray[np.floating], size: int
) -> NDArray[np.float64]:
    """(n, 2) for each triangle in the frame: texels along a drawn pixel, and drawn pixels that it covers.

    `uvs` and `screen` are (vertices, 2), the latter in pixels of a frame of `size`.
    """

    def areas(points: NDArray[np.floating]) -> NDArray[np.float64]:
        a, b, c = (points[triangles[:, i]].astype(np.float64) for i in range(3))
        edge, other = b - a, c - a
        return np.asarray(np.abs(edge[:, 0] * other[:, 1] - edge[:, 1] * other[:, 0]) / 2)

    pixels = areas(screen)
    texels = areas(uvs) * texture.pixels.shape[0] * texture.pixels.shape[1]
    across, down = screen[triangles].mean(axis=1).T
    seen = (pixels > 0.05) & (across >= 0) & (across < size) & (down >= 0) & (down < size)
    return np.column_stack([np.sqrt(texels[seen] / pixels[seen]), pixels[seen]])


def _level_of_detail(densities: NDArray[np.float64]) -> float:
    """The factor to reduce a texture by: what suits its sharpest parts, which cover a tenth of the pixels."""
    if not len(densities):
        return 1.0
    ordered = densities[np.argsort(densities[:, 0])]
    covered = np.cumsum(ordered[:, 1])
    return max(1.0, float(ordered[np.searchsorted(covered, covered[-1] * 0.1), 0]))
