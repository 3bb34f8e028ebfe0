"""Lips that are one piece with a face end in a line, not in a saw."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from blender_worker.anatomy.study import study
from farm.labels import Part
from tests.blender_worker.anatomy.studied import built

pytestmark = pytest.mark.blender
MOST = 1.55
"""Times the way around their box. Where triangles are lips by their middles, it is 1.62 and 1.77."""


def outline(points: NDArray[np.float32], triangles: NDArray[np.int32]) -> float:
    """How long the edges are that only one of the triangles has, over the way around their box, both from the front.

    Vertices at one place are one. The slit between the lips, closed or to a bag, counts as an outline on either side.
    """
    _, first, place = np.unique(points, axis=0, return_index=True, return_inverse=True)
    edges = np.sort(place[triangles][:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, counts = np.unique(edges, axis=0, return_counts=True)
    across = points[first][:, [0, 2]]
    ends = across[edges[counts == 1]]
    width, height = np.ptp(across[place[triangles]].reshape(-1, 2), axis=0)
    return float(np.linalg.norm(ends[:, 0] - ends[:, 1], axis=1).sum() / (2 * (width + height)))


@pytest.mark.parametrize("model", ["gene/Gene_light.pmx", "uka/MS_Uka.pmx"])
def test_the_lips_of_a_face_have_a_smooth_outline(real_models: Path, model: str) -> None:
    actor, annotation = built(real_models / model, "")
    anatomy = study(actor, annotation)
    lips = [run.triangles[parts == Part.LIPS] for run, parts in zip(actor.runs, anatomy.triangles, strict=True)]

    assert 200 < sum(len(own) for own in lips) < 500
    assert outline(actor.rest.positions, np.concatenate(lips)) < MOST
