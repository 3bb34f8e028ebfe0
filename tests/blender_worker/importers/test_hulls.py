"""Where outlines lie: hulls hold together at hard edges, and go round what has no thickness."""

import numpy as np
import pytest

from blender_worker.character.actor import Run
from blender_worker.character.surface import Surface
from blender_worker.importers.gltf_surfaces import GltfPaint
from blender_worker.importers.hulls import hulled
from tests.farm.models.made_files import toon


def surface(double_sided: bool) -> Surface:
    return Surface("s", GltfPaint(toon()), None, double_sided)


def cube() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positions, normals and triangles of a cube whose edges are hard: four vertices a side."""
    points: list[np.ndarray] = []
    normals: list[np.ndarray] = []
    triangles: list[list[int]] = []
    for axis in range(3):
        for sign in (-1.0, 1.0):
            normal = np.eye(3)[axis] * sign
            one, other = np.eye(3)[(axis + 1) % 3], np.eye(3)[(axis + 2) % 3] * sign
            first = len(points)
            points += [normal + a * one + b * other for a, b in ((-1, -1), (1, -1), (1, 1), (-1, 1))]
            normals += [normal] * 4
            triangles += [[first, first + 1, first + 2], [first, first + 2, first + 3]]
    return np.array(points, np.float32), np.array(normals, np.float32), np.array(triangles, np.int32)


def test_the_hull_of_a_hard_edge_does_not_tear() -> None:
    points, normals, triangles = cube()

    (run,), ways = hulled([Run(0, triangles)], [surface(False)], points, normals)

    np.testing.assert_allclose(ways, points / 3, atol=1e-6)
    assert run.hull is None


def test_a_smooth_surface_keeps_its_normals() -> None:
    points, _, triangles = cube()
    normals = np.asarray(points / np.sqrt(3), np.float32)

    _, ways = hulled([Run(0, triangles)], [surface(False)], points, normals)

    np.testing.assert_allclose(ways, normals, atol=1e-6)


STRIP = np.array([(0, 0, 0), (1, 0, 0), (1, 0, 1), (0, 0, 1)], np.float32)
SQUARE = np.array([[0, 1, 2], [0, 2, 3]], np.int32)


@pytest.mark.parametrize("double_sided", [True, False])
def test_a_flap_is_pushed_out_over_its_edge_and_shows_where_it_does(double_sided: bool) -> None:
    normals = np.tile(np.array([0, -1, 0], np.float32), (4, 1))

    (run,), ways = hulled([Run(0, SQUARE)], [surface(double_sided)], STRIP, normals)

    outwards = STRIP - STRIP.mean(axis=0)
    assert ((ways * outwards).sum(axis=1) > 0.5).all()
    np.testing.assert_allclose(ways[:, 1], 0, atol=1e-6)
    assert run.hull is not None
    turned = SQUARE[:, ::-1].tolist()
    assert run.hull.tolist() == (SQUARE.tolist() + turned if double_sided else turned)


def test_the_two_sides_of_a_sheet_have_one_hull() -> None:
    points = np.concatenate([STRIP, STRIP])
    normals = np.repeat(np.array([(0, -1, 0), (0, 1, 0)], np.float32), 4, axis=0)
    triangles = np.concatenate([SQUARE, SQUARE[:, ::-1] + 4])

    (run,), ways = hulled([Run(0, triangles)], [surface(False)], points, normals)

    np.testing.assert_allclose(ways[:4], ways[4:], atol=1e-6)
    assert ((ways[:4] * (STRIP - STRIP.mean(axis=0))).sum(axis=1) > 0.5).all()
    assert run.hull is None


def test_what_has_no_numbers_has_a_hull_too() -> None:
    nowhere = np.full((4, 3), np.nan, np.float32)

    _, ways = hulled([Run(0, SQUARE), Run(0, np.zeros((1, 3), np.int32))], [surface(True)], STRIP, nowhere)

    assert ways.shape == (4, 3)


@pytest.mark.parametrize(
    ("triangles", "double_sided", "lined", "veiled"),
    [
        (SQUARE, False, {0}, True),
        (SQUARE, False, set(), False),  # a file that asks for the outline gets what it asks for
        (SQUARE, True, {0}, False),  # its back is drawn, and hides the outline itself
        (cube()[2], False, {0}, False),  # nobody looks into it
    ],
)
def test_an_open_surface_that_is_seen_from_one_side_is_veiled(
    triangles: np.ndarray, double_sided: bool, lined: set[int], veiled: bool
) -> None:
    points, normals = (STRIP, np.zeros_like(STRIP)) if triangles is SQUARE else cube()[:2]

    (run,), _ = hulled([Run(0, triangles)], [surface(double_sided)], points, normals, lined)

    assert run.veiled is veiled
