"""Textures: decoded by Pillow, within limits, and handed to Blender as finished pixels.

Blender's own loader trusts suffixes (.sph, .spa are pictures too) and shows magenta for what it cannot read.
"""

import warnings
from pathlib import Path

import bpy
import numpy as np
from PIL import Image

MAX_PIXELS = 64 * 2**20
MAX_SIDE = 2048
"""Larger textures are reduced: the whole face is drawn on a few hundred pixels."""


class UnreadableImageError(Exception):
    """The file is not a picture that can be used; the message says why."""


def load(path: Path, name: str) -> bpy.types.Image:
    """Decode `path` into a Blender image called `name` (sRGB, straight alpha). Raises UnreadableImageError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            with Image.open(path) as picture:
                if picture.width * picture.height > MAX_PIXELS:
                    raise UnreadableImageError(f"it has {picture.width} x {picture.height} pixels, over the limit")
                rgba = picture.convert("RGBA")
    except UnreadableImageError:
        raise
    except (OSError, ValueError, SyntaxError, EOFError, Image.DecompressionBombError, Warning) as error:
        raise UnreadableImageError(str(error)) from error
    if max(rgba.size) > MAX_SIDE:
        scale = MAX_SIDE / max(rgba.size)
        rgba = rgba.resize((max(1, round(rgba.width * scale)), max(1, round(rgba.height * scale))), Image.Resampling.BOX)
    pixels = np.asarray(rgba, np.float32)[::-1] / np.float32(255)
    return from_pixels(pixels, name)


def from_pixels(pixels: np.ndarray, name: str) -> bpy.types.Image:
    """A Blender image from (height, width, 4) floats in [0, 1], sRGB, bottom row first."""
    height, width, _ = pixels.shape
    image = bpy.data.images.new(name, width, height, alpha=True)
    image.alpha_mode = "STRAIGHT"
    image.pixels.foreach_set(np.ascontiguousarray(pixels, np.float32).ravel())
    image.update()
    return image
