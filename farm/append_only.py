"""What to do about a file that a server keeps its data in and cannot read any more."""

import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from farm.errors import DiskFullError, ServiceError

_TRIES = 2
"""With the file: what made the first start fail may have passed."""


def started(file: Path, start: Callable[[], None]) -> Path | None:
    """Start a server that reads `file` (or a folder), in the end without it; where the file is then, None where it was read.

    Whether the file is at fault is found by trying, since a server's words on it change. Without it being at fault it stays
    where it is, and what `start` raised is raised: ServiceError, and DiskFullError at once.
    """
    failed: ServiceError | None = None
    for _ in range(_TRIES):
        try:
            start()
        except DiskFullError:
            raise
        except ServiceError as error:
            failed = error
            if not file.exists():
                raise
        else:
            return None
    assert failed is not None
    aside = _free_name(file)
    file.rename(aside)
    try:
        start()
    except ServiceError:
        with suppress(FileNotFoundError):
            shutil.rmtree(file) if file.is_dir() else file.unlink()  # begun a moment ago, with nothing in it
        aside.rename(file)
        raise failed from None
    return aside


def _free_name(file: Path) -> Path:
    number = 1
    while (aside := file.with_name(f"{file.name}.damaged-{number}")).exists():
        number += 1
    return aside
