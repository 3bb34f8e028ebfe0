"""Runs that are stopped by a kill, by a full disk, or by nothing, and go on.

`make killed-run` does the first with 30 models and 5 kills.
"""

import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from farm.dataset.failures import FAILED
from farm.dataset.output import read_output
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.process import spawn
from tests.farm.models import made_files as made
from tests.runs import killed
from tests.support import servers

pytestmark = pytest.mark.blender


def test_a_run_that_was_killed_twice_ends_as_one_that_was_not(tmp_path: Path) -> None:
    found = killed.course(tmp_path, models=6, kills=2, seed=3)

    assert found.files > 6 * (1 + 1 + 1 + 4)
    assert found.differing == ()
    assert found.drawn_again == ()
    # AND the farm never had more than a few models, and nothing of it is left
    assert 0 < found.most_in_store <= 2 * 2 + 1 < 6
    assert found.left == ()
    # AND where nothing is missing, nothing is drawn and no farm is started
    assert found.third_drew == 0
    assert not found.third_started
    assert found.third_cpu_seconds < 5


def test_a_run_with_nothing_to_draw_removes_what_a_killed_one_left(tmp_path: Path) -> None:
    # GIVEN a folder where all is drawn, and the temporary folder of a run that was killed
    models, temporary = killed.write_models(tmp_path / "models", 1), tmp_path / "tmp"
    temporary.mkdir()
    assert killed.render(models, tmp_path / "out", temporary).returncode == 0
    (temporary / "farm-scratch-dead" / "farm").mkdir(parents=True)

    assert killed.render(models, tmp_path / "out", temporary).returncode == 0

    assert list(temporary.iterdir()) == []


def test_a_model_that_cannot_be_drawn_is_not_tried_each_time(mascots: dict[str, Path], tmp_path: Path) -> None:
    # GIVEN a model without a face beside one with a face
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "bare.pmx").write_bytes(pmx_bytes(made.small_character()))
    shutil.copytree(mascots["momo"].parent, tmp_path / "models" / "momo")
    arguments = ["render", str(tmp_path / "models"), "--out", str(tmp_path / "out"), "--samples", "1", "--size", "32"]

    def farm(*more: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "farm", *arguments, *more]
        return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)

    first, second = farm(), farm()

    # THEN both runs name it, and the second one draws nothing
    assert first.returncode == second.returncode == 1
    assert "bare: " in first.stderr
    assert "So it ended before" in second.stderr
    assert "0 models came now" in second.stdout
    (line,) = (tmp_path / "out" / FAILED).read_text("utf-8").splitlines()
    assert (json.loads(line)["name"], json.loads(line)["code"]) == ("bare", "model-unusable")
    assert len(read_output(tmp_path / "out")) == 1
    # AND when it is wanted all the same, it is drawn and no failure any more
    third = farm("--keep-unusable")
    assert third.returncode == 0, third.stderr
    assert len(read_output(tmp_path / "out")) == 2


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 24 MiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=24m", "tmpfs", place], check=False, capture_output=True
    )
    if mounted.returncode:
        pytest.skip(f"No small disk can be made here: {mounted.stderr.decode().strip()}")
    yield place
    subprocess.run(["umount", place], check=True)


def test_a_full_disk_stops_a_run_in_a_sentence_and_it_goes_on_when_there_is_room(
    small_disk: Path, tmp_path: Path
) -> None:
    # GIVEN a disk with room for the first models and not for all
    models, out = killed.write_models(tmp_path / "models", 8), small_disk / "out"
    filler = small_disk / "filler"
    filler.write_bytes(bytes(8 * 2**20 - 48 * 2**10))

    stopped = killed.render(models, out)

    # THEN the run ends in a sentence, and what stands in the folder is whole
    assert stopped.returncode == 1
    assert "disk-full" in stopped.stderr
    assert "goes on where it stopped" in stopped.stderr
    assert "Traceback" not in stopped.stderr
    # AND with room again it goes on
    filler.unlink()
    stood = {path: path.stat().st_ino for path in out.glob("*/manifest.json")}
    done = killed.render(models, out)
    assert done.returncode == 0, done.stderr
    assert len(read_output(out)) == 8
    assert {path: path.stat().st_ino for path in stood} == stood


def test_what_comes_into_a_watched_folder_is_rendered(tmp_path: Path) -> None:
    # GIVEN a run that watches a folder with one model
    models, out, log = killed.write_models(tmp_path / "models", 1), tmp_path / "out", tmp_path / "log"
    poses = out / "poses.csv"
    process = spawn([*killed.command(models, out), "--watch"], log)
    try:
        servers.wait_until(lambda: len(list(out.glob("*/manifest.json"))) == 1, "the first model", 300)
        # WHEN another comes
        late = replace(made.small_character(), name="遅")
        (models / "late").mkdir()
        (models / "late" / "late.pmx").write_bytes(pmx_bytes(late))
        # THEN it is drawn, and the tables have it
        servers.wait_until(lambda: poses.is_file() and "late-" in poses.read_text("utf-8"), "the second model", 300)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(servers.PATIENCE_SECONDS)
    assert process.returncode == 130
    assert "2 models are in" in log.read_text("utf-8")
    assert "Traceback" not in log.read_text("utf-8")
    assert (out / "index.html").is_file()
