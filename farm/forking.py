"""Servers that begin as a fork of the command that needs them: what it has imported, they need not import again.

Half of what API and worker are made of a command has too, and each would take a second of CPU for it. Only a process that
is one command's alone, whose environment is settled, and that has a single thread may be forked (`may_fork`): no lock of
another thread is held for ever then, and no stranger's program is copied. What a program started anew would not have is taken
away first: descriptors, signal handlers, the terminal, the environment, the folder of the program among Python's.

What is left is the command's memory, and the line and first environment that the kernel shows of it, to the same user alone:
API and worker of a render are the user's own, and what parses or draws a stranger's model is no fork, but a new program.
"""

import contextlib
import gc
import os
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from io import TextIOWrapper
from pathlib import Path

from farm import environment

type Program = Callable[[Sequence[str]], object]
"""Runs a role of the farm by its arguments, such as ``["api", "--port", "8000"]``; ends by returning or by SystemExit."""

_FIRST_DESCRIPTOR = 3
"""The first that is not a standard one."""
_LOOK_SECONDS = 0.005


class Forked:
    """A forked process, with what of `subprocess.Popen` the farm needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        """Its exit code, or minus the signal that ended it, once it is reaped."""

    def wait(self) -> int:
        """Wait until it is gone, and reap it."""
        if self.returncode is None:
            self.returncode = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self.returncode

    def terminate(self) -> None:
        """Send it SIGTERM; nothing happens when it was reaped."""
        if self.returncode is None:
            os.kill(self.pid, signal.SIGTERM)


class Inherited:
    """A process that an ancestor of ours started and will reap, with what of `subprocess.Popen` the farm needs."""

    def __init__(self, pid: int) -> None:
        self.pid = pid
        self.returncode: int | None = None
        """Its exit code, or minus the signal that ended it, once that was seen."""

    def poll(self) -> int | None:
        """`returncode`, looked up. Source: proc(5), /proc/PID/stat: field 3 is the state, 52 how it ended."""
        if self.returncode is None:
            try:
                fields = Path(f"/proc/{self.pid}/stat").read_bytes().rpartition(b")")[2].split()
            except OSError:  # the ancestor is ending, and reaped it
                self.returncode = -signal.SIGKILL
            else:
                if fields[0] in (b"Z", b"X"):
                    self.returncode = os.waitstatus_to_exitcode(int(fields[49]))
        return self.returncode

    def wait(self) -> int:
        """Wait until it has ended."""
        while (code := self.poll()) is None:
            time.sleep(_LOOK_SECONDS)
        return code


def may_fork() -> bool:
    """Whether this process is a command's alone and has no second thread, of Python or of a library."""
    if not environment.settled():
        return False
    try:
        return len(list(Path("/proc/self/task").iterdir())) == 1
    except OSError:  # not Linux
        return False


def fork(
    program: Program,
    arguments: Sequence[str],
    output: Path,
    variables: Mapping[str, str],
    umask: int,
    bind: Callable[[], None],
    kept: Sequence[int] = (),
) -> Forked:
    """Run `program` with `arguments` in a fork, in a group of its own, its output at the end of the file `output`.

    `variables` are all of its environment, `bind` what it calls first of all, `kept` descriptors of ours that it has, too.
    """
    sink = os.open(output, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    parent = os.getpid()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # else it would be printed twice
    # A signal that comes in between must not run the command's handler in the fork.
    before = signal.pthread_sigmask(signal.SIG_SETMASK, signal.valid_signals())
    try:
        pid = os.fork()
        if not pid:
            _be(program, arguments, sink, variables, umask, bind, kept, parent, before)
        return Forked(pid)
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        os.close(sink)


def _be(
    program: Program,
    arguments: Sequence[str],
    sink: int,
    variables: Mapping[str, str],
    umask: int,
    bind: Callable[[], None],
    kept: Sequence[int],
    parent: int,
    mask: set[int | signal.Signals],
) -> None:
    """The fork's life. It never returns: what the command has on its stack is not the fork's to end."""
    code = 1
    try:
        bind()
        if os.getppid() != parent:
            return  # it died before
        gc.freeze()  # garbage of the command's could close descriptors that are others' by then
        os.setsid()
        os.umask(umask)
        _forget_signals()
        _take_descriptors(sink, kept)
        _take_environment(variables, arguments)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        program(arguments)
        code = 0
    except SystemExit as error:
        code = error.code if isinstance(error.code, int) else int(error.code is not None)
    except BaseException:  # noqa: BLE001 - nobody is there to catch it
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(OSError, ValueError):
                stream.flush()
        os._exit(code)


def _forget_signals() -> None:
    """As a new Python has them; what is ignored stays so (nohup)."""
    for number in signal.valid_signals():
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is not signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _take_descriptors(sink: int, kept: Sequence[int]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    for place, source in enumerate((nothing, sink, sink)):
        os.dup2(source, place)
    first = _FIRST_DESCRIPTOR
    for descriptor in (*sorted(kept), os.sysconf("SC_OPEN_MAX")):
        os.closerange(first, descriptor)
        first = descriptor + 1
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def _take_environment(variables: Mapping[str, str], arguments: Sequence[str]) -> None:
    os.environ.clear()
    os.environ.update(variables)
    tempfile.tempdir = None  # it is looked up again
    sys.argv = ["farm", *arguments]
    sys.orig_argv = [*server_command(), *arguments]  # by this a worker begins anew
    if not sys.flags.safe_path:
        del sys.path[0]
    home = variables.get("PYTHONPATH", "")
    if home and home not in sys.path:
        sys.path.insert(0, home)


def server_command() -> list[str]:
    """The program `farm`, to which arguments are added, without code from the current folder (-P)."""
    return [sys.executable, "-P", "-m", "farm"]
