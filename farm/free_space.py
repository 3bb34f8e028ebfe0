"""Free space on disks: asked for before something is written, and named when it is gone all the same."""

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from farm.errors import DiskFullError

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


@contextmanager
def noticed(folder: Path, remedy: str) -> Iterator[None]:
    """What fails because the disk of `folder` is full fails with DiskFullError."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise DiskFullError(f"The disk of {folder} is full. {remedy}") from error


def _said(size: int) -> str:
    return f"{size / 2**30:.1f} GiB" if size >= 2**30 else f"{size / 2**20:.0f} MiB"
