"""Temporary folders that are removed however their process ends: at its end by itself, after a kill by another one.

A folder's owner holds a lock on it (flock(2)), which the kernel takes back when the owner and what it forked are gone. A
folder with the name of ours and nobody's lock is therefore a dead process's.
"""

import fcntl
import os
import shutil
import tempfile
from pathlib import Path
from typing import Self

_PREFIX = "farm-scratch-"


class Scratch:
    """A new folder where temporary files go (TMPDIR), until `close`. Raises OSError when none can be made.

    Before and after, those that dead processes left in the same place are removed: what a killed process had started may
    live, and hold its lock, a moment longer than it.
    """

    def __init__(self) -> None:
        remove_dead()
        self.path, self.lock = _new(_home())

    def close(self) -> None:
        """Remove the folder and all that is in it."""
        shutil.rmtree(self.path, ignore_errors=True)
        os.close(self.lock)
        _remove_dead(self.path.parent)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def remove_dead() -> None:
    """Remove those that dead processes left, for one who needs no folder of its own."""
    _remove_dead(_home())


def _home() -> Path:
    return Path(tempfile.gettempdir())


def _new(home: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=home))
        lock = _locked(folder)
        if lock is not None:
            if folder.exists():
                return folder, lock
            os.close(lock)
        # Another process saw it before it was locked, and removed it.


def _remove_dead(home: Path) -> None:
    for folder in home.glob(f"{_PREFIX}*"):
        lock = _locked(folder)
        if lock is not None:
            shutil.rmtree(folder, ignore_errors=True)  # another user's stays
            os.close(lock)


def _locked(folder: Path) -> int | None:
    """A descriptor that holds the folder's lock; None when somebody else does, or it is gone or not ours to open."""
    try:
        lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock
