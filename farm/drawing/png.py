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
_EIGHT_BIT = {3: b"\x08\x02\x00\x00\x00", 4: b"\x08\x06\x00\x00\x00"}
"""Bit depth, colour type, compression, filtering and interlacing by the number of channels."""
_EIGHT_BIT_INDEXED = b"\x08\x03\x00\x00\x00"
_FILTER_UP = 2
_LEVEL = 1
"""Higher levels cost time and save a few per cent."""


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(data, zlib.crc32(kind)))


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """Bytes, top row first, as a PNG file: (height, width, 4) with straight alpha or (height, width, 3) without."""
    height, width, channels = pixels.shape
    rows = pixels.reshape(height, width * channels)
    filtered = np.empty((height, width * channels + 1), np.uint8)
    filtered[:, 0] = _FILTER_UP
    filtered[0, 1:] = rows[0]
    np.subtract(rows[1:], rows[:-1], out=filtered[1:, 1:])
    packed = bytes(deflate.zlib_compress(filtered.tobytes(), _LEVEL))
    header = struct.pack(">II", width, height) + _EIGHT_BIT[channels]
    return _SIGNATURE + _chunk(b"IHDR", header) + _chunk(b"IDAT", packed) + _chunk(b"IEND", b"")


def encode_indexed(pixels: NDArray[np.uint8], palette: NDArray[np.uint8]) -> bytes:
    """(height, width) indices into (n, 3) colours as a PNG file whose pixel values are the indices."""
    height, width = pixels.shape
    rows = np.zeros((height, width + 1), np.uint8)  # the first of each row is its filter: none
    rows[:, 1:] = pixels
    packed = bytes(deflate.zlib_compress(rows.tobytes(), _LEVEL))
    header = struct.pack(">II", width, height) + _EIGHT_BIT_INDEXED
    chunks = [(b"IHDR", header), (b"PLTE", palette.tobytes()), (b"IDAT", packed), (b"IEND", b"")]
    return _SIGNATURE + b"".join(_chunk(kind, data) for kind, data in chunks)
