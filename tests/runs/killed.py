"""A `farm render` of many tiny models that is killed again and again, held against one that nobody disturbs."""

import os
import random
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from farm.dataset.manifest import MANIFEST
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.process import signal_group, spawn
from farm.wording import counted
from tests.farm.models import made_files as made
from tests.support import servers

DRAWN_AS = ["--samples", "2", "--size", "32", "--style", "flat", "--keep-unusable", "--workers", "2"]
_SECONDS = 20 * servers.PATIENCE_SECONDS


@dataclass(frozen=True, slots=True)
class Course:
    """What became of the run that was killed."""

    most_in_store: int
    """Results and models that the farm of the undisturbed run had at a time."""
    left: tuple[str, ...]
    """What is left in the place for temporary files after all runs."""
    whole_at_kills: tuple[int, ...]
    """Models that stood whole in the folder after each kill."""
    drawn_again: tuple[str, ...]
    """Folders of models that stood whole at a kill, and were laid out again all the same."""
    differing: tuple[str, ...]
    """Files that are not, to the byte, as in the undisturbed run."""
    files: int
    third_drew: int
    """Models that a run drew that began when everything was there."""
    third_cpu_seconds: float
    third_started: bool
    """Whether that run started a farm."""


def write_models(folder: Path, count: int) -> Path:
    """So many models of one triangle, a third of them in folders of their own, with a notice."""
    child = made.small_character()
    for number in range(count):
        place = folder / f"group-{number}" if number % 3 == 0 else folder
        place.mkdir(parents=True, exist_ok=True)
        (place / f"child-{number:02d}.pmx").write_bytes(pmx_bytes(replace(child, name=f"子{number}")))
        if number % 3 == 0:
            (place / "readme.txt").write_text(f"The terms of child {number}.")
    return folder


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below the folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def render(models: Path, out: Path, temporary: Path | None = None) -> subprocess.CompletedProcess[str]:
    """One run to its end, its temporary files in a place of their own."""
    environment = {**os.environ, **({"TMPDIR": str(temporary)} if temporary else {})}
    return subprocess.run(
        command(models, out), capture_output=True, text=True, check=False, timeout=_SECONDS, env=environment
    )


@contextmanager
def _most_in_store(temporary: Path) -> Iterator[list[int]]:
    """One number: the most results or models that stood in the store of a farm at a time, meanwhile."""
    most, over = [0], threading.Event()

    def look() -> None:
        while not over.wait(0.02):
            for kind in ("renders", "models"):
                most[0] = max(most[0], len(list(temporary.glob(f"farm-scratch-*/farm/store/{kind}/*"))))

    thread = threading.Thread(target=look)
    thread.start()
    try:
        yield most
    finally:
        over.set()
        thread.join()


def command(models: Path, out: Path, *more: str) -> list[str]:
    return [sys.executable, "-m", "farm", "render", str(models), "--out", str(out), *DRAWN_AS, *more]


def _identities(out: Path) -> dict[str, tuple[int, int]]:
    """Which file a model's manifest is, by folder: another when the model was laid out again."""
    return {
        path.parent.name: (path.stat().st_ino, path.stat().st_mtime_ns)
        for path in (out.glob(f"*/{MANIFEST}") if out.is_dir() else ())
    }


def kill_once(models: Path, out: Path, room: Path, after: Callable[[], bool], delay: float) -> None:
    """Begin a run and kill all of it with SIGKILL, `delay` seconds after `after` became true; it may have ended by then."""
    process = spawn(command(models, out), room / "log", {"TMPDIR": str(room / "tmp")})
    try:
        servers.wait_until(lambda: after() or process.poll() is not None, "the moment of the kill", _SECONDS)
        time.sleep(delay)
    finally:
        signal_group(process, signal.SIGKILL)
        process.wait(servers.PATIENCE_SECONDS)


def course(room: Path, models: int, kills: int, seed: int) -> Course:
    """Render `models` models undisturbed, and again with `kills` kills at random moments; then once more."""
    source = write_models(room / "models", models)
    (room / "tmp").mkdir()
    with _most_in_store(room / "tmp") as most:
        once = render(source, room / "once", temporary=room / "tmp")
    assert once.returncode == 0, once.stderr
    chance, out = random.Random(seed), room / "killed"
    stood: dict[str, tuple[int, int]] = {}
    counts = []
    again: set[str] = set()
    for _ in range(kills):
        wanted = len(stood) + chance.randint(0, max(1, models // kills))

        def enough(wanted: int = wanted) -> bool:
            return len(_identities(out)) >= wanted

        kill_once(source, out, room, enough, chance.uniform(0.0, 1.0))
        now = _identities(out)
        again |= {name for name, identity in stood.items() if now.get(name) != identity}
        stood = now
        counts.append(len(now))
    last = render(source, out, room / "tmp")
    assert last.returncode == 0, last.stderr
    now = _identities(out)
    again |= {name for name, identity in stood.items() if now.get(name) != identity}
    assert f"; {counted(models - len(stood), 'model')} came now" in last.stdout, last.stdout

    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    third = render(source, out, room / "tmp")
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert third.returncode == 0, third.stderr
    one, two = files_of(room / "once"), files_of(out)
    return Course(
        most_in_store=most[0],
        left=tuple(path.name for path in (room / "tmp").iterdir()),
        whole_at_kills=tuple(counts),
        drawn_again=tuple(sorted(again)),
        differing=tuple(sorted(name for name in one.keys() | two.keys() if one.get(name) != two.get(name))),
        files=len(one),
        third_drew=int(third.stdout.split("; ")[1].split(" ")[0]),
        third_cpu_seconds=spent.ru_utime + spent.ru_stime - before.ru_utime - before.ru_stime,
        third_started=_identities(out) != now or "images/s" in third.stderr,
    )
