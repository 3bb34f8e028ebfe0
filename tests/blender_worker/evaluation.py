"""Has Blender evaluate poses in a process of its own."""

import json
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np

FRONT = (0.0, 0.0, 0.0)


@dataclass(frozen=True)
class Asked:
    """A pose to evaluate."""

    weights: dict[str, float]
    rotation: tuple[float, float, float] = FRONT


@dataclass(frozen=True)
class Evaluated:
    """What Blender evaluated for one model."""

    positions: list[np.ndarray]
    uvs: list[np.ndarray]
    colours: list[np.ndarray]
    outlines: list[np.ndarray]
    neck: np.ndarray
    head_height: float


def evaluate(folder: Path, *models: tuple[Path, list[Asked]]) -> list[Evaluated]:
    """Evaluate every model's poses, one after another in one Blender."""
    jobs = [
        {"model": str(model), "poses": [{"weights": p.weights, "rotation": p.rotation} for p in poses]}
        for model, poses in models
    ]
    out = folder / "evaluated.npz"
    command = [sys.executable, "-m", "tests.blender_worker.probe", str(out), json.dumps(jobs)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=250)
    assert done.returncode == 0, done.stderr[-3000:]
    with np.load(out) as archive:
        found = dict(archive)
    return [
        Evaluated(
            *(
                [found[f"{number}_{kind}_{i}"] for i in range(len(poses))]
                for kind in ("positions", "uvs", "colours", "outlines")
            ),
            neck=found[f"{number}_neck"],
            head_height=float(found[f"{number}_head_height"]),
        )
        for number, (_, poses) in enumerate(models)
    ]
