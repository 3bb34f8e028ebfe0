"""Frames of bodies hold all of every posed body in every view, whichever samples are drawn."""

from pathlib import Path

import numpy as np
import pytest

from blender_worker.camera import frame
from farm.cameras import CameraSpec, Framing
from farm.poses import draw_in
from farm.views import draw_views
from tests.farm.bodies.posed import HUMANOIDS, SPACE, body_at

SMALL = [name for name in HUMANOIDS if name.endswith(".vrm") or "yw_test" in name]
CAMERAS = {
    "around": CameraSpec(framing=Framing.BODY, around=4, rings=(0, 40)),
    "drawn": CameraSpec(framing=Framing.BODY, views=8, yaw=(-180, 180), elevation=(-30, 70), field_of_view=45),
    "parallel": CameraSpec(framing=Framing.BODY, around=8, projection="orthographic"),
}


def _furthest(path: Path, spec: CameraSpec, samples: int) -> float:
    """How far from the frame's middle any vertex of any drawn pose comes in any view; 0.5 is the border."""
    body = body_at(path)
    actor = body.actor
    camera = frame(spec, actor.neck_position, actor.head_height, actor.reached(SPACE.bends), True)
    keys = [key for key in SPACE.keys if actor.morphs[SPACE.movement_of[key]].effects]
    used = np.unique(np.concatenate([run.triangles.ravel() for run in actor.runs]))
    furthest = 0.0
    for index in range(samples):
        sample = draw_in(SPACE, 9, "b" * 64, index, keys)
        weights = {SPACE.movement_of[key]: value for key, value in sample.weights.items()}
        positions = actor.pose(weights, sample.rotation).positions[used]
        for view in draw_views(9, "b" * 64, index, spec):
            places = camera.seen_from(view.yaw, view.elevation).project(positions, 1)
            furthest = max(furthest, float(np.abs(places - 0.5).max()))
    return furthest


@pytest.mark.parametrize("camera", CAMERAS)
@pytest.mark.parametrize("name", SMALL)
def test_nothing_of_a_posed_body_is_cut_off(real_models: Path, name: str, camera: str) -> None:
    furthest = _furthest(real_models / name, CAMERAS[camera], 40)

    assert 0.35 < furthest < 0.49, "cut off, or lost in the frame"


@pytest.mark.long
@pytest.mark.parametrize("name", HUMANOIDS)
def test_nothing_is_cut_off_in_many_poses(real_models: Path, name: str) -> None:
    assert _furthest(real_models / name, CAMERAS["around"], 400 if name in SMALL else 100) < 0.5


def test_a_frame_is_the_same_each_time_and_asks_for_no_sample(real_models: Path) -> None:
    body = body_at(real_models / HUMANOIDS[0])

    once, twice = (body.actor.reached(SPACE.bends) for _ in range(2))
    assert once.tobytes() == twice.tobytes()
    assert np.array_equal(body.actor.reached({}), body.actor.rest.positions)
