"""Runs inside a Blender process of its own: poses a model and writes the evaluated positions to a .npz file.

usage: python -m tests.blender.probe MODEL OUT.npz 'JSON list of {"weights": {source morph: weight}, "rotation": [x, y, z]}'
"""

import json
import sys
from pathlib import Path

import bpy
import numpy as np

from blender_worker import mmd, scene, vrm
from farm.models.package import read_character


def main(model: Path, out: Path, poses: list[dict[str, object]]) -> None:
    """Pose `model` and write arrays pose_0, pose_1, ... (all parts of the model stacked), and the framing."""
    scene.start()
    wanted = sorted({name for pose in poses for name in pose["weights"]})
    if model.suffix == ".vrm":
        actor = vrm.build(model, wanted)
    else:
        actor = mmd.build(read_character(model.suffix, model.read_bytes()), {}, wanted)
    results = {
        f"pose_{i}": np.concatenate(actor.pose(p["weights"], p["rotation"]).positions) for i, p in enumerate(poses)
    }
    np.savez(out, neck=actor.neck_position, head_height=actor.head_height, **results)


if __name__ == "__main__":
    assert bpy.app.version >= (5, 2)
    main(Path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3]))
