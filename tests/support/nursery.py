"""The program `farm` in forks of a process that has imported it, as a render's API and worker are forks of the command.

To import what an API is made of takes two seconds of CPU, a render as much, a command that asks an API one; a run of the
tests begins hundreds of them. Each is a process with its own environment, group and output all the same (`farm.forking`).
Whether the program begins from nothing has tests of its own: they spawn it.

usage: python -P -m tests.support.nursery SOCKET      the descriptor of a socket; answers a line for each line
"""

import atexit
import json
import os
import select
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from farm.environment import settle
from farm.forking import Forked, fork, may_fork
from farm.process import die_with_parent, exit_code, spawn

_MODULES = (
    "api.app", "api.connections", "celery.apps.worker", "celery.concurrency.thread", "farm.cli.annotate",
    "farm.cli.batches", "farm.cli.export", "farm.cli.growing", "farm.cli.inspect", "farm.cli.remote", "farm.cli.roles",
    "farm.cli.status", "farm.cli.upload", "farm.cli.verify", "farm.cli.workers", "farm.worker.attempt",
    "farm.worker.presence", "farm.worker.shutdown", "uvicorn",
)  # fmt: skip


class Begun(Forked):
    """A process out of the nursery, with what of `subprocess.Popen` the tests need. It is the nursery's child."""

    def __init__(self, pid: int, ask: Callable[[dict[str, Any]], Any]) -> None:
        super().__init__(pid)
        self._ask = ask

    def poll(self) -> int | None:
        """Its exit code, or minus the signal that ended it; None while it runs."""
        if self.returncode is None:
            self.returncode = self._ask({"code": self.pid})
        return self.returncode

    def wait(self, timeout: float | None = None) -> int:
        """Wait until it is gone; subprocess.TimeoutExpired after `timeout` seconds."""
        if self.returncode is None:
            descriptor = os.pidfd_open(self.pid)  # a process that nobody has asked about keeps its number
            try:
                ended, _, _ = select.select([descriptor], [], [], timeout)
            finally:
                os.close(descriptor)
            if not ended:
                raise subprocess.TimeoutExpired(f"process {self.pid}", timeout or 0)
        code = self.poll()
        assert code is not None
        return code

    def send_signal(self, number: signal.Signals) -> None:
        """Send it a signal; nothing happens when it is gone."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Send it SIGTERM; nothing happens when it is gone."""
        self.send_signal(signal.SIGTERM)


class Nursery:
    """The process that forks."""

    def __init__(self) -> None:
        ours, theirs = socket.socketpair()
        command = [sys.executable, "-P", "-m", "tests.support.nursery", str(theirs.fileno())]
        self._log = Path(tempfile.mkdtemp(prefix="farm-nursery-")) / "log"
        with theirs:
            self._process = spawn(command, self._log, pass_fds=[theirs.fileno()])
        self._lines = ours.makefile("rw", encoding="utf-8")
        ours.close()  # the file holds it

    def begin(
        self, arguments: Sequence[str], variables: Mapping[str, str], output: Path, errors: Path | None = None
    ) -> Begun:
        """Begin ``farm ARGUMENTS`` with `variables` as its whole environment, its output at the end of the files."""
        assert "LD_PRELOAD" not in variables, (
            "what is loaded before all else needs a program begun from nothing: spawn it"
        )
        wanted = {
            "arguments": list(arguments), "variables": dict(variables), "output": str(output), "folder": str(Path.cwd()),
            "errors": None if errors is None else str(errors),
        }  # fmt: skip
        return Begun(self._ask(wanted), self._ask)

    def _ask(self, wanted: dict[str, Any]) -> Any:
        self._lines.write(json.dumps(wanted) + "\n")
        self._lines.flush()
        answer = self._lines.readline()
        assert answer, f"the nursery has ended:\n{self._log.read_text()}"
        return json.loads(answer)

    def close(self) -> None:
        """End it and what is left of its children."""
        self._lines.close()
        self._process.wait()
        self._log.unlink()
        self._log.parent.rmdir()


@cache
def nursery() -> Nursery:
    """That of this process of the tests."""
    made = Nursery()
    atexit.register(made.close)
    return made


def run(
    arguments: Sequence[str], variables: Mapping[str, str], timeout: float | None = None
) -> subprocess.CompletedProcess[str]:
    """What `subprocess.run` gives of ``farm ARGUMENTS``, without an input and with `variables` as its environment."""
    with tempfile.TemporaryDirectory() as folder:
        output, errors = Path(folder, "output"), Path(folder, "errors")
        process = nursery().begin(arguments, variables, output, errors)
        try:
            code = process.wait(timeout)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
        return subprocess.CompletedProcess(["farm", *arguments], code, output.read_text(), errors.read_text())


def _serve(connection: socket.socket) -> None:
    import importlib

    from farm.cli.forked import run_role

    for module in _MODULES:
        importlib.import_module(module)
    umask = os.umask(0)
    os.umask(umask)
    children: dict[int, Forked] = {}
    for line in connection.makefile(encoding="utf-8"):
        wanted = json.loads(line)
        if "code" in wanted:
            child = children[wanted["code"]]
            answer = exit_code(child)
            if answer is not None:
                child.wait()
        else:
            assert may_fork()

            def program(arguments: Sequence[str], wanted: Mapping[str, Any] = wanted) -> None:
                if wanted["errors"]:
                    os.dup2(os.open(wanted["errors"], os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), 2)
                os.chdir(wanted["folder"])
                run_role(arguments)

            child = fork(
                program, wanted["arguments"], Path(wanted["output"]), wanted["variables"], umask, die_with_parent
            )
            children[child.pid] = child
            answer = child.pid
        connection.sendall(json.dumps(answer).encode() + b"\n")


if __name__ == "__main__":
    settle()
    os.environ |= {"JE_ARROW_MALLOC_CONF": "background_thread:false"}  # pyarrow's thread could not be forked
    _serve(socket.socket(fileno=int(sys.argv[1])))
