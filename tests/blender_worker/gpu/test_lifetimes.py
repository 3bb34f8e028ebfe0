"""What is on the graphics card outlives a character, or goes with it, and never shows in the next one's pictures."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.blender_worker.gpu.scattered import CHARACTERS

pytestmark = pytest.mark.blender
SOME, MANY = 300, 1000
"""With shaders compiled anew for each character, one load in a hundred drew with dead uniforms."""


def seen(out: Path, count: int, first: int) -> list[tuple[int, str]]:
    command = [sys.executable, "-m", "tests.blender_worker.gpu.loads", str(count), str(first), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=1500)
    assert done.returncode == 0, done.stderr[-3000:]
    lines = (line.split() for line in out.read_text().splitlines())
    return [(int(number), digest) for number, digest in lines]


@pytest.mark.timeout(1600)
@pytest.mark.parametrize("loads", [SOME, pytest.param(MANY, marks=pytest.mark.long)])
def test_loads_in_one_process_see_what_a_fresh_process_sees(tmp_path: Path, loads: int) -> None:
    fresh = dict(seen(tmp_path / "fresh", 1, number)[0] for number in range(CHARACTERS))
    assert len(set(fresh.values())) == CHARACTERS
    found = seen(tmp_path / "many", loads, 0)
    assert len(found) == loads
    wrong = [place for place, (number, digest) in enumerate(found) if digest != fresh[number]]
    assert wrong == []
