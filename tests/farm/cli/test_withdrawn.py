"""A model that was withdrawn from a folder is not laid out there again."""

import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from farm.licences.tombstones import Tombstone, bury
from tests.support import servers
from tests.support.fixtures import read_mascot


@pytest.mark.blender
def test_render_leaves_a_withdrawn_model_out_and_says_so(mascots: dict[str, Path], tmp_path: Path) -> None:
    momo = read_mascot(mascots, "momo")
    (tmp_path / "out").mkdir()
    bury(tmp_path / "out", Tombstone(model=momo.id, who="Rin", when=datetime.now(UTC), why="the creator asked"))

    command = [sys.executable, "-m", "farm", "render", str(mascots["momo"]), "--out", str(tmp_path / "out")]
    ended = subprocess.run(
        [*command, "--samples", "1", "--size", "32", "--style", "flat", "--workers", "1"],
        capture_output=True, text=True, check=False, timeout=3 * servers.PATIENCE_SECONDS,
    )  # fmt: skip

    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr
    assert f"Model {momo.id[:8]} was withdrawn on" in ended.stderr
    assert "by Rin (the creator asked), and is kept out" in ended.stderr
    assert list((tmp_path / "out").glob("*/manifest.json")) == []
