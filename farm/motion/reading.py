"""Reads motions, whatever their format; what is wrong with one is said as of a motion."""

from pathlib import Path

from farm.errors import ModelFormatError, ModelTruncatedError, MotionFormatError, MotionTruncatedError
from farm.motion.description import Motion
from farm.motion.limits import MAX_BYTES
from farm.motion.vmd import read_vmd
from farm.motion.vrma import read_vrma

_READERS = {".vmd": read_vmd, ".vrma": read_vrma}
SUFFIXES = tuple(_READERS)
_MAGIC = {".vmd": b"Vocaloid Motion Data", ".vrma": b"glTF"}


def read_motion(suffix: str, data: bytes) -> Motion:
    """Read VMD or VRMA bytes. Raises MotionFormatError; MotionTruncatedError for a file that is cut off."""
    try:
        return _READERS[suffix](data)
    except ModelTruncatedError as error:
        raise MotionTruncatedError(str(error)) from error
    except ModelFormatError as error:
        raise MotionFormatError(str(error)) from error


def suffix_of(data: bytes) -> str:
    """The suffix of the format that the bytes begin like. Raises MotionFormatError for what is no motion."""
    for suffix, magic in _MAGIC.items():
        if data.startswith(magic):
            return suffix
    raise MotionFormatError(f"It is no motion file: {', '.join(SUFFIXES)} can be read.")


def unfold_motion(data: bytes, folder: Path) -> Path:
    """Write a motion as a file whose suffix tells its format. Raises MotionFormatError for what is no motion."""
    path = folder / f"motion{suffix_of(data)}"
    path.write_bytes(data)
    return path


def open_motion(path: Path) -> Motion:
    """Read the motion file `path`. Raises MotionError, OSError."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise MotionFormatError(f"'{path.name}' is no motion file: {', '.join(SUFFIXES)} can be read.")
    if path.stat().st_size > MAX_BYTES:
        raise MotionFormatError(f"'{path.name}' is larger than the limit of {MAX_BYTES // 2**20} MiB.")
    return read_motion(suffix, path.read_bytes())
