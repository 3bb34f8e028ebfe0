"""Processes that are killed at every change to the file system, one at each, until one ends by itself.

For a process of its own: an audit hook stays for good. A file that is about to be written over is emptied before the victim
ends, the moment that hurts most.
"""

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_CHANGES = {"os.rename", "os.remove", "os.rmdir", "os.link", "os.mkdir"}
_KILLED = 9


def kill_at_every_change(before: Path, room: Path, act: Callable[[Path], object], appended: str = "/") -> int:
    """Run `act` on a folder of each victim in `room`, a copy of `before` where that is a folder; the exit status of the one
    that nobody killed.

    Of a file whose name ends with `appended` nothing is lost: its writer adds to it.
    """
    change, status = 0, _KILLED
    while status == _KILLED:
        change += 1
        out = room / f"{change:04d}"
        if before.is_dir():
            shutil.copytree(before, out)
        if (victim := os.fork()) == 0:
            sys.addaudithook(_ends_at(change, out, appended))
            act(out)
            os._exit(0)
        status = os.waitstatus_to_exitcode(os.waitpid(victim, 0)[1])
    return status


def _ends_at(change: int, out: Path, appended: str) -> Callable[[str, tuple[Any, ...]], None]:
    left = change

    def hook(event: str, args: tuple[Any, ...]) -> None:
        nonlocal left
        writes = event == "open" and str(args[0]).startswith(str(out)) and args[2] & (os.O_WRONLY | os.O_RDWR)
        if not writes and event not in _CHANGES:
            return
        left -= 1
        if left == 0:
            if writes and Path(args[0]).exists() and not str(args[0]).endswith(appended):
                os.truncate(args[0], 0)
            os._exit(_KILLED)

    return hook
