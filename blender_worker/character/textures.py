"""Textures: decoded by Pillow, within limits, whatever their suffix says (.sph and .spa are pictures too)."""

import io
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

MAX_PIXELS = 64 * 2**20
MAX_SIDE = 2048
"""Larger textures are reduced: a whole face is drawn on a few hundred pixels."""
MAX_MODEL_PIXELS = 64 * 2**20
"""Pixels of all textures of a model together, after that."""
_FORMATS = ("PNG", "JPEG", "BMP", "TGA", "DDS", "GIF", "WEBP", "TIFF")
"""Pillow reads others too, some of them by starting programs."""


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


def _eight_bit(picture: Image.Image) -> Image.Image:
    """16-bit grey as 8-bit grey; Pillow's own conversion would cut everything above 255 off."""
    if picture.mode.startswith("I"):
        return Image.fromarray((np.asarray(picture, np.int64) >> 8).clip(0, 255).astype(np.uint8))
    return picture


class Budget:
    """Keeps count of a model's texture pixels."""

    def __init__(self) -> None:
        self._left = MAX_MODEL_PIXELS

    def take(self, texture: Texture) -> Texture:
        """`texture`, if there is room for it. Raises UnreadableTextureError."""
        self._left -= texture.pixels.size // 4
        if self._left < 0:
            raise UnreadableTextureError("the model's textures together are too large")
        return texture


def decode(data: bytes, name: str) -> Texture:
    """Decode an image file. Raises UnreadableTextureError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(data), formats=_FORMATS) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise UnreadableTextureError(f"it has {picture.width} x {picture.height} pixels, over the limit")
                rgba = _eight_bit(picture).convert("RGBA")
    except UnidentifiedImageError as error:
        raise UnreadableTextureError("it is no picture of a known format") from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Warning) as error:
        raise UnreadableTextureError(str(error)) from error
    texture = Texture(name, np.asarray(rgba))
    return Texture(name, texture.shrunk(max(rgba.size) / MAX_SIDE))
