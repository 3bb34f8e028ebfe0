"""A cursor over untrusted bytes: every count is checked against the bytes that are left before anything is allocated."""

import struct

import numpy as np
from numpy.typing import NDArray

from farm.errors import ModelFormatError, ModelTruncatedError


def finite(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """A copy of `values` with 0 for NaN and infinities, as editors write them by accident."""
    return np.where(np.abs(values) <= _LARGEST, values, np.float32(0))


def lost(points: NDArray[np.floating]) -> NDArray[np.bool_]:
    """(n,) which of (n, 3) points are nowhere: of NaN, infinities, or beyond all measure."""
    x, y, z = (np.abs(points) <= _LARGEST).T
    return np.asarray(~(x & y & z))


def without(triangles: NDArray[np.int32], gone: NDArray[np.bool_]) -> NDArray[np.int32]:
    """(m, 3) triangles, those with a corner that is `gone` (n,) drawn together to one of their others: no area, no spike.

    They stay in the list, since materials count on it.
    """
    corners = gone[triangles]
    hit = corners.any(axis=1)
    if not hit.any():
        return triangles
    mended = triangles.copy()
    kept = np.take_along_axis(triangles[hit], corners[hit].argmin(axis=1)[:, None], axis=1)
    mended[hit] = kept
    return mended


_LARGEST = 1e6
"""Model units: 80 km. What lies beyond is an accident, and breaks the arithmetic of drawing."""


class Cursor:
    """Reads little-endian values from `data`, from the front to the back."""

    def __init__(self, data: bytes, what: str) -> None:
        self.data = memoryview(data)
        self.what = what
        self.at = 0

    @property
    def left(self) -> int:
        """Bytes not read yet."""
        return len(self.data) - self.at

    def take(self, count: int) -> memoryview:
        """The next `count` bytes; ModelTruncatedError when the file has fewer."""
        if count < 0 or count > self.left:
            raise ModelTruncatedError(
                f"The {self.what} file is cut off: at byte {self.at} it announces {count} more bytes and {self.left} "
                "are left. Copy or download it again."
            )
        start = self.at
        self.at += count
        return self.data[start : self.at]

    def unpack(self, form: str) -> tuple[int | float, ...]:
        """Values by a `struct` format, little-endian."""
        form = "<" + form
        return struct.unpack(form, self.take(struct.calcsize(form)))

    def integer(self, form: str) -> int:
        """One integer by its `struct` letter."""
        return int(self.unpack(form)[0])

    def floats(self, count: int) -> tuple[float, ...]:
        """`count` 32-bit floats; NaN and infinities become 0."""
        return tuple(finite(np.frombuffer(self.take(4 * count), "<f4")).tolist())

    def count(self, name: str, smallest: int) -> int:
        """A 32-bit count of records that take at least `smallest` bytes each.

        Raises ModelFormatError when the file cannot hold that many, so that no loop and no array grows past the file.
        """
        value = self.integer("i")
        if value < 0 or value * smallest > self.left:
            raise ModelFormatError(
                f"The {self.what} file is cut off or damaged: it announces {value} {name}, and {self.left} bytes "
                "are left for them. Copy or download it again; if that does not help, save it again in an editor."
            )
        return value

    def array(self, dtype: np.dtype[np.void] | str, count: int) -> NDArray[np.void]:
        """`count` records of `dtype`, as an array of their own."""
        kind = np.dtype(dtype)
        return np.frombuffer(self.take(kind.itemsize * count), kind).copy()
