"""A Blender process as it is started: its folders, and our ends of its pipes."""

import os
from dataclasses import dataclass

from farm import pipe
from farm.drawing.room import Room
from farm.process import Process, spawn

_OWN = 0o077
"""What it writes is nobody else's to read."""


@dataclass(frozen=True, slots=True)
class Running:
    """A Blender that was started. It says `pipe.Ready` when it is."""

    process: Process
    room: Room
    commands: int
    """The descriptor that takes `farm.pipe`'s commands."""
    answers: int
    """The one that gives its answers."""
    printed: int
    """The one that gives what it prints."""

    @property
    def descriptors(self) -> tuple[int, ...]:
        """All that this process holds open of it."""
        return self.commands, self.answers, self.printed, self.room.lock


def start_blender(memory: int) -> Running:
    """Start one that the kernel refuses more than `memory` bytes. Raises OSError."""
    room = Room()
    command_read, commands = pipe.create()
    answers, answer_write = pipe.create()
    printed, printing = os.pipe()
    process = spawn(
        room.command(command_read, answer_write, memory),
        printing,
        room.environment(),
        whole=True,
        folder=room.home,
        pass_fds=(command_read, answer_write),
        binds_itself=True,
        umask=_OWN,
    )
    for descriptor in (command_read, answer_write, printing):
        os.close(descriptor)
    return Running(process, room, commands, answers, printed)
