"""Arrays as a compressed .npz file, deflated by libdeflate: equal arrays give equal bytes, whatever zlib is installed.

The container is zip (APPNOTE 4.3): for each array a local header and its data, then the directory. numpy reads it.
"""

import io
import struct
from collections.abc import Mapping
from typing import Any

import deflate
import numpy as np
from numpy.typing import NDArray

_LEVEL = 1
_VERSION = 20
_DEFLATED = 8
_DATE = (1 << 5) | 1
"""1980-01-01, the earliest that zip knows: no clock in an output."""


def encode_npz(arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """A .npz file; `numpy.load` gives `arrays` back."""
    out = bytearray()
    directory = bytearray()
    for name, array in arrays.items():
        whole = np.ascontiguousarray(array)
        header = io.BytesIO()
        np.lib.format.write_array_header_1_0(header, np.lib.format.header_data_from_array_1_0(whole))
        data = b"".join((header.getvalue(), whole.data))
        packed = bytes(deflate.deflate_compress(data, _LEVEL))
        file = f"{name}.npy".encode()
        entry = struct.pack(
            "<HHHHHIIIHH", _VERSION, 0, _DEFLATED, 0, _DATE, deflate.crc32(data), len(packed), len(data), len(file), 0
        )
        directory += b"PK\x01\x02" + struct.pack("<H", _VERSION) + entry
        directory += struct.pack("<HHHII", 0, 0, 0, 0, len(out)) + file
        out += b"PK\x03\x04" + entry + file + packed
    end = struct.pack("<HHHHIIH", 0, 0, len(arrays), len(arrays), len(directory), len(out), 0)
    return bytes(out + directory + b"PK\x05\x06" + end)
