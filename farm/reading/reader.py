"""One process that reads strangers' files, as the farm has it: started, asked, waited for, ended."""

import os
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import IO

from farm import free_space
from farm.environment import for_stranger
from farm.errors import BackgroundError, FarmError, ModelError, MotionFormatError, ServiceError
from farm.process import exit_code, signal_group
from farm.reading.messages import DISK_FULL, ReadOrder
from farm.reading.work import too_large


class Reader:
    """One process that reads, started when first needed and after it was killed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def carry_out(self, order: ReadOrder, seconds: float) -> None:
        """Have the order carried out. Raises ModelError or BackgroundError when that takes too much."""
        if self._process is None or exit_code(self._process) is not None:
            self.stop()
            self._process = _start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(order.model_dump_json().encode() + b"\n")
            self._process.stdin.flush()
            ended = _line(self._process.stdout, seconds)
        except (BrokenPipeError, EOFError) as error:
            self.stop()
            raise ServiceError("The process that reads files ended; send the file again.") from error
        if ended is None:
            self.stop()
        if ended is None or ended == -signal.SIGXCPU or ended == -signal.SIGKILL:
            raise _kind(order)(
                f"'{order.name}' takes too long to read: over {order.seconds} s. Make it smaller, or upload its models one "
                "by one."
            )
        if ended == DISK_FULL:
            raise free_space.full(Path(tempfile.gettempdir()), free_space.ROOM_FOR_TEMPORARY)
        if ended:
            raise _kind(order)(too_large(order))

    def stop(self) -> None:
        """End the process and what it started."""
        process, self._process = self._process, None
        if process is not None:
            signal_group(process, signal.SIGKILL)
            process.wait()
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def _start() -> subprocess.Popen[bytes]:
    """A reader: with an environment that has nothing of ours, and no code from the current folder."""
    return subprocess.Popen(
        [sys.executable, "-P", "-m", "farm.reading"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=for_stranger() | {"OPENBLAS_NUM_THREADS": "1"},  # a fork takes no threads along
        start_new_session=True,
    )


_NUMBER = re.compile(rb"-?|-?[0-9]{1,3}\n?")
"""How a child ended, or the beginning of that."""


def _line(pipe: IO[bytes], seconds: float) -> int | None:
    """The next line, a number; None when it does not come in time. Raises EOFError, for what is no such line too."""
    deadline, text = time.monotonic() + seconds, b""
    while not text.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([pipe], [], [], left)[0]:
            return None
        piece = os.read(pipe.fileno(), 64)
        if not piece:
            raise EOFError
        text += piece
        if not _NUMBER.fullmatch(text):
            raise EOFError
    return int(text)


def _kind(order: ReadOrder) -> type[FarmError]:
    match order.what:
        case "background":
            return BackgroundError
        case "motion":
            return MotionFormatError
        case _:
            return ModelError
