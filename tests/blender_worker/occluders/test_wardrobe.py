"""Props are made for whatever a file says that a head is: finite, few triangles, or not at all."""

from pathlib import Path

import numpy as np
import pytest

from blender_worker.anatomy.study import study
from blender_worker.character.actor import FRONT
from blender_worker.occluders.wardrobe import wardrobe
from farm.occluders import OccluderName
from tests.blender_worker.anatomy.studied import MANGLES, built

_MOST = 5_000
"""Triangles of all props together."""


@pytest.mark.parametrize("mangled", ["", *MANGLES])
def test_a_spoiled_head_wears_what_fits_or_nothing(mascots: dict[str, Path], mangled: str) -> None:
    with np.errstate(all="ignore"):
        actor, annotation = built(mascots["nagi"], mangled)
        dressed = wardrobe(actor, study(actor, annotation), list(OccluderName))
        pose = dressed.actor.pose({}, (5.0, 0.0, 10.0))
    own = len(actor.vertices.positions)

    assert np.isfinite(pose.positions[own:]).all()
    assert (
        sum(len(run.triangles) for run in dressed.actor.runs) - sum(len(run.triangles) for run in actor.runs) <= _MOST
    )
    assert len(dressed.codes) == len(dressed.actor.runs) == len(dressed.anatomy.triangles)
    if mangled in ("", "no_triangles", "one_point"):
        assert dressed.unworn == ([] if not mangled else list(OccluderName))
    for name in OccluderName:
        worn = dressed.put_on(dressed.actor.rest, name)
        shown = {look.colour[3] for look in worn.looks[len(actor.surfaces) :]}
        assert shown <= {0.0, 1.0}
        assert (1.0 in shown) == (name not in dressed.unworn)


def test_posing_is_that_of_the_bare_character_to_the_bit(mascots: dict[str, Path]) -> None:
    actor, annotation = built(mascots["nagi"], "")
    dressed = wardrobe(actor, study(actor, annotation), list(OccluderName)).actor
    for weights, rotation in (({}, FRONT), ({annotation["mouth/a"]: 0.7}, (11.0, -4.0, 17.0))):
        bare, worn = actor.pose(weights, rotation), dressed.pose(weights, rotation)
        assert np.array_equal(bare.positions, worn.positions[: len(bare.positions)])
