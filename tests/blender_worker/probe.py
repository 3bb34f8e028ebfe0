"""Runs inside a Blender process of its own: poses models and writes what Blender evaluates to a .npz file.

usage: python -m tests.blender_worker.probe OUT.npz JOBS
JOBS is a JSON list of {"model": path, "poses": [{"weights": {...}, "rotation": [...]}]}.
"""

import json
import sys
from pathlib import Path

import bpy
import numpy as np

from blender_worker import scene
from blender_worker.character.actor import Actor
from blender_worker.importers import mmd, vrm
from farm.models.package import read_character


def build(model: Path, wanted: list[str]) -> Actor:
    """Stand the model up in an empty scene."""
    scene.clear()
    if model.suffix == ".vrm":
        return vrm.build(model, wanted)
    return mmd.build(read_character(model.suffix, model.read_bytes()), {}, wanted)


def main(out: Path, jobs: list[dict[str, object]]) -> None:
    """Write arrays JOB_positions_POSE (parts stacked), JOB_uvs_POSE, JOB_colours_POSE, JOB_neck and JOB_head_height."""
    scene.start()
    results: dict[str, object] = {}
    for number, job in enumerate(jobs):
        actor = build(Path(job["model"]), sorted({name for pose in job["poses"] for name in pose["weights"]}))
        results[f"{number}_neck"] = actor.neck_position
        results[f"{number}_head_height"] = actor.head_height
        for i, asked in enumerate(job["poses"]):
            pose = actor.pose(asked["weights"], asked["rotation"])
            uvs = [pose.uvs.get(part, actor.parts[part].uvs) for part in range(len(actor.parts))]
            results[f"{number}_positions_{i}"] = np.concatenate(pose.positions)
            results[f"{number}_uvs_{i}"] = np.concatenate(uvs)
            results[f"{number}_colours_{i}"] = np.array([look.colour for look in pose.looks])
            results[f"{number}_outlines_{i}"] = np.array([(*look.outline_colour, look.outline) for look in pose.looks])
    np.savez(out, **results)


if __name__ == "__main__":
    assert bpy.app.version >= (5, 2)
    main(Path(sys.argv[1]), json.loads(sys.argv[2]))
