"""The tiles that are resolved hold everything that is drawn: none may be missing, whatever the triangles are like."""

import numpy as np
import pytest

from blender_worker.camera import Camera
from blender_worker.canvases.footprint import TILE, Footprint, squares

CAMERA = Camera((0.0, 0.0, 0.0), 2.0, 20.0)
SIZE = 120  # no multiple of a tile


def _grid(steps: int) -> np.ndarray:
    """(n, 3) weights of points all over a triangle."""
    a, b = np.meshgrid(np.linspace(0, 1, steps), np.linspace(0, 1, steps))
    inside = a + b <= 1
    return np.column_stack([a[inside], b[inside], 1 - a[inside] - b[inside]])


@pytest.mark.parametrize("extent", [0.02, 0.2, 1.0, 5.0], ids=["tiny", "small", "large", "beyond the picture"])
@pytest.mark.parametrize("margin", [0.0, 3.0])
def test_every_point_of_every_triangle_lies_in_a_tile(extent: float, margin: float) -> None:
    random = np.random.default_rng(7)
    for _ in range(20):
        centres = random.uniform(-1.2, 1.2, (6, 1, 3))
        corners = (centres + random.uniform(-extent, extent, (6, 3, 3))).astype(np.float32)
        tiles = Footprint(np.arange(18, dtype=np.int32).reshape(6, 3)).tiles(
            corners.reshape(-1, 3), CAMERA, SIZE, margin
        )
        points = CAMERA.project((_grid(60) @ corners.astype(np.float64)).reshape(-1, 3), SIZE)
        for by in (-margin, margin):
            columns, rows = np.floor(points + by).astype(int).T
            seen = (columns >= 0) & (columns < SIZE) & (rows >= 0) & (rows < SIZE)
            assert tiles[rows[seen] // TILE, columns[seen] // TILE].all()


def test_what_is_far_away_marks_little() -> None:
    corners = np.array([[0.5, 0, 0.5], [0.52, 0, 0.5], [0.5, 0, 0.52]], np.float32)
    tiles = Footprint(np.array([[0, 1, 2]], np.int32)).tiles(corners, CAMERA, SIZE, 1.0)
    assert 1 <= tiles.sum() <= 4


def test_a_point_behind_the_camera_marks_everything() -> None:
    corners = np.array([[0, -100, 0], [0, 0, 0], [1, 0, 0]], np.float32)
    assert Footprint(np.array([[0, 1, 2]], np.int32)).tiles(corners, CAMERA, SIZE, 0.0).all()


def test_nothing_marks_nothing() -> None:
    assert not Footprint(np.zeros((0, 3), np.int32)).tiles(np.zeros((0, 3), np.float32), CAMERA, SIZE, 0.0).any()


def test_squares_cover_exactly_their_tiles() -> None:
    tiles = np.zeros((8, 8), bool)
    tiles[2, 5] = tiles[7, 0] = True
    corners = (squares(tiles, SIZE) + 1) / 2 * SIZE
    boxes = [(box.min(axis=0).round(3).tolist(), box.max(axis=0).round(3).tolist()) for box in corners.reshape(2, 6, 2)]
    assert boxes == [([80, 32], [96, 48]), ([0, 112], [16, 128])]
