"""Free space on disks: asked for before something is written, and named when it is gone all the same."""

import errno
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

from farm.errors import DiskFullError

LEAST_BYTES = 4 * 2**20
"""With less, what is begun cannot be trusted to end."""
ROOM_FOR_TEMPORARY = "Make room there, or name another place for temporary files with TMPDIR."
_PROBE_BYTES = 2**16
_FULL = (errno.ENOSPC, errno.EDQUOT)


def free_bytes(folder: Path) -> int:
    """What this process may still write in `folder`, or, before it is made, above it."""
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    found = os.statvfs(place)
    return found.f_bavail * found.f_frsize


def require(folder: Path, needed: int, remedy: str) -> None:
    """Raise DiskFullError when `folder` has not `needed` bytes left; `remedy` ends the sentence."""
    free = free_bytes(folder)
    if free < needed:
        raise DiskFullError(f"{folder} has {_said(free)} left, and about {_said(needed)} are needed. {remedy}")


def takes_nothing(folder: Path, least: int = LEAST_BYTES) -> bool:
    """Whether next to nothing can be written in `folder`: no space (`least` bytes), no room under a quota, or no names for
    files.
    """
    place = next(path for path in (folder.absolute(), *folder.absolute().parents) if path.exists())
    try:
        if free_bytes(place) < least:
            return True
        with tempfile.TemporaryFile(dir=place) as probe:
            probe.write(bytes(_PROBE_BYTES))
            probe.flush()
            os.fsync(probe.fileno())
    except OSError as error:
        return is_want_of(error)
    return False


def is_want_of(error: BaseException) -> bool:
    """Whether it says that there is no room."""
    return isinstance(error, OSError) and error.errno in _FULL


def full(folder: Path, remedy: str) -> DiskFullError:
    """The error for a disk that has no room; `remedy` ends the sentence."""
    return DiskFullError(f"The disk of {folder} is full. {remedy}")


@contextmanager
def noticed(folder: Path, remedy: str) -> Iterator[None]:
    """What fails because the disk of `folder` is full fails with DiskFullError."""
    try:
        yield
    except OSError as error:
        if not is_want_of(error):
            raise
        raise full(folder, remedy) from error


def noticed_temporary() -> AbstractContextManager[None]:
    """The same for the place of temporary files."""
    return noticed(Path(tempfile.gettempdir()), ROOM_FOR_TEMPORARY)


def _said(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
