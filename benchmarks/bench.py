"""How fast the farm draws, against what everybody does, in one run on one machine.

usage: python -m benchmarks.bench [MODEL ...] [--quick] [--out benchmarks/results.json]

Today's practice is `bpy.ops.render.render` an image: Eevee, 64 samples, write_still (the canvas `final`), with the same
model, poses and materials. Every other way of drawing is timed and compared with its pictures. Writes the figures as JSON
and as a plot beside it. Without a MODEL: the character "Gene" of FARM_TEST_MODELS if it is there, else the mascot Nagi.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table

from benchmarks import folder, small
from benchmarks import likeness as canvases
from benchmarks.cast import cast
from benchmarks.plot import plot
from benchmarks.subject import Subject, subject
from farm import pipe
from farm.catalog import Catalog
from farm.dataset.similarity import ssim
from farm.drawing.blender import Blender, Drawn, is_software
from farm.drawing.render import Reporter, render
from farm.labels import LabelName
from farm.mascots import write_mascots
from farm.spec import CanvasName
from farm.storage import LocalStore
from farm.styles import PAPER_STYLES

FORMAT = 1
console = Console(stderr=True)


@dataclass(frozen=True, slots=True)
class Effort:
    """How many shots each way of drawing gets."""

    final: int
    eevee: int
    forward: int
    processes: int
    folder: int
    """Characters."""
    likeness: int
    """Characters that forward and final are compared on."""


FULL, QUICK = Effort(4, 12, 60, 200, 24, 24), Effort(1, 3, 24, 60, 6, 3)


def draw(
    blender: Blender, model: Subject, shots: Sequence[pipe.Shot], **changes: Any
) -> tuple[list[Drawn], pipe.Loaded, float]:
    """Draw `shots` one after another; with the seconds from the first one's order to the last one's arrival.

    Only the first few are returned: the farm keeps none, and memory that is new for every shot has its price.
    """
    answers: list[pipe.Loaded] = []
    started: list[float] = []

    def loaded(message: pipe.Loaded) -> None:
        answers.append(message)
        started.append(time.perf_counter())

    kept = []
    for number, drawn in enumerate(
        blender.draw(model.request.model_copy(update={"shots": list(shots), **changes}), loaded)
    ):
        if number < FULL.final:
            kept.append(drawn)
    return kept, answers[0], time.perf_counter() - started[0]


def rates(blender: Blender, model: Subject, canvas: CanvasName, count: int) -> tuple[dict[str, Any], list[Drawn]]:
    """Images a second of a canvas: each style alone and the four together; and the pictures of the latter."""
    alone = {}
    # The first shot is the basis image: the neutral face would flatter a canvas that hardly moves anything.
    shots = model.shots[1 : 1 + count]
    for style in PAPER_STYLES:
        _, _, seconds = draw(blender, model, shots, canvas=canvas, styles=[style])
        alone[style] = len(shots) / seconds
    together, _, seconds = draw(blender, model, shots, canvas=canvas)
    images = len(shots) * len(PAPER_STYLES)
    return {"images_per_second": {**alone, "all": images / seconds}, "images": images}, together


def final(blender: Blender, model: Subject, count: int) -> tuple[dict[str, Any], dict[str, list[np.ndarray]]]:
    """Today's practice: each style of each shot is a render of its own."""
    shots = model.shots[1 : 1 + count]
    seconds, pictures = {}, {}
    for style in PAPER_STYLES:
        drawn, _, taken = draw(blender, model, shots, canvas=CanvasName.FINAL, styles=[style])
        seconds[style] = taken / len(shots)
        pictures[style] = [one.pictures[0] for one in drawn]
        console.print(f"  {style}: {seconds[style]:.2f} s an image")
    rate = {style: 1 / value for style, value in seconds.items()}
    rate["all"] = len(PAPER_STYLES) / sum(seconds.values())
    return {"images_per_second": rate, "seconds_per_image": seconds, "images": len(shots) * len(PAPER_STYLES)}, pictures


def likeness(drawn: Sequence[Drawn], reference: dict[str, list[np.ndarray]]) -> dict[str, dict[str, float]]:
    """SSIM and mean difference (of 255, over RGB on grey and alpha) to the reference, by style."""
    found = {}
    for index, style in enumerate(PAPER_STYLES):
        pairs = [(one.pictures[index], other) for one, other in zip(drawn, reference[style], strict=False)]
        difference = [np.abs(a.astype(float) - b.astype(float)).mean() for a, b in pairs]
        found[style] = {
            "ssim": float(np.mean([ssim(a, b) for a, b in pairs])),
            "mean_difference": float(np.mean(difference)),
        }
    return found


def labelled(blender: Blender, model: Subject, count: int) -> dict[str, float]:
    """What all labels cost beside the four styles; the two are drawn by turns."""
    shots = model.shots[1 : 1 + count]
    plain, full = [], []
    for _ in range(3):
        plain.append(draw(blender, model, shots)[2])
        full.append(draw(blender, model, shots, labels=list(LabelName))[2])
    without, with_labels = (len(shots) * len(PAPER_STYLES) / float(np.median(taken)) for taken in (plain, full))
    return {"images_per_second": with_labels, "without": without, "cost": without / with_labels - 1}


def processes(blender: Blender, model: Subject, count: int) -> dict[str, float]:
    """Images a second of one and of two Blender processes, each with its own share of equal work."""
    shots = model.shots[1 : 1 + count]
    images = len(shots) * len(PAPER_STYLES)
    other = Blender()
    try:
        draw(other, model, shots[:2])
        one = draw(blender, model, shots)[2]
        taken: list[float] = []
        threads = [
            threading.Thread(target=lambda b=b: taken.append(draw(b, model, shots)[2])) for b in (blender, other)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        other.stop()
    return {"1": images / one, "2": 2 * images / max(taken)}


def shot_times(blender: Blender, model: Subject, count: int) -> dict[str, float]:
    """Milliseconds a shot of four styles, from order to arrival in the worker: the middle and the slow end."""
    stamps: list[float] = []
    stream = blender.draw(
        model.request.model_copy(update={"shots": model.shots[1 : 1 + count]}),
        lambda _: stamps.append(time.perf_counter()),
    )
    for _ in stream:
        stamps.append(time.perf_counter())
    taken = np.diff(stamps) * 1000
    return {"p50_ms": float(np.percentile(taken, 50)), "p95_ms": float(np.percentile(taken, 95))}


def first_image(model: Subject) -> dict[str, float]:
    """Seconds until the first picture: of a new Blender, and of one that runs already."""
    blender = Blender()
    try:
        found = {}
        for name in ("cold", "warm"):
            started = time.perf_counter()
            draw(blender, model, model.shots[:1])
            found[name] = time.perf_counter() - started
        return found
    finally:
        blender.stop()


def whole_job(model: Subject, room: Path) -> dict[str, float]:
    """`farm render`, from the shell's return key to its last line."""
    started = time.perf_counter()
    out = room / "out"
    command = [
        str(Path(sys.executable).with_name("farm")),
        "render",
        str(model.path),
        "--out",
        str(out),
        "--workers",
        "1",
    ]
    subprocess.run(command, check=True, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    images = len(list(out.glob("*/*/*/*.png")))
    return {"seconds": seconds, "images": images, "images_per_second": images / seconds}


def stages(blender: Blender, model: Subject, room: Path) -> dict[str, Any]:
    """Where the time of a whole job goes, seconds by stage; encoding runs beside the drawing."""
    store = LocalStore(room / "store")
    Catalog(store).add(model.package)
    found: dict[str, float] = {}

    def add(stage: str, seconds: float) -> None:
        found[stage] = found.get(stage, 0.0) + seconds

    started = time.perf_counter()
    render(model.assignment, store, blender, Reporter(lambda _: None, add, lambda *_: None))
    return {"wall": time.perf_counter() - started, "stages": found, "images": model.assignment.images_total}


def default_model(room: Path) -> Path:
    """Gene, where the real characters are at hand, else Nagi."""
    gene = Path(os.environ.get("FARM_TEST_MODELS") or "../shared/models") / "gene" / "Gene_light.pmx"
    return gene if gene.is_file() else write_mascots(room)[0]


def measure(paths: Sequence[Path], effort: Effort, room: Path, note: Callable[[str], None]) -> dict[str, Any]:
    """All figures; the first model is measured in every way, the others for their shot times alone."""
    models = [subject(path, room) for path in paths]
    model = models[0]
    blender = Blender()
    try:
        blender.start()
        note(f"OpenGL on {blender.renderer}, {os.cpu_count()} cores; {model.path.name}")
        results: dict[str, Any] = {
            "format": FORMAT,
            "machine": {
                "renderer": blender.renderer,
                "software": is_software(blender.renderer),
                "cores": os.cpu_count(),
                "blender": blender.version,
            },
            "model": model.path.name,
        }
        draw(blender, model, model.shots[:3])  # shaders and files are warm for everybody
        note("forward canvas")
        results["forward"], forward = rates(blender, model, CanvasName.FORWARD, effort.forward)
        note("labels")
        results["labels"] = labelled(blender, model, effort.forward)
        note("two processes")
        results["processes"] = processes(blender, model, effort.processes)
        note("shot times, seconds to the first image")
        results["models"] = {one.path.name: shot_times(blender, one, effort.processes) for one in models}
        results["first_image_seconds"] = first_image(model)
        note("whole job")
        results["stages"] = stages(blender, model, room)
        results["job"] = whole_job(model, room)
        note(f"a folder of {effort.folder} characters")
        characters = cast(room / "models", effort.folder)
        results["folder"] = folder.measure(characters, room)
        note("Eevee canvas")
        results["eevee"], eevee = rates(blender, model, CanvasName.EEVEE, effort.eevee)
        note("today's practice: a render call an image, 64 samples")
        results["plain"], reference = final(blender, model, effort.final)
        results["forward"]["likeness"] = likeness(forward, reference)
        results["eevee"]["likeness"] = likeness(eevee, reference)
        note(f"forward and final on {effort.likeness} characters")
        compared = characters.models[:: effort.folder // effort.likeness]
        results["characters"] = canvases.measure(compared, room / "compared", Path("build/likeness"))
    finally:
        blender.stop()
    plain = results["plain"]["images_per_second"]["all"]
    results["speedup"] = results["job"]["images_per_second"] / plain
    results["speedup_drawing"] = results["forward"]["images_per_second"]["all"] / plain
    results["speedup_eevee"] = results["eevee"]["images_per_second"]["all"] / plain
    results["ssim_min"] = min(entry["ssim"] for entry in results["forward"]["likeness"].values())
    return results


def table(results: dict[str, Any]) -> Table:
    """The figures for people."""
    shown = Table(title=f"{results['model']} on {results['machine']['renderer']}, images a second")
    for heading in ("", *PAPER_STYLES, "all four", "SSIM, worst style"):
        shown.add_column(heading, justify="left" if not heading else "right")
    for name, label in (("plain", "bpy.ops.render.render"), ("eevee", "Eevee canvas"), ("forward", "forward canvas")):
        rate = results[name]["images_per_second"]
        alike = results[name].get("likeness")
        worst = f"{min(entry['ssim'] for entry in alike.values()):.4f}" if alike else "1"
        shown.add_row(label, *(f"{rate[style]:.2f}" for style in (*PAPER_STYLES, "all")), worst)
    blank = [""] * len(PAPER_STYLES)
    shown.add_row("... with all labels", *blank, f"{results['labels']['images_per_second']:.1f}", "")
    shown.add_row("... two processes", *blank, f"{results['processes']['2']:.1f}", "")
    shown.add_row("whole job, farm render", *blank, f"{results['job']['images_per_second']:.1f}", "")
    return shown


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--quick", action="store_true", help="minutes, less exact")
    parser.add_argument("--out", type=Path, default=Path("benchmarks/results.json"))
    arguments = parser.parse_args()
    started = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="facefarm-bench-") as home:
        room = Path(home)
        paths = arguments.models or list(dict.fromkeys([default_model(room), *write_mascots(room)]))

        def note(text: str) -> None:
            console.print(f"[dim]{time.perf_counter() - started:4.0f} s[/dim]  {text}")

        results = measure(paths, QUICK if arguments.quick else FULL, room, note)
    results["quick"] = arguments.quick
    arguments.out.write_text(json.dumps(results, indent=1) + "\n")
    plot(results, arguments.out.with_suffix(".svg"))
    out = Console()
    out.print(table(results))
    out.print(folder.table(results["folder"]))
    out.print(*small.lines(results["folder"]["small"]), sep="\n", soft_wrap=True)
    out.print(canvases.table(results["characters"]))
    out.print(
        f"speedup {results['speedup']:.0f} (whole job with four styles over plain practice), "
        f"{results['speedup_drawing']:.0f} while drawing; ssim_min {results['ssim_min']:.4f}; "
        f"labels cost {results['labels']['cost'] * 100:.0f} %; took {time.perf_counter() - started:.0f} s",
        soft_wrap=True,
    )
    out.print(
        f"figures: {arguments.out}   plot: {arguments.out.with_suffix('.svg')}   pairs: build/likeness/sheet.png",
        soft_wrap=True,
    )


if __name__ == "__main__":
    main()
