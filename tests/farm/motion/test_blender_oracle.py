"""A posed PMX against Blender: its curves, its slerp, its armature, its deformed mesh. IK is left out on both sides."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from farm.motion.reading import read_motion
from farm.motion.vmd_writer import vmd_bytes
from tests.farm.motion import made_motions
from tests.farm.motion.posed import Stage

pytestmark = pytest.mark.blender
CLOSE = 1e-3
"""Of the character's height."""
FRAMES = (0.0, 7.0, 13.5, 30.0, 44.25, 60.0)


def _hold_against_blender(model: Path, out: Path, seed: int) -> None:
    # GIVEN what Blender makes of a motion that never was a file
    command = [sys.executable, "-m", "tests.farm.motion.blender_oracle", str(model), str(seed)]
    done = subprocess.run(
        [*command, ",".join(map(str, FRAMES)), str(out)], capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(out) as archive:
        expected, seconds = archive["positions"], archive["seconds"]
    # WHEN the same motion is written as a VMD, read, and brought onto the character
    character = read_character(model.suffix, model.read_bytes())
    bones, morphs = made_motions.motion_of(character, seed)
    motion = read_motion(".vmd", vmd_bytes(bones, morphs))
    stage = Stage(motion, character)
    # THEN every vertex stands where Blender has it
    height = float(np.ptp(character.positions[:, 1]))
    for number, at in enumerate(seconds.tolist()):
        off = np.linalg.norm(stage.positions(at) - expected[number], axis=1)
        assert off.max() < CLOSE * height, f"at {at} s: {off.max() / height:.2e} of the height"
    moved = np.linalg.norm(np.diff(expected, axis=0), axis=2).max(axis=0)
    assert (moved > 0.01 * height).mean() > 0.5, "most of the character moves"
    assert len(stage.retargeted.moved) > 10
    assert not stage.retargeted.absent_bones
    assert not stage.retargeted.absent_morphs


@pytest.mark.parametrize("seed", [1, 2])
def test_a_made_body_stands_where_blender_has_it(tmp_path: Path, seed: int) -> None:
    model = tmp_path / "body.pmx"
    model.write_bytes(pmx_bytes(made_motions.body()))

    _hold_against_blender(model, tmp_path / "out.npz", seed)


@pytest.mark.parametrize(
    "file", ["yw_test_model/yw_test_model.pmx", pytest.param("gene/Gene_light.pmx", marks=pytest.mark.long)]
)
def test_a_real_character_stands_where_blender_has_it(real_models: Path, tmp_path: Path, file: str) -> None:
    _hold_against_blender(real_models / file, tmp_path / "out.npz", 3)
