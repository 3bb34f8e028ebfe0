"""Pictures are filtered by tiles on a processor and whole on a graphics card: nobody can tell which."""

import subprocess
import sys

import pytest


@pytest.mark.blender
def test_pictures_filtered_whole_have_the_bytes_of_those_filtered_by_tiles() -> None:
    command = [sys.executable, "-m", "tests.blender_worker.canvases.filtering"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=300)
    assert done.stdout.splitlines()[-1] == ""  # Blender may say something of its own before
