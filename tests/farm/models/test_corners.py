"""What is true of vertices, told of triangles, is as numpy's own reductions tell it."""

import numpy as np
import pytest
from numpy.typing import NDArray

from farm.models.corners import at_all_corners, at_any_corner, corners_of


@pytest.fixture(params=[0, 1, 500])
def triangles(request: pytest.FixtureRequest) -> NDArray[np.int32]:
    """(m, 3) of 300 vertices, of which some are in no triangle."""
    return np.random.default_rng(1).integers(0, 300, (request.param, 3), dtype=np.int32) // 2 * 2


def test_corners_tell_of_triangles(triangles: NDArray[np.int32]) -> None:
    flags = np.random.default_rng(2).random(300) < 0.5

    assert np.array_equal(at_any_corner(flags, triangles), flags[triangles].any(axis=1))
    assert np.array_equal(at_all_corners(flags, triangles), flags[triangles].all(axis=1))


def test_the_vertices_of_triangles_ascend(triangles: NDArray[np.int32]) -> None:
    found = corners_of(triangles)

    assert np.array_equal(found, np.unique(triangles))
    assert found.dtype == triangles.dtype
