"""The farm that is put under load: Valkey as in production, one API process, and workers that are started again when
they die. In a folder of its own, on free ports; ends as a whole.
"""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

import httpx

from farm.errors import ServiceError
from farm.jobs.connection import Connection
from farm.process import die_with_parent
from farm.stack import free_port, valkey_command

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0


class Rig:
    """Use it with `with`: Valkey and the API answer inside. `worker` is the command line of a worker without its name."""

    def __init__(self, home: Path, worker: Sequence[str], lease_seconds: float) -> None:
        self._home, self._worker = home, worker
        self._redis_port, self._api_port = free_port(), free_port()
        self.store = home / "store"
        self.api_url = f"http://127.0.0.1:{self._api_port}"
        self.connection = Connection(f"redis://127.0.0.1:{self._redis_port}/0")
        self._environment = {
            "FARM_REDIS_URL": f"redis://127.0.0.1:{self._redis_port}/0",
            "FARM_STORAGE_URL": f"file://{self.store}",
            "FARM_RATE_LIMIT": "0",
            "FARM_LEASE_SECONDS": str(lease_seconds),
            "TMPDIR": str(home),
        }
        self._servers: dict[str, subprocess.Popen[bytes]] = {}
        self._workers: dict[str, subprocess.Popen[bytes]] = {}

    def __enter__(self) -> "Rig":
        try:
            (self._home / "valkey").mkdir()
            self._servers["valkey"] = self._spawn("valkey", [
                *valkey_command(), "--bind", "127.0.0.1", "--port", str(self._redis_port),
                "--dir", str(self._home / "valkey"), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
                "--maxmemory-policy", "noeviction",
            ])  # fmt: skip
            self._wait("valkey", self._redis_answers)
            self._servers["api"] = self._spawn(
                "api", [sys.executable, "-m", "farm", "api", "--port", str(self._api_port)]
            )
            self._wait("api", self._api_answers)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start_workers(self, count: int) -> None:
        """Start `count` workers."""
        for number in range(1, count + 1):
            self._start_worker(f"stress-{number}")

    def _start_worker(self, name: str) -> None:
        room = self._home / f"metrics-{name}"
        room.mkdir(exist_ok=True)
        self._workers[name] = self._spawn(
            name,
            [sys.executable, "-m", "farm.stress.worker", *self._worker],
            {"FARM_WORKER_NAME": name, "PROMETHEUS_MULTIPROC_DIR": str(room)},
        )

    def mend(self) -> int:
        """Start workers again that died of SIGKILL; how many. Raises ServiceError when anything ended otherwise."""
        self.check()
        dead = [name for name, process in self._workers.items() if process.poll() is not None]
        for name in dead:
            code = self._workers[name].returncode
            if code != -signal.SIGKILL:
                raise ServiceError(f"Worker {name} ended with code {code}. {self._last_words(name)}")
            self._start_worker(name)
        return len(dead)

    def check(self) -> None:
        """Raise ServiceError when a server has ended."""
        for name, process in self._servers.items():
            if process.poll() is not None:
                raise ServiceError(f"The {name} ended with code {process.returncode}. {self._last_words(name)}")

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time of "valkey", "api" and "workers" so far. What a worker used that was killed is left out."""
        sessions = {process.pid: name for name, process in self._servers.items()}
        sessions |= {process.pid: "workers" for process in self._workers.values()}
        seconds = dict.fromkeys((*self._servers, "workers"), 0.0)
        for file in Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):  # it has just ended
                fields = file.read_text().rpartition(")")[2].split()
                if name := sessions.get(int(fields[3])):
                    # Its own in user and kernel mode, and that of the children that it has seen end.
                    seconds[name] += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
        return seconds

    def stop(self) -> None:
        """End everything; safe to call again."""
        for processes, end in ((self._workers, signal.SIGKILL), (self._servers, signal.SIGTERM)):
            for process in processes.values():
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, end)
            for process in processes.values():
                try:
                    process.wait(_STOP_SECONDS)
                except subprocess.TimeoutExpired:
                    os.killpg(process.pid, signal.SIGKILL)
                    process.wait()
            processes.clear()

    def _spawn(
        self, name: str, command: Sequence[str], environment: dict[str, str] | None = None
    ) -> subprocess.Popen[bytes]:
        with (self._home / f"{name}.log").open("ab") as sink:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._environment, **(environment or {})},
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def _last_words(self, name: str) -> str:
        text = (self._home / f"{name}.log").read_text(errors="replace")
        return "Its last words:\n" + "\n".join(text.strip().splitlines()[-8:])

    def _redis_answers(self) -> bool:
        try:
            self.connection.check()
        except ServiceError:
            return False
        return True

    def _api_answers(self) -> bool:
        try:
            return httpx.get(f"{self.api_url}/readyz", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def _wait(self, name: str, answers: Callable[[], bool]) -> None:
        deadline = time.monotonic() + _START_SECONDS
        while not answers():
            self.check()
            if time.monotonic() > deadline:
                raise ServiceError(f"The {name} does not answer after {_START_SECONDS:.0f} s.")
            time.sleep(0.05)
