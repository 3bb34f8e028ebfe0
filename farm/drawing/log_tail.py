"""The end of what a process prints, in memory: one that prints for ever fills no disk."""

import os
import select
from threading import Lock, Thread

_KEPT, _TOLD = 64_000, 4_000
"""Bytes that are kept, and characters that are told."""
LAST_BREATH = 5.0
"""Seconds that a process whose output or pipe is closed gets to end."""


class LogTail:
    """Of the pipe that the process has as its output, the end for reading. Any thread may ask."""

    def __init__(self, reading: int) -> None:
        """`reading` is closed when the process is gone."""
        self._reading = reading
        self._kept = bytearray()
        self._ended = False
        self._lock = Lock()
        self._thread = Thread(target=self._follow, name="blender-log", daemon=True)
        self._thread.start()

    def _follow(self) -> None:
        while not self._ended:
            select.select([self._reading], [], [])
            self._take()
        os.close(self._reading)

    def _take(self) -> None:
        """Take what was printed and not read yet."""
        with self._lock:
            if not self._ended and select.select([self._reading], [], [], 0)[0]:
                printed = os.read(self._reading, 2**20)
                self._ended = not printed
                self._kept = (self._kept + printed)[-_KEPT:]

    def clear(self) -> None:
        """Forget what was printed so far."""
        self._take()
        with self._lock:
            self._kept.clear()

    def tail(self) -> str:
        """The end of what was printed, without the harmless EGL lines of Blender's start."""
        self._take()
        with self._lock:
            lines = self._kept.decode(errors="replace").splitlines()
        return "\n".join(line for line in lines if "EGL_BAD_MATCH" not in line)[-_TOLD:]

    def close(self) -> None:
        """Wait until all is read; call it when the process is gone."""
        self._thread.join(LAST_BREATH)
