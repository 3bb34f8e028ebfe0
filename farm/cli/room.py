"""Waiting for a disk that is full: a farm that stays up does not end because of one."""

import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from farm import free_space
from farm.cli.console import note
from farm.errors import DiskFullError

_LOOK_SECONDS = 2.0


def patient[T](folder: Path, action: Callable[[], T]) -> T:
    """What `action` returns, tried again whenever it raised DiskFullError and `folder` has room again."""
    waited = False
    while True:
        try:
            result = action()
        except DiskFullError as error:
            if not waited:
                _say("waiting", "yellow", f"{error} The farm waits, and goes on when there is room.")
            waited = True
            time.sleep(_LOOK_SECONDS)
            while free_space.takes_nothing(folder):
                time.sleep(_LOOK_SECONDS)
        else:
            if waited:
                _say("going on", "green", f"There is room again in {folder.absolute()}.")
            return result


def _say(word: str, colour: str, sentence: str) -> None:
    with suppress(OSError):  # what is printed may go to a file on the very disk
        note(word, colour, sentence)
