"""Accessors of glTF: typed arrays in the bytes of a file, checked against the bytes that are there.

Source: glTF 2.0, section 3.6.2. Each is decoded once; all together may not grow beyond what the file's size explains.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.errors import ModelFormatError
from farm.models.binary import finite, lost
from farm.models.gltf.container import Gltf
from farm.models.gltf.values import Json, index, members, whole

_KINDS = {5120: "i1", 5121: "u1", 5122: "<i2", 5123: "<u2", 5125: "<u4", 5126: "<f4"}
_WIDTHS = {"SCALAR": 1, "VEC2": 2, "VEC3": 3, "VEC4": 4, "MAT4": 16}
_LARGEST_VALUE = {5120: 127.0, 5121: 255.0, 5122: 32767.0, 5123: 65535.0, 5125: 4294967295.0}
_GROWTH = 4
"""Numbers that may be decoded for every byte of the file: each takes a byte, and some bytes are read twice."""
_ALLOWANCE = 2**16

type Numbers = NDArray[Any]


@dataclass(frozen=True, slots=True)
class Rows:
    """Some rows of an array whose other rows are zero: `values` (n, width) at `places` (n,)."""

    places: NDArray[np.int64]
    values: NDArray[np.float32]


class Accessors:
    """The accessors of a file."""

    def __init__(self, gltf: Gltf) -> None:
        self._gltf = gltf
        self._entries = members(gltf.content, "accessors")
        self._left = gltf.size * _GROWTH + _ALLOWANCE
        self._decoded: dict[int, Numbers] = {}
        self._floats: dict[int, NDArray[np.float32]] = {}
        self._rows: dict[int, Rows] = {}

    def count(self, number: Any) -> int:
        """How many elements the accessor announces. Raises ModelFormatError."""
        count = whole(self._entry(number).get("count"))
        if count is None or count < 0:
            raise self._unusable(number, "has no usable count")
        return count

    def has_bytes(self, number: int) -> bool:
        """Whether the accessor says where its numbers are; else they are zero, or stand elsewhere in a compressed form."""
        return self._entry(number).get("bufferView") is not None

    def floats(self, number: Any, widths: tuple[int, ...], count: int | None = None) -> NDArray[np.float32]:
        """(count, width) the accessor's numbers, normalised ones in [-1, 1]; 0 for NaN and infinities.

        Raises ModelFormatError, also for another width or count than asked for.
        """
        values = self._array(number, widths, count)
        if number not in self._floats:
            self._floats[number] = self._as_floats(values, self._entry(number))
        return self._floats[number]

    def lost(self, number: Any) -> NDArray[np.bool_]:
        """(count,) which of the accessor's points are nowhere. Raises ModelFormatError, also for what has no three axes."""
        values = self._array(number, (3,), None)
        return lost(values) if values.dtype.kind == "f" else np.zeros(len(values), bool)

    def integers(self, number: Any, width: int, count: int | None = None) -> NDArray[np.int64]:
        """(count, width) the accessor's whole numbers. Raises ModelFormatError."""
        values = self._array(number, (width,), count)
        return (finite(values) if values.dtype.kind == "f" else values).astype(np.int64)

    def rows(self, number: Any, width: int, count: int) -> Rows:
        """The rows of (count, width) floats that are not zero: a morph target, which moves few vertices as a rule.

        Raises ModelFormatError.
        """
        entry = self._entry(number)
        self._check(number, (width,), count)
        if number not in self._rows:
            if entry.get("bufferView") is None:
                places, given = self._sparse(number, entry, width, count)
                if (places[1:] <= places[:-1]).any():  # not ascending, as it should be: of two the later counts
                    places, last = np.unique(places[::-1], return_index=True)
                    given = given[::-1][last]
            else:
                given = self._array(number, (width,), count)
                places = _moving(given)  # first of all: of a hundred rows a few move
                given = given[places]
            values = self._as_floats(given, entry)
            moved = _moving(values)
            self._rows[number] = Rows(places[moved], values[moved])
        return self._rows[number]

    @staticmethod
    def _as_floats(values: Numbers, entry: Json) -> NDArray[np.float32]:
        if values.dtype.kind == "f":
            return finite(values)
        if entry.get("normalized") is not True:
            return np.asarray(values, np.float32)
        scaled = np.asarray(values, np.float32) / np.float32(_LARGEST_VALUE[entry["componentType"]])
        return scaled.clip(-1)

    def _entry(self, number: Any) -> Json:
        place = index(number, len(self._entries))
        if place is None:
            raise ModelFormatError(f"The {self._gltf.what} refers to an accessor that does not exist. Export it again.")
        return self._entries[place]

    def _unusable(self, number: Any, why: str) -> ModelFormatError:
        return ModelFormatError(
            f"The {self._gltf.what} file is damaged: its accessor {number} {why}. Copy or download it again; if that does "
            "not help, export it again."
        )

    def _check(self, number: Any, widths: tuple[int, ...], count: int | None) -> int:
        """The width of an accessor that is as it must be."""
        entry = self._entry(number)
        kind = entry.get("type")
        width = _WIDTHS.get(kind) if isinstance(kind, str) else None
        component = entry.get("componentType")
        if width not in widths or not isinstance(component, int) or component not in _KINDS:
            raise self._unusable(number, "is of a type that does not fit its use")
        if count is not None and self.count(number) != count:
            raise self._unusable(number, f"has {self.count(number)} entries where {count} are needed")
        return width

    def _array(self, number: int, widths: tuple[int, ...], count: int | None) -> Numbers:
        width = self._check(number, widths, count)
        if number in self._decoded:
            return self._decoded[number]
        entry = self._entry(number)
        count = self.count(number)
        self._pay(number, count * width)
        dtype = np.dtype(_KINDS[entry["componentType"]])
        if entry.get("bufferView") is None:
            values: Numbers = np.zeros((count, width), dtype)
        else:
            values = self._strided(number, entry, dtype, count, width)
        if entry.get("sparse") is not None:
            values = values.copy()
            places, changed = self._sparse(number, entry, width, count)
            values[places] = changed
        self._decoded[number] = values
        return values

    def _pay(self, number: Any, numbers: int) -> None:
        self._left -= numbers
        if self._left < 0:
            raise self._unusable(number, "and those before it announce more than a file of this size can hold")

    def _strided(
        self, number: Any, place: Json, dtype: np.dtype[Any], count: int, width: int, packed: bool = False
    ) -> Numbers:
        data, stride = self._gltf.view(place.get("bufferView"))
        offset, size = whole(place.get("byteOffset", 0)), dtype.itemsize * width
        stride = size if packed or not stride else stride
        if offset is None or offset < 0 or stride < size:
            raise self._unusable(number, "has no usable offset or stride")
        if count and offset + (count - 1) * stride + size > len(data):
            raise self._unusable(number, f"announces {count} entries, more than its {len(data)} bytes hold")
        return np.ndarray((count, width), dtype, data, offset if count else 0, (stride, dtype.itemsize))

    def _sparse(self, number: Any, entry: Json, width: int, count: int) -> tuple[NDArray[np.int64], Numbers]:
        """Where a sparse accessor differs from what it is based on, and the values there."""
        dtype = np.dtype(_KINDS[entry["componentType"]])
        sparse = entry.get("sparse")
        if not isinstance(sparse, dict) or sparse.get("count") == 0:
            return np.empty(0, np.int64), np.empty((0, width), dtype)
        changes, indices, values = whole(sparse.get("count")), sparse.get("indices"), sparse.get("values")
        if (
            changes is None
            or not 0 <= changes <= count
            or not isinstance(indices, dict)
            or not isinstance(values, dict)
        ):
            raise self._unusable(number, "is sparse without a usable description")
        component = indices.get("componentType")
        if component not in (5121, 5123, 5125):
            raise self._unusable(number, "is sparse with indices of an unknown type")
        self._pay(number, changes * (width + 1))
        places = self._strided(number, indices, np.dtype(_KINDS[component]), changes, 1, packed=True)[:, 0]
        if changes and int(places.max()) >= count:
            raise self._unusable(number, "changes entries that it does not have")
        return places.astype(np.int64), self._strided(number, values, dtype, changes, width, packed=True)


def _moving(values: Numbers) -> NDArray[np.int64]:
    """The rows of (n, width) numbers that are not all zero, ascending."""
    moved = np.zeros(len(values), bool)
    for column in values.T:  # numpy is slow along so short an axis
        moved |= column != 0
    return np.flatnonzero(moved)
