"""Child processes: each starts in a group of its own and ends as a group, and none outlives its parent.

A group of its own means that Ctrl-C reaches only us, who decide the order of the end, and that what a child starts ends
with it.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from farm.environment import for_server
from farm.errors import ServiceError
from farm.forking import Forked, Inherited, Program, fork, may_fork, server_command

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_LAST_LINES = 8
_LOOK_SECONDS = 0.02
"""Between two questions whether a child answers."""
_OWN = 0o077

type Started = subprocess.Popen[bytes] | Forked
"""A process that was started here, and is not reaped yet or has its code."""
type Process = Started | Inherited
"""The same, or one that the command started that we are a fork of."""


def die_with_parent() -> None:
    """Ask the kernel to kill this process when its parent dies, however that dies. Does nothing outside Linux.

    Safe between fork and exec: the library is loaded beforehand.
    """
    if _LIBC is not None:
        parent = os.getppid()
        _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            os._exit(1)  # the parent died before the call


def spawn(
    command: Sequence[str],
    output: Path | int,
    environment: Mapping[str, str] | None = None,
    pass_fds: Sequence[int] = (),
    binds_itself: bool = False,
    whole: bool = False,
    folder: Path | None = None,
    umask: int = -1,
) -> subprocess.Popen[bytes]:
    """Start `command` in a group of its own, its output at the end of the file, or in the descriptor, `output`.

    `environment` goes on top of what every server of the farm gets (`farm.environment`), or, if `whole`, is all that it gets;
    `folder` is where it starts, `umask` what its files lack (-1: both as ours). `binds_itself`: the program calls
    `die_with_parent` first of all, so that nothing of ours has to run between fork and exec, which is no place for Python
    where other threads run.
    """
    sink = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600) if isinstance(output, Path) else output
    try:
        return subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=sink,
            stderr=sink,
            env={**({} if whole else for_server()), **(environment or {})},
            cwd=folder,
            umask=umask,
            pass_fds=pass_fds,
            start_new_session=True,
            preexec_fn=None if binds_itself else die_with_parent,
        )
    finally:
        if isinstance(output, Path):
            os.close(sink)


def signal_group(process: Process, number: signal.Signals) -> None:
    """Send a signal to a spawned process and to what it started; nothing happens when all of them are gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def exit_code(process: Process) -> int | None:
    """How a process ended: its code, or minus the number of the signal; None while it runs.

    It is not reaped, so that its number stays its own and `signal_group` meets no stranger.
    """
    if process.returncode is not None:
        return process.returncode
    if isinstance(process, Inherited):
        return process.poll()
    found = os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    if found is None:
        return None
    return found.si_status if found.si_code == os.CLD_EXITED else -found.si_status


def group_memory(group: int) -> int:
    """Bytes of resident memory of a process group. Source: proc(5), /proc/PID/stat: field 5 is the group, 24 the pages."""
    pages = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()  # from field 3 on: names hold anything
            if int(fields[2]) == group:
                pages += int(fields[21])
    return pages * os.sysconf("SC_PAGE_SIZE")


class Child:
    """A server of ours: a command that runs until it is ended, and its log."""

    _process: Started

    def __init__(self, name: str, command: Sequence[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self._command, self._log, self._environment = command, log, environment
        self._process = self._spawned()

    def _spawned(self) -> Started:
        return spawn(self._command, self._log, self._environment, umask=_OWN)  # what it writes is nobody else's to read

    @property
    def pid(self) -> int:
        """The number of the process, and of its group."""
        return self._process.pid

    @property
    def code(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""
        return exit_code(self._process)

    def check(self) -> None:
        """Raise ServiceError when it has ended by itself."""
        if self.code is not None:
            raise ServiceError(f"The {self.name} ended with code {self.code}. Its last words:\n{self._last_words()}")

    def _last_words(self) -> str:
        return "\n".join(self._log.read_text(errors="replace").strip().splitlines()[-_LAST_LINES:])

    def restart(self) -> None:
        """Start it again after it has ended."""
        self.signal(signal.SIGKILL)
        self.reap()
        self._process = self._spawned()

    def ask_to_end(self, seconds: float) -> None:
        """Send it SIGTERM, not to what it started: that hears of it from it. Returns when it is gone, or after `seconds`."""
        self._process.terminate()
        self._wait(seconds)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to it and all that it started, without waiting."""
        signal_group(self._process, number)

    def reap(self) -> None:
        """Wait until it is gone; one that does not listen to the signal it was sent is killed."""
        if not self._wait(_STOP_SECONDS):
            self.signal(signal.SIGKILL)
        self._process.wait()

    def _wait(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while self.code is None and time.monotonic() < deadline:
            time.sleep(0.01)
        return self.code is not None


class Server(Child):
    """A child that is the program `farm` with arguments; a fork of this process, where that may be and `program` is given.

    The fork has the descriptors `kept` of ours, too.
    """

    def __init__(
        self,
        name: str,
        arguments: Sequence[str],
        log: Path,
        environment: Mapping[str, str],
        program: Program | None,
        kept: Sequence[int] = (),
    ) -> None:
        self._arguments, self._program, self._kept = arguments, program, kept
        super().__init__(name, [*server_command(), *arguments], log, environment)

    def _spawned(self) -> Started:
        if self._program is None or not may_fork():
            return super()._spawned()
        variables = {**for_server(), **self._environment}
        return fork(self._program, self._arguments, self._log, variables, _OWN, die_with_parent, self._kept)


def wait_until_ready(child: Child, answers: Callable[[], bool], check: Callable[[], None]) -> None:
    """Wait until a child answers. Raises ServiceError when it does not, and what `check` raises meanwhile."""
    deadline = time.monotonic() + _START_SECONDS
    while not answers():
        check()
        if time.monotonic() > deadline:
            raise ServiceError(f"The {child.name} does not answer after {_START_SECONDS:.0f} s; its log may tell why.")
        time.sleep(_LOOK_SECONDS)
