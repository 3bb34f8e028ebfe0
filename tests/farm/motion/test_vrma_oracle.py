"""A VRMA on a VRM against the VRM add-on for Blender: every bone of the humanoid stands where it says."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from farm.models.vrm.reader import read_vrm
from farm.models.vrm.writer import vrm_bytes
from farm.motion.reading import read_motion
from tests.farm.motion import made_motions
from tests.farm.motion.posed import Stage

pytestmark = pytest.mark.blender
CLOSE = 1e-3
"""Of the height of the head's bone."""


def _hold_against_the_add_on(model: Path, folder: Path, seed: int) -> None:
    # GIVEN a motion of all bones on a skeleton of its own proportions, as the add-on brings it onto the model
    data = made_motions.walk(seed, kinds=("LINEAR",))
    motion_path, out = folder / "walk.vrma", folder / "out.npz"
    motion_path.write_bytes(data)
    command = [sys.executable, "-m", "tests.farm.motion.vrma_oracle", str(model), str(motion_path), str(out)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-3000:]
    with np.load(out) as archive:
        expected = dict(archive)
    # WHEN we bring it there
    character = read_vrm(model.read_bytes())
    stage = Stage(read_motion(".vrma", data), character)
    # THEN all bones stand where the add-on has them, at all frames
    seconds = expected.pop("seconds")
    height = expected["bone/head"][0, 2]
    assert len(seconds) > 30
    for number, at in enumerate(seconds.tolist()):
        heads = stage.heads(at)
        for name, places in expected.items():
            off = float(np.linalg.norm(heads[character.humanoid[name.removeprefix("bone/")]] - places[number]))
            assert off < CLOSE * height, f"{name} at {at:.3f} s: {off / height:.2e}"
    travelled = {name: float(np.ptp(places, axis=0).max()) for name, places in expected.items()}
    assert travelled["bone/leftHand"] > 0.1 * height
    assert travelled["bone/hips"] > 0.02 * height


@pytest.mark.parametrize("seed", [1, 5])
def test_a_made_humanoid_stands_where_the_add_on_has_it(tmp_path: Path, seed: int) -> None:
    model = tmp_path / "body.vrm"
    model.write_bytes(vrm_bytes(made_motions.humanoid_vrm()))

    _hold_against_the_add_on(model, tmp_path, seed)


def test_a_real_vrm_stands_where_the_add_on_has_it(real_models: Path, tmp_path: Path) -> None:
    _hold_against_the_add_on(real_models / "vrm_mtoon_conformance_v1" / "mtoon_default.vrm", tmp_path, 3)
