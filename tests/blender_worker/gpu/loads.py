"""Loads small characters over and over in one Blender process, as a worker's does, and says what was seen of each.

usage: python -m tests.blender_worker.gpu.loads COUNT FIRST OUT

Writes a line for each load into the file OUT: the character's number (they come in turn, from FIRST on) and a digest of
its survey, its pictures and its labels.
"""

import hashlib
import sys
from pathlib import Path

import bpy  # noqa: F401 - brings the module gpu
import gpu
import numpy as np

from blender_worker import scene
from blender_worker.artist import Artist
from blender_worker.importers.build import build
from farm import pipe
from farm.labels import ARRAYS
from farm.poses import Partition
from tests.blender_worker.gpu.scattered import CHARACTERS, character

_STYLES = (["default", "toon", "flat", "ink"], ["flat"], ["ink", "toon"])


def seen(number: int) -> str:
    """Load a character, draw it once, and let it go."""
    request = pipe.Render(
        character="", textures={}, morphs=[0], annotation={"eye/closed/both": 0}, styles=_STYLES[number % len(_STYLES)],
        labels=list(ARRAYS), size=(64, 96)[number % 2], supersample=2, shots=[],
    )  # fmt: skip
    actor = build(character(number), {}, request.morphs)
    artist = Artist(actor, request)
    shot = pipe.Shot(
        sample=0, partition=Partition.ROTATED, weights={0: 0.5}, rotation=(5.0, 0.0, 15.0), light=0.7,
        other_rotation=(0.0, 0.0, 0.0),
    )  # fmt: skip
    drawing = artist.draw(shot)
    assert artist.survey.coverage > 0.02, "nothing was drawn"
    digest = hashlib.sha256(artist.survey.model_dump_json().encode())
    for array in (*drawing.pictures, *drawing.arrays):
        digest.update(np.ascontiguousarray(array).tobytes())
    return digest.hexdigest()


def main(count: int, first: int, out: Path) -> None:
    """Load `count` characters in turn."""
    gpu.init()
    scene.start()
    with out.open("w") as file:
        for place in range(count):
            number = (first + place) % CHARACTERS
            print(number, seen(number), file=file)
            scene.clear()


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
