"""The `farm` command as a user types it, each time in a process of its own."""

import subprocess
import sys
from pathlib import Path

from farm.models.package import read_model
from tests.support import servers

SMALL = ["--samples", "2", "--size", "48", "--seed", "9"]


def farm(*arguments: str | Path, timeout: float = 3 * servers.PATIENCE_SECONDS) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "farm", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=timeout)


def ref_in(path: Path, name: str) -> dict[str, int | str]:
    """How JSON names the morph of this name, which the model has once."""
    (index,) = [morph.index for morph in read_model(path).inventory.morphs if morph.name == name]
    return {"index": index, "name": name}
