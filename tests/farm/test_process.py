"""Child processes: a group each, that ends as a group, and with its parent."""

import os
import signal
import sys
from pathlib import Path

import pytest

from farm.errors import ServiceError
from farm.process import Child, exit_code, group_memory, signal_group, spawn, wait_until_ready
from tests.support.servers import wait_until

GRANDCHILD = (
    "import subprocess; print(subprocess.Popen(['sleep', '600']).pid, flush=True); import time; time.sleep(600)"
)
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); time.sleep(600)"
PARENT = """
import sys, time
from pathlib import Path
from farm.process import spawn
print(spawn(["sleep", "600"], Path(sys.argv[1])).pid, flush=True)
time.sleep(600)
"""


def python(code: str, log: Path, name: str = "server") -> Child:
    return Child(name, [sys.executable, "-c", code], log, {})


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def said(log: Path) -> str:
    wait_until(lambda: log.exists() and log.read_text().endswith("\n"), "the child's first words")
    return log.read_text().strip()


def test_a_child_ends_with_what_it_started(tmp_path: Path) -> None:
    child = python(GRANDCHILD, tmp_path / "log")
    grandchild = int(said(tmp_path / "log"))
    assert os.getpgid(grandchild) == child.pid != os.getpgid(0)
    assert group_memory(child.pid) > 0

    child.signal(signal.SIGTERM)
    child.reap()

    assert child.code == -signal.SIGTERM
    wait_until(lambda: not runs(grandchild), "the grandchild's end")


def test_a_child_dies_with_its_parent_however_that_dies(tmp_path: Path) -> None:
    parent = spawn([sys.executable, "-c", PARENT, str(tmp_path / "child")], tmp_path / "log")
    child = int(said(tmp_path / "log"))
    assert runs(child)

    os.kill(parent.pid, signal.SIGKILL)

    wait_until(lambda: not runs(child), "the child's end")
    parent.wait()


def test_one_that_does_not_listen_is_killed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.process._STOP_SECONDS", 0.5)
    child = python(DEAF, tmp_path / "log")
    said(tmp_path / "log")
    child.ask_to_end(0.2)
    assert child.code is None

    child.signal(signal.SIGTERM)
    child.reap()

    assert child.code == -signal.SIGKILL


def test_how_a_process_ended_is_known_before_it_is_reaped(tmp_path: Path) -> None:
    process = spawn([sys.executable, "-c", "raise SystemExit(7)"], tmp_path / "log")

    wait_until(lambda: exit_code(process) is not None, "the end")

    assert (exit_code(process), process.returncode) == (7, None)
    signal_group(process, signal.SIGKILL)
    assert process.wait() == exit_code(process) == 7


def test_a_child_that_ended_is_told_with_its_last_words_and_started_again(tmp_path: Path) -> None:
    child = python("print('first'); print('no room left'); raise SystemExit(3)", tmp_path / "log", "lamp")
    with pytest.raises(ServiceError, match=r"The lamp ended with code 3[\s\S]*no room left"):
        wait_until_ready(child, lambda: False, child.check)

    before = child.pid
    child.restart()
    wait_until(lambda: child.code == 3, "the second end")
    child.reap()

    assert child.pid != before
    assert (tmp_path / "log").read_text().count("no room left") == 2


def test_one_that_never_answers_is_given_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("farm.process._START_SECONDS", 0.2)
    child = python(DEAF, tmp_path / "log", "lamp")

    with pytest.raises(ServiceError, match="The lamp does not answer"):
        wait_until_ready(child, lambda: False, child.check)

    child.signal(signal.SIGKILL)
    child.reap()
