"""Loads small characters over and over in one Blender process, as a worker's does, and says what was seen of each.

usage: python -m tests.blender_worker.gpu.loads COUNT FIRST OUT

Writes a line for each load into the file OUT: the character's number (they come in turn, from FIRST on) and a digest of
its survey, its pictures and its labels.
"""

import hashlib
import sys
from dataclasses import replace
from pathlib import Path

import bpy  # noqa: F401 - brings the module gpu
import gpu
import numpy as np

from blender_worker import scene
from blender_worker.artist import Artist
from blender_worker.importers.build import build
from farm import pipe
from farm.labels import ARRAYS
from farm.models.description import Character
from farm.poses import Partition
from tests.farm.models.made_files import small_character

CHARACTERS = 5
_STYLES = (["default", "toon", "flat", "ink"], ["flat"], ["ink", "toon"])
_TRIANGLES = 40


def character(number: int) -> Character:
    """A handful of triangles in front of the neck, scattered by `number`."""
    random = np.random.default_rng(number)
    made = small_character(vertices=3 * _TRIANGLES)
    centres = random.random((_TRIANGLES, 1, 3)) * [6, 6, 1] + [-3, 8, -1]
    corners = centres + random.random((_TRIANGLES, 3, 3)) * 2.0
    triangles = np.arange(3 * _TRIANGLES, dtype=np.int32).reshape(-1, 3)
    head = np.full((3 * _TRIANGLES, 4), -1, np.int32)
    head[:, 0] = 2
    material = replace(made.materials[0], triangle_count=_TRIANGLES)
    bones = tuple(replace(bone, position=(0.0, 8.0 + 2 * place, 0.0)) for place, bone in enumerate(made.bones))
    return replace(
        made,
        positions=corners.reshape(-1, 3).astype(np.float32),
        bone_indices=head,
        triangles=triangles,
        materials=(material,),
        bones=bones,
    )


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
