"""A terminal that is closed ends what runs in it as Ctrl-C does; one that cannot print a name gets it in another form."""

import contextlib
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from farm.stack import free_port
from tests.support.servers import redis_server, wait_until

pytestmark = pytest.mark.blender
FARM = Path(sys.executable).with_name("farm")


class Terminal:
    """A pseudo-terminal with a program that leads it; `closed` shuts the window."""

    def __init__(self, command: list[str], environment: dict[str, str], deaf: bool = False) -> None:
        self.pid, self._master = pty.fork()
        if not self.pid:
            # Deaf as nohup makes it; else as a terminal does, whatever runs the tests.
            signal.signal(signal.SIGHUP, signal.SIG_IGN if deaf else signal.SIG_DFL)
            os.execve(command[0], command, {**os.environ, **environment})
        self.text, self._closing = b"", threading.Event()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        self.code: int | None = None

    def _read(self) -> None:
        with contextlib.suppress(OSError):
            while not self._closing.is_set():
                if select.select([self._master], [], [], 0.1)[0]:
                    self.text += os.read(self._master, 65536)

    def close(self) -> None:
        """The kernel sends SIGHUP to what runs there; whatever is written from now on fails."""
        self._closing.set()
        self._reader.join()  # who reads keeps it open
        os.close(self._master)

    def ended(self) -> bool:
        """Whether the program has."""
        if self.code is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.code = os.waitstatus_to_exitcode(status)
        return self.code is not None


@contextmanager
def terminal(command: list[str], environment: dict[str, str], deaf: bool = False) -> Iterator[Terminal]:
    shown = Terminal(command, environment, deaf)
    try:
        yield shown
    finally:
        if not shown.ended():
            os.kill(shown.pid, signal.SIGKILL)
            wait_until(shown.ended, "the end")


def marked(mark: str) -> list[str]:
    """The commands of all processes that have `mark` in their environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if mark.encode() in (folder / "environ").read_bytes():
                found.append((folder / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


NO_KANA = {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "PYTHONIOENCODING": "ascii:strict"}
"""A terminal of 1988, and a Python that takes its word for it."""


def test_names_that_a_terminal_cannot_print_are_the_same_in_what_is_written(
    mascots: dict[str, Path], tmp_path: Path
) -> None:
    folder = tmp_path / "初音"
    shutil.copytree(mascots["momo"].parent, folder)
    (folder / mascots["momo"].name).rename(folder / "ミク.pmx")
    command = [str(FARM), "render", str(folder), "--out", str(tmp_path / "出"), "--samples", "1", "--size", "32"]

    done = subprocess.run(
        [*command, "--workers", "1"], env={**os.environ, **NO_KANA}, capture_output=True, check=False, timeout=400
    )

    assert done.returncode == 0, done.stderr
    assert done.stdout.isascii()
    assert len(list((tmp_path / "出").glob("ミク-*/manifest.json"))) == 1


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir() if path.name.startswith("farm-scratch-")]


def draws(mark: str) -> bool:
    return any("blender_worker" in line for line in marked(mark))


@pytest.mark.parametrize("what", ["render", "up"])
def test_a_farm_ends_whole_when_its_terminal_is_closed(mascots: dict[str, Path], tmp_path: Path, what: str) -> None:
    room = tmp_path / "tmp"
    room.mkdir()
    home = tmp_path / "farm"
    words = {
        "render": [str(mascots["nagi"]), "--out", str(home), "--samples", "5000", "--size", "48", "--workers", "1"],
        "up": ["--home", str(home), "--port", str(free_port()), "--workers", "1"],
    }[what]
    with terminal([str(FARM), what, *words], {"TMPDIR": str(room)}) as shown:
        wait_until(lambda: draws(str(tmp_path)), "Blender")
        if what == "up":
            wait_until(lambda: b"Ctrl-C" in shown.text, "the farm being up")

        shown.close()

        wait_until(shown.ended, "the command's end")
        wait_until(lambda: not marked(str(tmp_path)), "every process ending")
    assert left_in(room) == []
    assert list(room.iterdir()) == []


def test_a_worker_hands_back_and_leaves_when_its_terminal_is_closed(tmp_path: Path) -> None:
    room = tmp_path / "tmp"
    room.mkdir()
    with redis_server(tmp_path / "valkey") as url:
        own = {
            "FARM_REDIS_URL": url,
            "FARM_STORAGE_URL": f"file://{tmp_path / 'store'}",
            "FARM_SHUTDOWN_SECONDS": "0",
            "TMPDIR": str(room),
        }
        with terminal([str(FARM), "worker", "--metrics-port", str(free_port())], own) as shown:
            wait_until(lambda: b" ready." in shown.text and draws(str(room)), "the worker")

            shown.close()

            wait_until(shown.ended, "the worker's end")
            wait_until(lambda: not marked(str(room)), "every process ending")
    assert list(room.iterdir()) == []


def test_a_worker_under_nohup_goes_on(tmp_path: Path) -> None:
    with redis_server(tmp_path / "valkey") as url:
        own = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{tmp_path / 'store'}", "TMPDIR": str(tmp_path)}
        with terminal([str(FARM), "worker", "--metrics-port", str(free_port())], own, deaf=True) as shown:
            wait_until(lambda: b" ready." in shown.text and draws(str(tmp_path)), "the worker")
            os.kill(shown.pid, signal.SIGHUP)
            with pytest.raises(AssertionError):
                wait_until(shown.ended, "its end", 3)
