"""The farm that is put under load: Valkey as in production, one API process, and workers that are started again when
they die. In a folder of its own, on free ports; ends as a whole.
"""

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType

from farm.jobs.connection import Connection
from farm.process import Child, wait_until_ready
from farm.stack import api_answers, free_port
from farm.storage.addresses import file_url
from farm.valkey import redis_answers, valkey_command


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
            "FARM_STORAGE_URL": file_url(self.store),
            "FARM_RATE_LIMIT": "0",
            "FARM_LEASE_SECONDS": str(lease_seconds),
            "TMPDIR": str(home),
        }
        self._servers: dict[str, Child] = {}
        self._workers: dict[str, Child] = {}

    def __enter__(self) -> "Rig":
        try:
            (self._home / "valkey").mkdir()
            self._servers["valkey"] = self._spawn("valkey", [
                *valkey_command(), "--bind", "127.0.0.1", "--port", str(self._redis_port),
                "--dir", str(self._home / "valkey"), "--save", "", "--appendonly", "yes", "--appendfsync", "everysec",
                "--maxmemory-policy", "noeviction",
            ])  # fmt: skip
            self._wait("valkey", lambda: redis_answers(self._redis_port))
            self._servers["api"] = self._spawn(
                "api", [sys.executable, "-P", "-m", "farm", "api", "--port", str(self._api_port)]
            )
            self._wait("api", lambda: api_answers(self._api_port))
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
            [sys.executable, "-P", "-m", "farm.stress.worker", *self._worker],
            {"FARM_WORKER_NAME": name, "PROMETHEUS_MULTIPROC_DIR": str(room)},
        )

    def mend(self) -> int:
        """Start workers again that died of SIGKILL; how many. Raises ServiceError when anything ended otherwise."""
        self.check()
        dead = [child for child in self._workers.values() if child.code is not None]
        for child in dead:
            if child.code != -signal.SIGKILL:
                child.check()
            child.restart()
        return len(dead)

    def check(self) -> None:
        """Raise ServiceError when a server has ended."""
        for child in self._servers.values():
            child.check()

    def cpu_seconds(self) -> dict[str, float]:
        """Processor time of "valkey", "api" and "workers" so far. What a worker used that was killed is left out."""
        sessions = {child.pid: name for name, child in self._servers.items()}
        sessions |= {child.pid: "workers" for child in self._workers.values()}
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
        for children, number in ((self._workers, signal.SIGKILL), (self._servers, signal.SIGTERM)):
            for child in children.values():
                child.signal(number)
            for child in children.values():
                child.reap()
            children.clear()

    def _spawn(self, name: str, command: Sequence[str], environment: dict[str, str] | None = None) -> Child:
        return Child(name, command, self._home / f"{name}.log", {**self._environment, **(environment or {})})

    def _wait(self, name: str, answers: Callable[[], bool]) -> None:
        wait_until_ready(self._servers[name], answers, self.check)
