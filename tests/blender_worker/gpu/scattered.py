"""Small characters that differ in where their triangles are."""

from dataclasses import replace

import numpy as np

from farm.models.description import Character
from tests.farm.models.made_files import small_character

CHARACTERS = 5
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
