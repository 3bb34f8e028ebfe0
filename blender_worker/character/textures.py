"""Textures: decoded by Pillow, within limits, whatever their suffix says (.sph and .spa are pictures too)."""

import io
import warnings
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from blender_worker.character.picture_forms import known, with_its_alpha
from farm.wording import reason

MAX_PIXELS = 64 * 2**20
MAX_SIDE = 2048
"""Larger textures are reduced: a whole face is drawn on a few hundred pixels."""
MAX_MODEL_PIXELS = 64 * 2**20
"""Pixels of all textures of a model together, after that."""
MAX_DECODED_PIXELS = 4 * MAX_MODEL_PIXELS
"""And before it: what is decoded costs time, whatever is kept of it."""
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
    """Keeps count of what a model's textures cost: the pixels that are decoded, and those that are kept."""

    def __init__(self) -> None:
        self._to_decode, self._to_keep = MAX_DECODED_PIXELS, MAX_MODEL_PIXELS

    def take(self, width: int, height: int) -> None:
        """Make room for a picture of this size, before it is decoded. Raises UnreadableTextureError when there is none."""
        if width * height > MAX_PIXELS:
            raise UnreadableTextureError(f"it has {width} x {height} pixels, over the limit")
        factor = max(1.0, max(width, height) / MAX_SIDE)
        kept = max(1, round(width / factor)) * max(1, round(height / factor))
        if width * height > self._to_decode or kept > self._to_keep:
            raise UnreadableTextureError("the model's textures together are too large")
        self._to_decode -= width * height
        self._to_keep -= kept


def decode(data: bytes, name: str, budget: Budget) -> Texture:
    """Decode an image file, if `budget` has room for it. Raises UnreadableTextureError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(io.BytesIO(known(data)), formats=_FORMATS) as picture:
                budget.take(picture.width, picture.height)
                pixels = np.asarray(_within(_eight_bit(with_its_alpha(picture, data)), MAX_SIDE))
    except UnidentifiedImageError as error:
        raise UnreadableTextureError("it is no picture of a known format") from error
    except NotImplementedError as error:  # what Pillow says of a DDS in another form than its own
        raise UnreadableTextureError("it is in a form that is not known here; save it as PNG") from error
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Warning) as error:
        raise UnreadableTextureError(reason(error)) from error
    return Texture(name, pixels)


def _within(picture: Image.Image, side: int) -> Image.Image:
    """The picture as RGBA, reduced so that neither side is over `side`, averaged with regard to alpha."""
    factor = max(picture.size) / side
    if factor <= 1:
        return picture.convert("RGBA")
    # Without alpha there is nothing to have regard to, and a third less to average.
    has_alpha = picture.mode not in ("RGB", "L") or "transparency" in picture.info
    picture = picture.convert("RGBA" if has_alpha else "RGB")
    if factor.is_integer():
        return picture.reduce(int(factor)).convert("RGBA")
    size = max(1, round(picture.width / factor)), max(1, round(picture.height / factor))
    return picture.resize(size, Image.Resampling.BOX).convert("RGBA")
