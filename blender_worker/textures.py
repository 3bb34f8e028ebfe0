"""Textures: decoded by Pillow, within limits, whatever their suffix says (.sph and .spa are pictures too)."""

import io
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

MAX_PIXELS = 64 * 2**20
MAX_SIDE = 4096


class UnreadableTextureError(Exception):
    """The bytes are not a picture that can be used; the message says why."""


@dataclass(frozen=True, slots=True, eq=False)
class Texture:
    """A decoded picture."""

    name: str
    pixels: NDArray[np.uint8]
    """(height, width, 4), sRGB, straight alpha, top row first."""

    def shrunk(self, factor: float) -> NDArray[np.uint8]:
        """The pixels with both sides divided by `factor` (at least 1), averaged with regard to alpha."""
        height, width, _ = self.pixels.shape
        size = max(1, round(width / factor)), max(1, round(height / factor))
        if factor <= 1 or size == (width, height):
            return self.pixels
        return np.asarray(Image.fromarray(self.pixels).resize(size, Image.Resampling.BOX))


def linear_of(srgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB values in [0, 1] as linear light."""
    return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4).astype(np.float32)


def srgb_of(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of `linear_of`."""
    return np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055).astype(np.float32)


def decode(data: bytes, name: str) -> Texture:
    """Decode an image file. Raises UnreadableTextureError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data)) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise UnreadableTextureError(f"it has {picture.width} x {picture.height} pixels, over the limit")
                rgba = picture.convert("RGBA")
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Warning) as error:
        raise UnreadableTextureError(str(error)) from error
    texture = Texture(name, np.asarray(rgba))
    return Texture(name, texture.shrunk(max(rgba.size) / MAX_SIDE))
