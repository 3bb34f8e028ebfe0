"""How fast each recipe draws: images and CPU seconds, against one render call an image in the same run.

usage: python -m benchmarks.recipes [MODEL...] [--samples 24] [--calls 3]

Each recipe is drawn as a worker draws it, loading and reading back included, from first to last; then a few of
the same pictures by `bpy.ops.render.render` with 64 samples, a call for each picture, the character loaded once. CPU
seconds are Blender's own, of both cores together.
"""

import argparse
import contextlib
import os
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from farm import pipe
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.plan import Plan, plan
from farm.drawing.request import request_for
from farm.mascots import write_mascots
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_model, to_bytes, unfold
from farm.morphs.expressions import Rule
from farm.motion.vmd_writer import BoneKey, MorphKey, vmd_bytes
from farm.recipes.recipe import recipe, recipe_names
from farm.spaces.casting import named_morphs
from farm.spaces.limbs import RestPose
from farm.spec import CanvasName, RenderSpec
from tests.support.limbs import momo_with_limbs

_TICKS = os.sysconf("SC_CLK_TCK")
_WIDTH = 120
"""Characters: what is printed goes into the documentation as it is, wherever it is printed."""


@dataclass(frozen=True, slots=True)
class Figures:
    """What a way of drawing costs."""

    images: int
    seconds: float
    cpu_seconds: float

    @property
    def images_per_second(self) -> float:
        """By the clock."""
        return self.images / self.seconds


def measure(
    blender: Blender, model: Path, spec: RenderSpec, samples: int, calls: int, render_samples: int, room: Path
) -> tuple[Figures, Figures]:
    """One character by `spec`, and `calls` of its pictures by a render call each, of so many samples a pixel."""
    package = read_model(model)
    few = spec.model_copy(update={"samples": samples})
    motion = None
    if spec.motion is not None:
        few = spec.model_copy(update={"motion": spec.motion.model_copy(update={"frames": samples})})
        motion = room / "dance.vmd"
        room.mkdir(parents=True, exist_ok=True)
        motion.write_bytes(_dance(samples))
    annotation = package.inventory.annotation
    assignment = Assignment(package.id, annotation, samples, "0" * 64, few)
    assignment = replace(assignment, named=named_morphs(few.space, package.inventory.source_morphs(), annotation))
    rules = package.inventory.rules
    todo = plan(assignment, rules)
    character, textures = unfold(to_bytes(package), room / package.id)
    request = request_for(assignment, todo, character, textures, motion)
    ours = _timed(blender, request, assignment, rules, None)
    by_calls = request.model_copy(update={"canvas": CanvasName.FINAL, "labels": [], "final_samples": render_samples})
    return ours, _timed(blender, by_calls, assignment, rules, -(-calls // len(few.styles)))


def _timed(
    blender: Blender, request: pipe.Render, assignment: Assignment, rules: Mapping[int, Rule], most: int | None
) -> Figures:
    blender.start()
    started, cpu = time.perf_counter(), _cpu()
    begun: list[tuple[float, float]] = []

    def loaded(message: pipe.Loaded) -> list[pipe.Shot]:
        if most is not None:  # of a call a picture the load counts not: it is the same for all
            begun.append((time.perf_counter(), _cpu()))
        frames = message.clip.frames if message.clip is not None else None
        return _shots(plan(assignment, rules, message.unseen, frames, message.unworn), most)

    images = sum(len(drawn.pictures) for drawn in blender.draw(request, loaded))
    if begun:
        ((started, cpu),) = begun
    return Figures(images, time.perf_counter() - started, _cpu() - cpu)


def _dance(frames: int) -> bytes:
    """A motion that turns head and body, with a blink and a word."""
    half = 0.2
    bones = [BoneKey(name, 0) for name in ("頭", "センター")]
    bones += [BoneKey(name, frames, turn=(0.0, half, 0.0, (1 - half**2) ** 0.5)) for name in ("頭", "センター")]
    morphs = [MorphKey(name, frame, float(frame > 0)) for name in ("まばたき", "あ") for frame in (0, frames)]
    return vmd_bytes(bones, morphs)


def _own(folder: Path, spec: RenderSpec) -> list[Path]:
    """The project's own characters; of bodies the one that has limbs."""
    mascots = write_mascots(folder)
    if spec.stance is RestPose.FILE:
        return mascots
    momo = next(path for path in mascots if path.stem == "momo")
    momo.write_bytes(pmx_bytes(momo_with_limbs()))
    return [momo]


def _shots(todo: Plan, most: int | None) -> list[pipe.Shot]:
    return todo.shots[1:] if most is None else todo.shots[1 : 1 + most]


def _cpu() -> float:
    """Seconds of the processor that our children, Blender, have taken. Source: proc(5), /proc/PID/stat, fields 4, 14, 15."""
    ticks = 0
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # ended meanwhile
            fields = (folder / "stat").read_bytes().rpartition(b")")[2].split()  # from field 3 on
            if int(fields[1]) == os.getpid():
                ticks += int(fields[11]) + int(fields[12])
    return ticks / _TICKS


def table(found: dict[str, list[tuple[Figures, Figures]]]) -> Table:
    """The figures for people, as `docs/performance.md` has them."""
    title = f"Recipes on {os.cpu_count()} cores, each against one render call an image in the same run"
    shown = Table(title=title, box=box.MARKDOWN)
    for heading in ("recipe", "images", "images/s", "CPU s an image", "by calls: images/s", "CPU s an image", "times"):
        shown.add_column(heading, justify="left" if heading == "recipe" else "right", no_wrap=True)
    for name, figures in found.items():
        ours, calls = (_sum([pair[place] for pair in figures]) for place in (0, 1))
        shown.add_row(
            name,
            str(ours.images),
            f"{ours.images_per_second:.1f}",
            f"{ours.cpu_seconds / ours.images:.3f}",
            f"{calls.images_per_second:.3f}",
            f"{calls.cpu_seconds / calls.images:.2f}",
            f"{ours.images_per_second / calls.images_per_second:.0f}",
        )
    return shown


def _sum(figures: Sequence[Figures]) -> Figures:
    return Figures(
        sum(each.images for each in figures),
        sum(each.seconds for each in figures),
        sum(each.cpu_seconds for each in figures),
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path, help="default: the mascots; of bodies Momo with limbs")
    parser.add_argument("--samples", type=int, default=24)
    parser.add_argument("--render-samples", type=int, default=pipe.FINAL_SAMPLES, help="a pixel, of those; 64 is usual")
    parser.add_argument("--calls", type=int, default=3, help="pictures by a render call, a character and recipe")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="facefarm-bench-") as folder:
        room = Path(folder)
        blender = Blender()
        try:
            found = {}
            for name in recipe_names():
                spec, place = recipe(name).spec, room / name
                found[name] = [
                    measure(blender, model, spec, asked.samples, asked.calls, asked.render_samples, place)
                    for model in asked.models or _own(room / name / "mascots", spec)
                ]
        finally:
            blender.stop()
    Console(width=_WIDTH).print(table(found))


if __name__ == "__main__":
    main()
