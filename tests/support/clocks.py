"""Clocks of processes that can be set, by libfaketime: the wall clock jumps, the monotonic one goes on, as on any machine."""

import os
import shutil
import subprocess
from pathlib import Path

_LIBRARY = Path("/usr/lib/x86_64-linux-gnu/faketime/libfaketime.so.1")
ABSENT = "clocks cannot be set: apt-get install faketime tcc"
_SLEEP = """
long syscall(long number, ...);
int *__errno_location(void);
int clock_nanosleep(int clock, int flags, const void *wanted, void *left)
{
    return syscall(230, clock, flags, wanted, left) == 0 ? 0 : *__errno_location();
}
"""
"""The kernel's own call. Where the monotonic clock is true, libfaketime (0.9.10) refuses every sleep until a time of it, and
so every one of Python's: what slept to try again had an OSError instead."""


def can_set_clocks() -> bool:
    """Whether clocks can be set here."""
    return _LIBRARY.exists() and shutil.which("tcc") is not None


class Clock:
    """What every process that gets `environment`, and what it starts, takes for the time."""

    def __init__(self, folder: Path) -> None:
        """`folder`, which is made, is the home of these processes: a file is there by which they know the time."""
        folder.mkdir(parents=True, exist_ok=True)
        _sweep()
        sleep = folder / "sleep.so"
        subprocess.run(["tcc", "-shared", "-nostdlib", "-o", sleep, "-"], input=_SLEEP, text=True, check=True)
        self._file = folder / ".faketimerc"  # variables that name another one a process of the farm would not pass on
        self.environment = {
            "LD_PRELOAD": f"{sleep}:{_LIBRARY}",  # the first has the last word
            "HOME": str(folder),
            "FAKETIME_CACHE_DURATION": "1",  # seconds; without, it reads the file at every look at a clock
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
            "DONT_FAKE_MONOTONIC": "1",
        }
        self.set(0)

    def set(self, seconds: int) -> None:
        """Set it to so many seconds from the true time; it is seen within a second or so."""
        new = self._file.with_suffix(".new")
        new.write_text(f"{seconds:+d}")
        os.replace(new, self._file)  # who reads half of it ends


def _sweep() -> None:
    """Remove what processes that were killed have left: of the next process of the same number nothing would come."""
    for file in Path("/dev/shm").glob("*faketime_s*_*"):
        if not Path("/proc", file.name.rpartition("_")[2]).exists():
            file.unlink(missing_ok=True)
