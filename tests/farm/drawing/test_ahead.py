"""A Blender that a command starts before its worker is there: one process has it, and it outlives neither."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.support.servers import wait_until

FARM = Path(sys.executable).with_name("farm")
SHARES = """
import os, signal, sys, time
from pathlib import Path
from farm import environment
from farm.drawing import ahead
from farm.drawing.blender import MOST_MEMORY, Blender
from farm.forking import fork
from farm.process import die_with_parent
environment.settle()
log = sys.argv[1]

def worker(arguments):
    fork_of_ours = []
    for _ in range(2):
        if not (pid := os.fork()):
            draw()
            os._exit(0)
        fork_of_ours.append(pid)
    ahead.let_go()
    if not (pid := os.fork()):  # one that is put in another's place
        descriptors = os.listdir("/proc/self/fd")
        begun = ahead.take()
        print("late", begun is None, os.listdir("/proc/self/fd") == descriptors, flush=True)
        os._exit(0)
    for pid in (*fork_of_ours, pid):
        os.waitpid(pid, 0)

def draw():
    begun = ahead.take()
    if begun is None:
        print("none", os.getpid(), flush=True)
        return
    blender = Blender(begun=begun)
    blender.start()
    print("has", begun.process.pid, bool(blender.version), blender.resident() > 2**25, flush=True)
    while not Path(log + "-go-on").exists():
        time.sleep(0.01)
    blender.stop()
    print("stopped", begun.process.returncode, begun.room.path.exists(), flush=True)

with ahead.Ahead(MOST_MEMORY) as first:
    own = set(os.listdir("/proc/self/fd"))
    child = fork(worker, [], Path(log), environment.for_server(), 0o077, die_with_parent, first.descriptors)
    ahead.let_go()
    print(len(own) - len(os.listdir("/proc/self/fd")), first._running.process.pid, flush=True)
    child.wait()
print(first._running.process.returncode, first._running.room.path.exists(), ahead.take(), flush=True)
"""


def ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


@pytest.mark.blender
def test_the_first_process_that_asks_has_it_and_the_others_have_nothing_of_it(tmp_path: Path) -> None:
    log, go_on = tmp_path / "log", tmp_path / "log-go-on"
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "TMPDIR": str(tmp_path)}
    command = subprocess.Popen(
        [sys.executable, "-c", SHARES, str(log)], stdout=subprocess.PIPE, text=True, env=environment
    )
    assert command.stdout is not None
    closed, blender = map(int, command.stdout.readline().split())

    def said(word: str) -> list[list[str]]:
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.split()[1:] for line in lines if line.split()[0] == word]

    wait_until(lambda: bool(said("has") and said("none") and said("late")), "three answers")
    assert closed == 4
    assert said("has") == [[str(blender), "True", "True"]]
    assert len(said("none")) == 1
    assert said("late") == [["True", "True"]]

    go_on.touch()
    rest, _ = command.communicate(timeout=60)
    assert said("stopped") == [[str(-signal.SIGKILL), "False"]]
    assert rest == f"{-signal.SIGKILL} False None\n"
    assert command.returncode == 0


def parent_of(pid: int) -> int:
    return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])


def blenders(room: Path) -> dict[int, int]:
    """Blenders whose folders are in `room`, that have not ended, each with its parent."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if f"{room}/".encode() in (line := (folder / "cmdline").read_bytes()) and b"blender_worker" in line:
                found[int(folder.name)] = parent_of(int(folder.name))
        except OSError:
            continue
    return found


@contextmanager
def rendering(model: Path, room: Path, *options: str) -> Iterator["subprocess.Popen[str]"]:
    command = [str(FARM), "render", str(model), "--out", str(room / "out"), "--size", "32", *options]
    environment = {**os.environ, "TMPDIR": str(room)}
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as running:
        try:
            yield running
        finally:
            running.kill()


def worker_of(command: int, room: Path) -> int:
    """The process of a render's worker that draws; 0: there is none."""
    children = Path(f"/proc/{command}/task/{command}/children").read_text().split()
    for worker in children:
        if int(worker) not in blenders(room):
            for drawing in Path(f"/proc/{worker}/task/{worker}/children").read_text().split():
                return int(drawing)
    return 0


@pytest.mark.blender
def test_a_render_draws_with_the_blender_that_it_started_first(mascots: dict[str, Path], tmp_path: Path) -> None:
    seen: dict[int, int] = {}
    with rendering(mascots["momo"], tmp_path, "--samples", "1") as running:
        while running.poll() is None:
            seen |= blenders(tmp_path)
        said = running.communicate()[1]
    assert running.returncode == 0, said
    assert list(seen.values()) == [running.pid]
    assert not list(tmp_path.glob("farm-scratch-*"))
    assert len(list((tmp_path / "out").glob("*/manifest.json"))) == 1


@pytest.mark.blender
def test_where_models_stand_already_none_is_started_ahead(mascots: dict[str, Path], tmp_path: Path) -> None:
    with rendering(mascots["momo"], tmp_path, "--samples", "1") as running:
        assert running.wait(300) == 0
    seen: dict[int, int] = {}
    with rendering(mascots["momo"], tmp_path, "--samples", "1") as running:
        while running.poll() is None:
            seen |= blenders(tmp_path)
    assert (running.returncode, seen) == (0, {})


@pytest.mark.blender
def test_it_ends_with_the_process_that_draws_with_it_and_the_render_goes_on_with_another(
    mascots: dict[str, Path], tmp_path: Path
) -> None:
    with rendering(mascots["momo"], tmp_path, "--samples", "40") as running:
        wait_until(lambda: worker_of(running.pid, tmp_path) > 0, "the worker's process")
        (first,) = blenders(tmp_path)
        taken = "farm-scratch-*/taken"
        wait_until(lambda: bool(list(tmp_path.glob(taken))), "its taking the Blender")

        os.kill(worker_of(running.pid, tmp_path), signal.SIGKILL)

        wait_until(lambda: ended(first), "that Blender's end")
        assert running.poll() is None
        wait_until(lambda: bool(blenders(tmp_path).keys() - {first}), "another Blender")
        said = running.communicate(timeout=300)[1]
    assert running.returncode == 0, said
    assert len(list((tmp_path / "out").glob("*/manifest.json"))) == 1


@pytest.mark.blender
def test_it_ends_with_the_command_however_that_ends(mascots: dict[str, Path], tmp_path: Path) -> None:
    for number in (signal.SIGKILL, signal.SIGTERM):
        with rendering(mascots["momo"], tmp_path) as running:
            wait_until(lambda: bool(blenders(tmp_path)), "the Blender")
            (blender,) = blenders(tmp_path)
            os.kill(running.pid, number)
            wait_until(partial(ended, blender), "the Blender's end")
            running.communicate(timeout=60)
