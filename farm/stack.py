"""The embedded stack: the whole farm as child processes on free ports of this machine.

Valkey from a wheel, a directory as object store, the API, workers, and Flower on wish. Everything it starts ends with
it: on `stop`, on Ctrl-C, and, by the kernel, when this process is killed.
"""

import contextlib
import errno
import http.client
import itertools
import os
import secrets
import shutil
import signal
import socket
import stat
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from farm import append_only, free_space
from farm.dataset.lock import locked
from farm.errors import DiskFullError, ServiceError
from farm.forking import Program
from farm.keys import Role, entry_for, new_key
from farm.local_keys import forget, remember
from farm.process import Child, Server, wait_until_ready
from farm.settings import Settings
from farm.storage.addresses import file_url
from farm.valkey import redis_answers, valkey_configuration, valkey_reading

_HAND_BACK_SECONDS = 15.0
_ROOM = "Make room there; nothing that stands there is lost."
_MOST_MENDED, _MENDING_SECONDS = 10, 600.0
"""How often processes may be started again within that time; what ends more often needs a person."""


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


def api_answers(port: int) -> bool:
    """Whether an API of this machine, and all that it needs, is there. Asked by hand: a client library takes its time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status == http.HTTPStatus.OK
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


class EmbeddedStack:
    """Start with `with`; `api_url` is where it answers.

    `home` keeps the store, the logs and Valkey's file; it is created when needed. `workers` is the number of models that are
    drawn at a time; of 0 nothing is. `program` runs the roles of it that may begin as forks of this process, with the
    descriptors `kept` of it. `api` False: it has none, for whoever needs no more than its store and its Redis.
    """

    def __init__(
        self,
        home: Path,
        workers: int,
        flower: bool = False,
        keep: bool = False,
        port: int | None = None,
        program: Program | None = None,
        api: bool = True,
        kept: Sequence[int] = (),
    ) -> None:
        self._home = home.absolute()
        self._workers = workers
        self._flower = flower
        self._keep = keep
        self._program, self._api, self._kept = program, api, kept
        self._children: dict[str, Child] = {}
        self._mended: list[float] = []
        """When processes were started again."""
        self._to_reconcile = False
        """Whether Valkey was started again since its jobs were compared with the store's."""
        self.put_aside: list[Path] = []
        """Files of Valkey that could not be read. What was in them was made again from the store."""
        self._lock = ExitStack()
        self._password, self._flower_password = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.api_key = new_key()
        """Lets in whoever runs the farm. `farm.local_keys` has it for the command line while the farm is up."""
        self._port = port or free_port()
        self._redis_port, self._metrics_port, self._flower_port = free_port(), free_port(), free_port()
        self.api_url = f"http://127.0.0.1:{self._port}"
        self.redis = f"127.0.0.1:{self._redis_port}"
        self.metrics_url = f"http://127.0.0.1:{self._metrics_port}/metrics"
        self.flower_url = f"http://127.0.0.1:{self._flower_port}" if flower else ""
        self.page_url = f"{self.api_url}/sign-in#{self.api_key}"
        """The operators' page, signed in: what stands behind the # stays in the browser."""
        self.flower_login = f"farm:{self._flower_password}"

    @property
    def store(self) -> Path:
        """The folder that is the object store."""
        return self._home / "store"

    @property
    def environment(self) -> dict[str, str]:
        """The FARM_ variables of this stack."""
        return {
            "FARM_REDIS_URL": f"redis://:{self._password}@127.0.0.1:{self._redis_port}/0",
            "FARM_STORAGE_URL": file_url(self.store),
            "FARM_API_URL": self.api_url,
            "FARM_FLOWER_URL": self.flower_url,
            # It is for whoever runs it, whatever the settings of a farm elsewhere say: others have accounts here, too.
            "FARM_API_KEYS": entry_for("local", [Role.OPERATE], self.api_key),
            "FARM_API_KEYS_FILE": "",
            "FARM_FLOWER_BASIC_AUTH": f"farm:{self._flower_password}",
            "FARM_RATE_LIMIT": "0",
            "FARM_WEBHOOK_PRIVATE": "1",
            "FARM_WORKER_NAME": "",
            "FARM_SHUTDOWN_SECONDS": "0",
        }

    @property
    def not_taken(self) -> list[str]:
        """The settings of this process' environment that the farm does not go by, since it has values of its own."""
        own = {**self.environment, "FARM_API_HOST": "127.0.0.1"}
        if not os.environ.get("FARM_IMPORT_BUCKETS"):  # else models may come from there
            own |= {f"FARM_{name}".upper(): "" for name in Settings.model_fields if name.startswith("s3_")}
        return sorted(name for name, value in own.items() if os.environ.get(name, value) not in ("", value))

    def __enter__(self) -> "EmbeddedStack":
        try:
            self._start()
        except BaseException as error:
            full = isinstance(error, (ServiceError, OSError)) and free_space.takes_nothing(self._home)
            self.stop()
            if full:
                raise free_space.full(self._home, _ROOM) from error
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _start(self) -> None:
        if not self._home.exists():
            self._home.mkdir(mode=0o700, parents=True)
        _check_ours(self._home)
        self._lock.enter_context(locked(self._home))  # two farms in one folder would ruin each other's data
        shutil.rmtree(self._home / "tmp", ignore_errors=True)
        self._make_folders()
        if self._keep and free_space.takes_nothing(self._home):
            raise free_space.full(self._home, _ROOM)
        _check_free(self._port)
        if self._keep:
            remember(self.api_url, self.api_key)
            self._lock.callback(forget, self.api_url)
        self._start_valkey()
        if self._keep:
            self._take_up(fresh=True)
        if self._workers:
            # The worker first: Blender's start is the longest way to the first picture.
            own = ["--metrics-port", str(self._metrics_port), "--metrics-host", "127.0.0.1"]
            self._role("worker", ["--concurrency", str(self._workers), *own])
        if self._api:
            self._role("api", ["--host", "127.0.0.1", "--port", str(self._port)])
        if self._flower:
            self._role("flower", ["--host", "127.0.0.1", "--port", str(self._flower_port)])
        if self._api:
            self._wait("api", lambda: api_answers(self._port))

    def _make_folders(self) -> None:
        for name in ("valkey", "tmp", "store", "logs"):
            _check_ours(self._home / name)
            _make_private(self._home / name)

    def _start_valkey(self) -> None:
        """Start it, or start it again. A file that it cannot read is put aside: the store has all that was in it."""

        def start() -> None:
            file = self._valkey_file()
            if "valkey" in self._children:
                self._children["valkey"].restart()
            else:
                self._children["valkey"] = Child("embedded valkey", valkey_reading(file), *self._surroundings("valkey"))
            valkey = self._children["valkey"]
            wait_until_ready(
                valkey, lambda: redis_answers(self._redis_port, self._password), lambda: self._check_child(valkey)
            )

        aside = append_only.started(self._home / "valkey" / "appendonlydir", start)
        if aside is not None:
            self.put_aside.append(aside)

    def _valkey_file(self) -> Path:
        """Valkey's configuration: everybody on the machine can read a command line, and so a password on it."""
        file = self._home / "valkey" / "valkey.conf"
        file.unlink(missing_ok=True)
        lines = valkey_configuration(self._home / "valkey", self._redis_port, self._password, self._keep)
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as out:
            out.write(lines)
        return file

    def _role(self, name: str, options: list[str]) -> None:
        where = self._surroundings(name)
        self._children[name] = Server(f"embedded {name}", [name, *options], *where, self._program, self._kept)

    def _surroundings(self, name: str) -> tuple[Path, dict[str, str]]:
        """Log and variables of a process. Temporary files end with the stack's folder, however its processes end."""
        return self._home / "logs" / f"{name}.log", {**self.environment, "TMPDIR": str(self._home / "tmp")}

    def _take_up(self, fresh: bool) -> None:
        """Make the jobs of before ready for workers; `fresh`: none runs yet."""
        from farm.jobs.connection import Connection
        from farm.jobs.keeper import hand_back_all
        from farm.jobs.reconcile import reconcile
        from farm.jobs.store import JobStore
        from farm.storage import LocalStore

        connection = Connection(self.environment["FARM_REDIS_URL"])
        if fresh:
            hand_back_all(connection)
        reconcile(LocalStore(self.store), JobStore(connection))  # its data may have been lost meanwhile

    def _wait(self, name: str, answers: Callable[[], bool]) -> None:
        wait_until_ready(self._children[name], answers, self.check)

    def pid(self, name: str) -> int:
        """The number of a process: "valkey", "worker", "api" or "flower"."""
        return self._children[name].pid

    def mend(self) -> list[str]:
        """Start every process again that has ended by itself; their names. Raises ServiceError when that is too often, and
        DiskFullError while the disk is full: what ended would end again, so nothing is done, and it does not count.
        """
        now = time.monotonic()
        self._mended = [at for at in self._mended if at > now - _MENDING_SECONDS]
        ended = [name for name, child in self._children.items() if child.code is not None]
        if free_space.free_bytes(self._home) < free_space.LEAST_BYTES or (
            ended and free_space.takes_nothing(self._home)
        ):
            raise free_space.full(self._home, _ROOM)
        if len(self._mended) + len(ended) > _MOST_MENDED:
            self.check()
        with free_space.noticed(self._home, _ROOM):
            for name in ended:
                self._mended.append(now)
                self._make_folders()
                if name == "valkey":
                    self._to_reconcile = self._keep
                    self._start_valkey()
                else:
                    self._children[name].restart()
        if self._to_reconcile:
            try:
                self._take_up(fresh=False)
                self._to_reconcile = False
            except DiskFullError:
                raise
            except ServiceError:
                pass  # Valkey or the store is away still; the next round tries it again, while `_to_reconcile` says so
        return ended

    def check(self) -> None:
        """Raise ServiceError when a process of the stack has ended by itself; DiskFullError when the disk is full, too."""
        for child in self._children.values():
            self._check_child(child)

    def _check_child(self, child: Child) -> None:
        if child.code is not None and free_space.takes_nothing(self._home):
            raise free_space.full(self._home, _ROOM)
        child.check()

    def stop(self) -> None:
        """End everything that was started; safe to call again."""
        # Workers first: they would complain about the others' end. One whose batches will go on hands its jobs back with
        # what is drawn; otherwise nobody will ask for them, and its Blenders die with it. No part of a farm that is not
        # kept has anything to bring to an end.
        if self._keep and (worker := self._children.get("worker")):
            worker.ask_to_end(_HAND_BACK_SECONDS)
        for name, child in reversed(self._children.items()):
            child.signal(signal.SIGTERM if self._keep and name != "worker" else signal.SIGKILL)
        for child in self._children.values():
            child.reap()
        if self._children:
            shutil.rmtree(self._home / "tmp", ignore_errors=True)
        self._children.clear()
        self._lock.close()


def _check_ours(folder: Path) -> None:
    """Raise ServiceError for a folder, or a link to one, that another user made: they could lead us anywhere.

    One that all may write to is closed to others.
    """
    with contextlib.suppress(FileNotFoundError):
        if {folder.lstat().st_uid, folder.stat().st_uid} - {os.geteuid(), 0}:  # the machine's root may do all anyway
            raise ServiceError(
                f"{folder} belongs to another user of this machine, who could change what stands there. Name a folder of "
                "your own with --home."
            )
        mode = folder.stat().st_mode
        if mode & stat.S_IWOTH and not mode & stat.S_ISVTX:  # in one such as /tmp nobody moves what is another's
            with contextlib.suppress(OSError):  # a file system without rights of its own
                folder.chmod(stat.S_IMODE(mode) & ~stat.S_IWOTH)


def _make_private(folder: Path) -> None:
    """Make a folder that is its user's alone. Where the file system knows no rights of its own (FAT, some network drives),
    the whole of it is somebody's, as it was mounted."""
    folder.mkdir(exist_ok=True)
    try:
        folder.chmod(0o700)
    except OSError as error:
        if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.ENOSYS) or folder.stat().st_uid != os.getuid():
            raise
