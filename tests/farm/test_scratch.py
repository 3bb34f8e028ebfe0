"""Temporary folders: gone when their process ends, and, when it was killed, as soon as the next one starts."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from farm.scratch import Scratch

_HOLDER = """
import os, time
from farm.scratch import Scratch
scratch = Scratch()
(scratch.path / "file").write_text("something")
if os.fork() == 0:
    time.sleep(600)
print(scratch.path, os.getpid(), flush=True)
time.sleep(600)
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where temporary folders are made."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def test_it_goes_with_all_that_is_in_it(home: Path) -> None:
    with Scratch() as scratch:
        assert scratch.path.parent == home
        (scratch.path / "folder").mkdir()
        (scratch.path / "folder" / "file").write_text("something")

    assert list(home.iterdir()) == []


def test_what_a_killed_process_left_goes_with_the_next_and_that_of_the_living_stays(home: Path) -> None:
    def hold() -> tuple[subprocess.Popen[str], Path]:
        process = subprocess.Popen(
            [sys.executable, "-c", _HOLDER],
            stdout=subprocess.PIPE,
            text=True,
            env={"TMPDIR": str(home), "PYTHONPATH": ":".join(sys.path)},
            start_new_session=True,
        )
        assert process.stdout is not None
        return process, Path(process.stdout.readline().split()[0])

    (dead, left), (living, held) = hold(), hold()
    try:
        # GIVEN the first is killed, and what it forked lives on, WHEN another starts, THEN its folder is not taken yet.
        dead.kill()
        dead.wait()
        Scratch().close()
        assert (left / "file").exists()

        # WHEN all of it is dead, THEN it is.
        os.killpg(dead.pid, signal.SIGKILL)
        assert dead.stdout is not None
        assert dead.stdout.read() == ""  # the end: nobody holds its other side any more
        Scratch().close()
        assert not left.exists()
        assert (held / "file").exists()
    finally:
        for process in (dead, living):
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()
            assert process.stdout is not None
            process.stdout.close()


def test_what_a_process_leaves_that_dies_meanwhile_goes_at_the_end(home: Path) -> None:
    with Scratch():
        process = subprocess.run(
            [sys.executable, "-c", "import os\nfrom farm.scratch import Scratch\nScratch()\nos._exit(9)"],
            check=False,
            env={"TMPDIR": str(home), "PYTHONPATH": ":".join(sys.path)},
        )
        assert process.returncode == 9
        assert len(list(home.iterdir())) == 2

    assert list(home.iterdir()) == []


def test_a_link_of_that_name_leads_nobody_elsewhere(home: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    other = tmp_path_factory.mktemp("other")
    (other / "file").write_text("something")
    (home / "farm-scratch-link").symlink_to(other)

    Scratch().close()

    assert (other / "file").exists()
