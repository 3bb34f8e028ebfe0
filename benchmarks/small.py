"""How long one small character takes: a VRM of 20,000 vertices until it stands ready, and as one sample by `farm render`.

Seconds are given twice: by the clock, and of CPU, which other work on the machine changes less.
"""

import resource
import statistics
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from benchmarks.enlarged import write_enlarged
from benchmarks.subject import subject
from farm import pipe
from farm.drawing.blender import Blender

VERTICES = 20_000
READY_GOAL, RENDER_GOAL = 0.6, 4.0
"""Seconds by the clock."""
_RUNS = 5


@dataclass(frozen=True, slots=True)
class Seconds:
    """How long something took."""

    wall: float
    cpu: float


def measure(room: Path) -> dict[str, Any]:
    """Both figures, the middle of several runs: `ready`, of a Blender that runs already, and `render`, from the start."""
    vrm = write_enlarged(room / "small", VERTICES)[1]
    return {"vertices": VERTICES, "ready": asdict(_ready(vrm, room)), "render": asdict(_render(vrm, room / "out"))}


def lines(found: dict[str, Any]) -> list[str]:
    """The figures for people."""
    ready, render = found["ready"], found["render"]
    return [
        f"a VRM of {found['vertices']:,} vertices: ready to draw in {ready['wall']:.2f} s, {ready['cpu']:.2f} s of CPU "
        f"(goal {READY_GOAL} s)",
        f"the same, one sample by farm render: {render['wall']:.1f} s, {render['cpu']:.1f} s of CPU "
        f"(goal {RENDER_GOAL:.0f} s)",
    ]


def _ready(model: Path, room: Path) -> Seconds:
    """Loading alone. A process's CPU seconds are known when it has ended, so one that loads once is taken off."""
    request = subject(model, room / "packages").request
    once, often = (_loaded(request, times) for times in (1, 1 + _RUNS))
    return Seconds(statistics.median(often[0][1:]), max(0.0, (often[1] - once[1]) / _RUNS))


def _loaded(request: pipe.Render, times: int) -> tuple[list[float], float]:
    """The seconds of each of so many loadings in one new Blender, and the CPU seconds of all its life."""
    before = _children_cpu()
    answers: list[pipe.Loaded] = []
    blender = Blender()
    try:
        for _ in range(times):
            list(blender.draw(request, answers.append))
    finally:
        blender.stop()
    return [answer.seconds for answer in answers], _children_cpu() - before


def _render(model: Path, out: Path) -> Seconds:
    """`farm render` of one sample, from the shell's return key to its last line."""
    farm = str(Path(sys.executable).with_name("farm"))
    walls, cpus = [], []
    for run in range(3):
        started, before = time.perf_counter(), _children_cpu()
        command = [farm, "render", str(model), "--samples", "1", "--out", str(out / str(run))]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        walls.append(time.perf_counter() - started)
        cpus.append(_children_cpu() - before)
    return Seconds(statistics.median(walls), statistics.median(cpus))


def _children_cpu() -> float:
    """CPU seconds of all ended children, and of theirs."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
