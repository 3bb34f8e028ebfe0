"""How a worker's processes learn that it is told to stop: a file that says until when they may go on.

Celery's main process gets the signal and has no say in what its pool processes do; they look for the file.
"""

import os
import time
from pathlib import Path

_VARIABLE = "FARM_WORKER_STOP_FILE"


def prepare(folder: Path) -> None:
    """Name the file, for this process and those it starts."""
    os.environ[_VARIABLE] = str(folder / "stop")


def _file() -> Path | None:
    name = os.environ.get(_VARIABLE)
    return Path(name) if name else None


def announce(seconds: float) -> None:
    """No new jobs from now on, and the present ones are handed back after `seconds`."""
    if file := _file():
        new = file.with_suffix(".new")
        new.write_text(str(time.monotonic() + seconds))  # Linux' monotonic clock is the same in all processes
        new.replace(file)


def announced() -> bool:
    """Whether the worker is told to stop."""
    file = _file()
    return file is not None and file.exists()


def due() -> bool:
    """Whether the time to go on is over."""
    file = _file()
    try:
        return file is not None and time.monotonic() >= float(file.read_text())
    except FileNotFoundError:
        return False
