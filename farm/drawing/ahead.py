"""A Blender that is started ahead of the process that will draw with it.

Blender takes more than a second until it is ready, and so does a command until its worker is. So a command that is going to
draw starts one first of all. Its worker is a fork of it (`farm.forking`), and a worker's processes are forks of the worker:
what the command had open of that Blender they have, too, and the first of them to ask has it for good.

The command stays its parent in the eyes of the kernel: this Blender dies with the command, whatever happens, and its number
is no stranger's before the command has ended. It ends by itself when the process that draws with it is gone, as every
Blender does, since all others close what they have of it.
"""

import os
import signal
from contextlib import suppress
from dataclasses import replace
from typing import Self

from farm.drawing.running import Running, start_blender
from farm.forking import Inherited
from farm.process import signal_group

_TAKEN = "taken"
_ahead: "Ahead | None" = None
"""The one of this process, or of the command that it is a fork of."""


class Ahead:
    """The Blender, in a `with` of the command. One command has one at a time. Raises OSError where none can be started."""

    def __init__(self, memory: int) -> None:
        """`memory`: as `farm.drawing.blender.Blender` takes it."""
        self._running = start_blender(2 * memory)
        self._held = True
        """Whether this process has descriptors of it."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What the fork is to keep that will draw."""
        return self._running.descriptors

    def __enter__(self) -> Self:
        global _ahead
        _ahead = self
        return self

    def __exit__(self, *_: object) -> None:
        global _ahead
        _ahead = None
        signal_group(self._running.process, signal.SIGKILL)
        self._running.process.wait()
        self._let_go()
        self._running.room.remove()

    def _take(self) -> Running | None:
        if not self._held:
            return None
        try:
            # Of several processes that ask at a time, one makes the file.
            os.close(os.open(self._running.room.path / _TAKEN, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        except OSError:
            self._let_go()
            return None
        self._held = False
        return replace(self._running, process=Inherited(self._running.process.pid))

    def _let_go(self) -> None:
        if self._held:
            self._held = False
            for descriptor in self.descriptors:
                with suppress(OSError):
                    os.close(descriptor)


def take() -> Running | None:
    """The Blender that was started ahead, for the first process that asks; for the others None."""
    return None if _ahead is None else _ahead._take()


def let_go() -> None:
    """Close what this process, which will not draw, has of it. Call it when those that might are forked."""
    if _ahead is not None:
        _ahead._let_go()
