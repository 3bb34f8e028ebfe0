"""`farm simulate` by its command line."""

import hashlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[3]
SMALL = ["--models", "60", "--cold-start", "60", "--losses", "0", "--losses", "4", "--arrivals", "at-once"]
POLICIES = ["--policy", "farm", "--policy", "list-length"]


def simulate(*options: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "farm", "simulate", *map(str, options)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def hashes(folder: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(folder.iterdir())}


@pytest.mark.parametrize("suffix", ["svg", "png"])
def test_the_same_seed_gives_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    said = []
    for name, seed in (("one", "3"), ("two", "3"), ("other", "4")):
        folder = tmp_path / name
        done = simulate(
            *SMALL,
            *POLICIES,
            "--seed",
            seed,
            "--plots",
            folder,
            "--format",
            suffix,
            "--json",
            tmp_path / f"{name}.json",
        )
        assert done.returncode == 0, done.stderr
        (folder / "numbers.json").write_bytes((tmp_path / f"{name}.json").read_bytes())
        said.append(done.stdout)

    assert said[0] == said[1] != said[2]
    assert hashes(tmp_path / "one") == hashes(tmp_path / "two")
    assert list(hashes(tmp_path / "one")) == [f"course-at-once.{suffix}", "numbers.json", f"policies.{suffix}"]
    numbers = json.loads((tmp_path / "one.json").read_text())
    assert len(numbers["runs"]) == 4
    assert all(run["done"] == 60 for run in numbers["runs"])
    assert [fleet["workers"] for fleet in numbers["collection"]] == [1, 8, 64]
    assert all(known["source"] for known in numbers["constants"])


def test_the_picture_in_the_documentation_is_what_its_command_makes(tmp_path: Path) -> None:
    page = (ROOT / "docs/explanation/autoscaling.md").read_text()
    (line,) = re.findall(r"^farm simulate (.*--arrivals long.*) --plots docs/images/simulation$", page, re.MULTILINE)

    done = simulate(*line.split(), "--plots", tmp_path)

    assert done.returncode == 0, done.stderr
    made = (tmp_path / "course-long.svg").read_bytes()
    assert made == (ROOT / "docs/images/simulation/course-long.svg").read_bytes()


def test_it_tells_what_it_stands_on() -> None:
    done = simulate("--constants")

    assert done.returncode == 0
    assert "machine.gpu.model_seconds = 1.93 (measured: docs/performance.md" in done.stdout
    assert "cluster.cold_start_seconds = 300 (assumed" in done.stdout


def test_without_matplotlib_it_says_what_is_missing_before_it_ends(tmp_path: Path) -> None:
    code = (
        "import sys; sys.modules['matplotlib'] = None; from farm.cli import main; "
        f"main(['simulate', *{SMALL!r}, '--plots', {str(tmp_path)!r}])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 2
    assert "facefarm[plots]" in done.stderr
    assert "Traceback" not in done.stderr
