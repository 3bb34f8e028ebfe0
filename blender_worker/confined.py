"""What Blender gives up before it is loaded: it is a large program in C that is handed strangers' files."""

import os
from pathlib import Path

from farm.confinement import places
from farm.confinement.confine import Limits, confine
from farm.confinement.landlock import Access

_CPU_SECONDS = 50 * 3600
"""For each core: the models of one process, an hour each. Whoever supervises stops a single one far earlier."""
_FILE_BYTES = 4 * 2**30
_OPEN_FILES = 2048
"""A driver for hardware opens its device hundreds of times."""


def confine_blender(home: Path, model: Path, shaders: Path, memory: int) -> dict[str, str]:
    """Leave this process its program, the graphics device, `model` to read, and `home` and `shaders` to write.

    For each measure why it does not hold; empty: it does. Raises nothing: a kernel that refuses draws all the same.
    """
    paths = places.program("farm", "blender_worker") | places.graphics()
    paths |= {model: Access.READ, home: Access.WRITE, shaders: Access.WRITE}
    limits = Limits(memory, _CPU_SECONDS * (os.cpu_count() or 1), _FILE_BYTES, _OPEN_FILES)
    return confine(paths, limits, places.PINNED)
