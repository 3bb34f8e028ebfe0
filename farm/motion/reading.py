"""Reads motions, whatever their format; what is wrong with one is said as of a motion."""

from pathlib import Path

from farm.errors import ModelFormatError, ModelTruncatedError, MotionFormatError, MotionTruncatedError
from farm.motion.description import Motion
from farm.motion.limits import MAX_BYTES
from farm.motion.vmd import read_vmd
from farm.motion.vrma import read_vrma

_READERS = {".vmd": read_vmd, ".vrma": read_vrma}
SUFFIXES = tuple(_READERS)


def read_motion(suffix: str, data: bytes) -> Motion:
    """Read VMD or VRMA bytes. Raises MotionFormatError; MotionTruncatedError for a file that is cut off."""
    try:
        return _READERS[suffix](data)
    except ModelTruncatedError as error:
        raise MotionTruncatedError(str(error)) from error
    except ModelFormatError as error:
        raise MotionFormatError(str(error)) from error


def open_motion(path: Path) -> Motion:
    """Read the motion file `path`. Raises MotionError, OSError."""
    suffix = path.suffix.lower()
    if suffix not in SUFFIXES:
        raise MotionFormatError(f"'{path.name}' is no motion file: {', '.join(SUFFIXES)} can be read.")
    if path.stat().st_size > MAX_BYTES:
        raise MotionFormatError(f"'{path.name}' is larger than the limit of {MAX_BYTES // 2**20} MiB.")
    return read_motion(suffix, path.read_bytes())
