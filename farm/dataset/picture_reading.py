"""Decodes pictures that may come from elsewhere: nothing larger than was said is unpacked."""

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.errors import StorageError
from farm.wording import reason

BROKEN = (
    OSError, SyntaxError, ValueError, TypeError, LookupError, EOFError, OverflowError, struct.error, zlib.error,
    Image.DecompressionBombError, Image.DecompressionBombWarning,
)  # fmt: skip
"""What Pillow raises for damaged files."""


def read_picture(data: bytes, side: int, name: str) -> NDArray[np.uint8]:
    """The pixels of a PNG file of ours, (side, side, 3 or 4). Raises StorageError, with `name`, for anything else."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.size != (side, side) or picture.mode not in ("RGB", "RGBA"):
                raise StorageError(f"{name} is no picture of {side} x {side} pixels; `farm verify` says more.")
            return np.asarray(picture)
    except BROKEN as error:
        raise StorageError(f"{name} cannot be read ({reason(error)}); `farm verify` says more.") from error
