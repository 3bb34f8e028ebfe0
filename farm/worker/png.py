"""PNG encoding outside Blender, several times faster than Pillow's default and smaller.

Rows are filtered with numpy (filter type 2, "up"), which suits flat anime colours, and deflated by libdeflate. ISA-L is
three times as fast again, but one in some ten thousand of its streams differed from run to run, and equal pixels must
give equal bytes here. Source: PNG specification (W3C), sections 5, 9 and 10.
"""

import struct
import zlib

import deflate
import numpy as np
from numpy.typing import NDArray

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_EIGHT_BIT_RGBA = b"\x08\x06\x00\x00\x00"
_FILTER_UP = 2
_LEVEL = 1
"""Higher levels cost time and save a few per cent."""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """(height, width, 4) bytes, straight alpha, top row first, as a PNG file."""
    height, width, _ = pixels.shape
    rows = pixels.reshape(height, width * 4)
    filtered = np.empty((height, width * 4 + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    packed = bytes(deflate.zlib_compress(filtered.tobytes(), _LEVEL))
    header = struct.pack(">II", width, height) + _EIGHT_BIT_RGBA
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")
