"""Reads label files that may come from elsewhere: no header decides how much memory is taken.

What the files are: `farm.drawing.label_files` writes them.
"""

import io
import struct
import zipfile
import zlib
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pydantic import ValidationError

from farm.dataset.picture_reading import BROKEN
from farm.errors import StorageError
from farm.labels import ARRAYS, MARKED, LabelName
from farm.marks import Marks
from farm.wording import mistake, reason

ARRAYS_SUFFIX, PARTS_SUFFIX, LAYERS_SUFFIX, MARKS_SUFFIX = ".labels.npz", ".parts.png", ".layers.png", ".marks.json"
INDEXED = {LabelName.PARTS: PARTS_SUFFIX, LabelName.LAYERS: LAYERS_SUFFIX}
"""The labels that are indexed pictures of their own, and the suffixes of these."""
MAX_MARKS_BYTES = 2**20
_DIRECTORY_ENTRY = b"PK\x01\x02"


def suffixes_of(labels: tuple[LabelName, ...]) -> tuple[str, ...]:
    """The suffixes of the files that a picture has for `labels`, in the order in which shards hold them."""
    own = INDEXED | dict.fromkeys(MARKED, MARKS_SUFFIX)
    asked = {own.get(label, ARRAYS_SUFFIX) for label in labels}
    return tuple(suffix for suffix in (ARRAYS_SUFFIX, *INDEXED.values(), MARKS_SUFFIX) if suffix in asked)


def most_bytes(suffix: str, side: int) -> int:
    """The longest that a label file of a picture with `side` pixels a side can be."""
    if suffix == MARKS_SUFFIX:
        return MAX_MARKS_BYTES
    return sum(_array_bytes(name, side) for name in ARRAYS) + 2**20


def _array_bytes(name: LabelName, side: int) -> int:
    return int(np.dtype(ARRAYS[name].dtype).itemsize * np.prod(ARRAYS[name].shape(side)))


def read_indexed(data: bytes, side: int) -> NDArray[np.uint8]:
    """A part or layer picture, (side, side), a `farm.labels.Part` or `Layer` each. Raises StorageError."""
    try:
        with Image.open(io.BytesIO(data), formats=("PNG",)) as picture:
            if picture.size != (side, side) or picture.mode != "P":
                raise StorageError(f"It is no indexed picture of {side} x {side} pixels.")
            return np.asarray(picture)
    except BROKEN as error:
        raise StorageError(f"It cannot be decoded ({reason(error)}).") from error


def read_arrays(data: bytes, side: int) -> dict[LabelName, NDArray[Any]]:
    """The arrays of an .npz file, each of the shape and type of `farm.labels.ARRAYS`. Raises StorageError."""
    try:
        if data.count(_DIRECTORY_ENTRY) > 2 * len(ARRAYS):
            raise StorageError("It holds more arrays than there are labels.")
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return dict(_array(archive, member, side) for member in archive.infolist())
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, NotImplementedError, RuntimeError,
            struct.error, SyntaxError) as error:  # fmt: skip
        raise StorageError(f"It is no usable .npz file ({reason(error)}).") from error


def _array(archive: zipfile.ZipFile, member: zipfile.ZipInfo, side: int) -> tuple[LabelName, NDArray[Any]]:
    name = member.filename.removesuffix(".npy")
    if name not in set(ARRAYS) or member.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise StorageError(f"It holds '{member.filename}', which is no label.")
    label = LabelName(name)
    with archive.open(member) as file:
        _check_header(file, label, side)
        values = file.read(_array_bytes(label, side) + 1)
    if len(values) != _array_bytes(label, side):
        raise StorageError(f"The label {name} has another length than a picture of {side} x {side} pixels gives.")
    return label, np.frombuffer(values, np.dtype(ARRAYS[label].dtype)).reshape(ARRAYS[label].shape(side))


def _check_header(file: IO[bytes], label: LabelName, side: int) -> None:
    if np.lib.format.read_magic(file) != (1, 0):
        raise StorageError(f"The label {label} is of an unknown version of numpy's format.")
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    expected = ARRAYS[label]
    if shape != expected.shape(side) or fortran or dtype != np.dtype(expected.dtype):
        raise StorageError(f"The label {label} is {dtype} {shape}, not {expected.dtype} {expected.shape(side)}.")


def read_marks(data: bytes) -> Marks:
    """Landmarks, joints, boxes and camera. Raises StorageError."""
    try:
        return Marks.model_validate_json(data)
    except ValidationError as error:
        raise StorageError(f"It holds no marks ({mistake(error.errors()[0])}).") from error
