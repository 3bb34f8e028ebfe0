"""How fast a folder of characters becomes a data set: the whole job by `farm render`, and where its time goes by format.

usage: python -m benchmarks.folder [--models 24]

It also says how long one small character takes, from its file to its pictures.
"""

import argparse
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks import small
from benchmarks.cast import Cast, cast
from benchmarks.subject import Subject, subject
from farm import pipe
from farm.drawing.blender import Blender
from farm.labels import LabelName
from farm.models.package import read_character
from farm.poses import Partition

SHOTS = 24
"""Drawn of each model for the figures by format."""
_STEPS = ("read", "ready", "pose", "draw", "label", "label_share")


def whole_job(models: list[Path], room: Path) -> dict[str, float]:
    """`farm render` of all models, from the shell's return key to its last line."""
    out = room / "out"
    farm = str(Path(sys.executable).with_name("farm"))
    started = time.perf_counter()
    done = subprocess.run(
        [farm, "render", *map(str, models), "--out", str(out), "--keep-unusable"],
        check=False,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    seconds = time.perf_counter() - started
    assert done.returncode == 0, done.stderr[-2000:]
    images = sum(1 for path in out.rglob("*.png") if path.parent.name in list(Partition))
    shutil.rmtree(out)
    return {"seconds": seconds, "images": images, "images_per_second": images / seconds}


def by_format(models: list[Path], room: Path) -> dict[str, dict[str, float]]:
    """For each format the medians, in milliseconds: read the file, ready to draw (with reading), pose, draw, label a shot.

    `label_share` is the share of a shot with all labels that they take in Blender: that is where a job's time goes.
    """
    found: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    blender = Blender()
    try:
        for path in models:
            steps = _measured(blender, subject(path, room), subject(path, room, list(LabelName)))
            for step, value in steps.items():
                found[path.suffix][step].append(value)
    finally:
        blender.stop()
    return {
        suffix: {"models": len(steps["read"])} | {step: statistics.median(steps[step]) for step in _STEPS}
        for suffix, steps in sorted(found.items())
    }


def _measured(blender: Blender, model: Subject, labelled: Subject) -> dict[str, float]:
    started = time.perf_counter()
    read_character(model.package.suffix, model.package.data)
    read = time.perf_counter() - started
    answers: list[pipe.Loaded] = []
    plain, full = (_seconds(blender, one, answers) for one in (model, labelled))
    pose, draw = (statistics.median(one[stage] for one in plain) * 1e3 for stage in ("evaluate", "draw"))
    label = statistics.median(one["label"] for one in full) * 1e3
    share = statistics.median(one["label"] / sum(one.values()) for one in full)
    return {
        "read": read * 1e3,
        "ready": answers[0].seconds * 1e3,
        "pose": pose,
        "draw": draw,
        "label": label,
        "label_share": share,
    }


def _seconds(blender: Blender, model: Subject, answers: list[pipe.Loaded]) -> list[dict[str, float]]:
    """What each of the first shots took, by stage."""
    request = model.request.model_copy(update={"shots": model.shots[1 : 1 + SHOTS]})
    return [one.seconds for one in blender.draw(request, answers.append)]


def measure(chosen: Cast, room: Path) -> dict[str, Any]:
    """All figures of a folder."""
    return {
        "models": len(chosen.models),
        "made": chosen.made,
        "job": whole_job(chosen.models, room),
        "formats": by_format(chosen.models, room / "packages"),
        "small": small.measure(room),
    }


def table(found: dict[str, Any]) -> Table:
    """The figures for people."""
    job = found["job"]
    shown = Table(
        title=f"{found['models']} characters ({found['made']} of them our own): {job['images']:.0f} images in "
        f"{job['seconds']:.1f} s by farm render, {job['images_per_second']:.0f} a second"
    )
    headings = (
        "models",
        "read, ms",
        "ready to draw, ms",
        "pose, ms",
        "draw four styles, ms",
        "all labels, ms",
    )
    shown.add_column("format")
    for heading in (*headings, "labels' share"):
        shown.add_column(heading, justify="right")
    for suffix, steps in found["formats"].items():
        *times, share = (steps[step] for step in _STEPS)
        shown.add_row(suffix, f"{steps['models']:.0f}", *(f"{value:.1f}" for value in times), f"{share:.0%}")
    return shown


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=24)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="facefarm-bench-") as folder:
        room = Path(folder)
        found = measure(cast(room / "models", asked.models), room)
    out = Console()
    out.print(table(found), *small.lines(found["small"]), sep="\n", soft_wrap=True)


if __name__ == "__main__":
    main()
