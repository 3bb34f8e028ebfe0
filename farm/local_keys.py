"""The key of a farm that runs on this machine, where its own user's programs find it: a file that nobody else may read.

`farm up` leaves it, the command line and the SDK take it, and it goes when the farm stops.
"""

import contextlib
import os
import re
from pathlib import Path

from farm.errors import ServiceError


def remember(url: str, key: str) -> None:
    """Keep the key of the farm at `url`. Raises ServiceError when it cannot be written."""
    file = _file(url)
    try:
        file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        file.unlink(missing_ok=True)  # whoever made one before could still have it open
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(key)
    except OSError as error:
        raise ServiceError(
            f"The farm's key cannot be kept in {file} ({error.strerror}); set XDG_STATE_HOME to a folder of yours."
        ) from error


def forget(url: str) -> None:
    """Remove the key of the farm at `url`."""
    with contextlib.suppress(OSError):
        _file(url).unlink(missing_ok=True)


def known(url: str) -> str:
    """The key of the farm at `url`; empty when none is kept, or the file is another user's."""
    try:
        file = _file(url)
        return file.read_text() if file.stat().st_uid == os.geteuid() else ""
    except (OSError, UnicodeDecodeError, RuntimeError):
        return ""


def _file(url: str) -> Path:
    home = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(
        home, "facefarm", "keys", re.sub("[^A-Za-z0-9.]+", "-", url.partition("://")[2].rstrip("/"))[:200] or "-"
    )
