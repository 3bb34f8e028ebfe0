"""The reader: ``python -m farm.reading``. For every order, a line on standard input, it forks a child that reads one file.

The child gives up everything but that file and its folder, and ends with it: no upload meets what another left behind. All
modules are loaded before, so that a child costs milliseconds. The answer is a line: how the child ended.
"""

import os
import signal
import sys
import tempfile
from pathlib import Path

from farm.confinement import places
from farm.confinement.confine import Limits, confine
from farm.confinement.landlock import Access
from farm.errors import DiskFullError
from farm.process import die_with_parent
from farm.reading.messages import DISK_FULL, ReadOrder
from farm.reading.work import carry_out

_FILE_BYTES = 4 * 2**30
_OPEN_FILES = 64


def _read(order: ReadOrder) -> None:
    die_with_parent()
    _leave_the_pipes()
    folder = Path(order.folder)
    tempfile.tempdir = str(folder)
    paths = places.program("farm") | {Path(order.file): Access.READ, folder: Access.WRITE}
    confine(paths, Limits(order.memory, order.seconds, _FILE_BYTES, _OPEN_FILES), places.PINNED)
    carry_out(order)


def _leave_the_pipes() -> None:
    """Orders and answers are the reader's: its child must not read those of others, nor answer in its place."""
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    os.dup2(nothing, 1)
    os.close(nothing)


def _serve() -> None:
    for line in sys.stdin:
        order = ReadOrder.model_validate_json(line)
        child = os.fork()
        if not child:
            try:
                _read(order)
            except DiskFullError:
                os._exit(DISK_FULL)
            except BaseException:  # noqa: BLE001 - a child must not go on with its parent's work
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


if __name__ == "__main__":
    # It ends with its orders, whose pipe closes when the farm's process dies. (The kernel's own way goes by the thread that
    # started a process, and those of a server come and go.)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    _serve()
