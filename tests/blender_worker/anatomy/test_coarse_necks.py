"""The neck of a head of few large triangles is a row of them, without teeth, though weights change within its rows."""

from dataclasses import replace

import numpy as np

from blender_worker.anatomy.study import study
from blender_worker.importers.build import build
from farm.labels import Part
from farm.models.description import Character
from tests.farm.models.made_files import small_character

ROWS = (-0.5, 0.24, 0.41, 0.5, 0.75, 1.0)
"""Metres over the neck bone."""
COLUMNS = 6
BODY, NECK, HEAD = 0, 1, 2
"""Bones, as the row below, the ends of the neck's, and those above hang on them."""


def wall() -> Character:
    """A head that is a wall, its rows held by body, body, neck, neck, head, head but for a few corners."""
    base = small_character()
    holders = np.repeat([BODY, BODY, NECK, NECK, HEAD, HEAD], COLUMNS).reshape(len(ROWS), COLUMNS)
    holders[1, 3], holders[3, 3] = NECK, HEAD
    across = np.linspace(-0.9, 0.9, COLUMNS)
    points = np.array([(x, y, 0.0) for y in ROWS for x in across], np.float32) / np.float32(0.08)
    squares = [row * COLUMNS + column for row in range(len(ROWS) - 1) for column in range(COLUMNS - 1)]
    triangles = [t for s in squares for t in ((s, s + COLUMNS, s + 1), (s + 1, s + COLUMNS, s + COLUMNS + 1))]
    count = len(points)
    bones = np.column_stack([holders.ravel(), np.full((count, 3), -1)]).astype(np.int32)
    return replace(
        base,
        positions=points + np.array(base.bones[NECK].position, np.float32),
        normals=np.tile(np.array([0, 0, -1], np.float32), (count, 1)),
        uvs=np.zeros((count, 2), np.float32),
        bone_indices=bones,
        bone_weights=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        edge_scales=np.ones(count, np.float32),
        triangles=np.array(triangles, np.int32),
        materials=(replace(base.mmd_materials[0], first_triangle=0, triangle_count=len(triangles), name="all"),),
        morphs=(),
    )


def test_the_neck_is_one_row_and_nothing_below_it_is_face() -> None:
    character = wall()
    actor = build(character, {}, [])

    (parts,) = study(actor, {}).triangles

    by_row = parts.reshape(len(ROWS) - 1, -1)
    assert set(by_row[2].tolist()) == {Part.NECK}
    assert set(by_row[:2].ravel().tolist()) == {Part.BODY}
    assert set(by_row[3:].ravel().tolist()) == {Part.FACE}
