"""Draws small characters as on software OpenGL and as on a graphics card, in one Blender process, and compares what is seen.

usage: python -m tests.blender_worker.canvases.filtering

Prints the numbers of the characters that do not look the same.
"""

from unittest.mock import patch

import bpy  # noqa: F401 - brings the module gpu
import gpu

from blender_worker import scene
from tests.blender_worker.gpu.loads import seen
from tests.blender_worker.gpu.scattered import CHARACTERS


def main() -> None:
    """Draw and compare."""
    gpu.init()
    scene.start()
    found: list[list[str]] = []
    for kind in ("SOFTWARE", "NVIDIA"):
        found.append([])
        with patch.object(gpu.platform, "device_type_get", return_value=kind):
            for number in range(CHARACTERS):
                found[-1].append(seen(number))
                scene.clear()
    print(*(number for number, (tiles, whole) in enumerate(zip(*found, strict=True)) if tiles != whole))


if __name__ == "__main__":
    main()
