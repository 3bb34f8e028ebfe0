"""The `farm` command as a user types it, each time in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

from farm.models.package import read_model
from tests.support import nursery, servers

SMALL = ["--samples", "2", "--size", "48", "--seed", "9"]


_SECONDS = 3 * servers.PATIENCE_SECONDS


def farm(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What the command says, in a fork of the nursery."""
    return nursery.run([*map(str, arguments)], os.environ, _SECONDS)


def farm_from_nothing(*arguments: object) -> subprocess.CompletedProcess[str]:
    """What it says when it is a program that begins as a user's does: once for each command."""
    command = [sys.executable, "-m", "farm", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=_SECONDS)


def ref_in(path: Path, name: str) -> dict[str, int | str]:
    """How JSON names the morph of this name, which the model has once."""
    (index,) = [morph.index for morph in read_model(path).inventory.morphs if morph.name == name]
    return {"index": index, "name": name}
