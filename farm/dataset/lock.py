"""One process at a time writes into a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from farm.errors import ConflictError


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Make the folder `out` and keep it for this process. Raises ConflictError while another writes there."""
    out.mkdir(parents=True, exist_ok=True)
    descriptor = os.open(out, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise ConflictError(f"Another farm is writing into {out}; wait for it, or name another folder.") from error
        yield
    finally:
        os.close(descriptor)
