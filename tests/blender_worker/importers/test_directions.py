"""Normals that a file does not have."""

from dataclasses import replace

import numpy as np
import pytest

from blender_worker.importers.build import build
from tests.support.characters import mascot


@pytest.mark.parametrize("share", [1.0, 0.1])
def test_vertices_without_a_normal_get_one_that_points_as_theirs_did(share: float) -> None:
    character = replace(mascot("nagi"), morphs=())
    lost = np.random.default_rng(1).random(len(character.normals)) < share
    normals = np.where(lost[:, None], np.float32(0), character.normals)

    found, whole = (build(replace(character, normals=each), {}, []).vertices for each in (normals, character.normals))

    alike = (found.normals * whole.normals).sum(axis=1)
    lengths, ways = (np.linalg.norm(each, axis=1) for each in (found.normals, found.hulls))
    has_one = lengths > 0  # all but what is folded up in her mouth, whose triangles have no area
    assert has_one.mean() > 0.96
    np.testing.assert_allclose(lengths[has_one], 1, atol=1e-3)
    assert (alike[lost & has_one] > 0).mean() > 0.999
    assert np.median(alike[lost & has_one]) > 0.97
    assert ways[has_one].min() > 0.01, "without a way to go there is no outline"
    np.testing.assert_array_equal(found.normals[~lost], whole.normals[~lost])
