"""How long a model takes to read and to stand ready to be drawn.

usage: python -m benchmarks.loading [MODEL] [--runs 5]

Without a model it makes one of about 30,000 vertices with 180 morphs, as PMX and as VRM. For orientation: the widely used
MMD add-on takes 1.2 s to import a character of this size, Blender's glTF importer with the VRM add-on 4 to 8 s (measured on
a machine of 2 cores; not run here).
"""

import argparse
import statistics
import tempfile
import time
from pathlib import Path

from benchmarks.enlarged import write_enlarged
from farm import pipe
from farm.drawing.blender import Blender
from farm.models.package import read_character, read_model, to_bytes, unfold
from farm.morphs.annotation import sampled_targets
from farm.poses import Partition
from farm.styles import PAPER_STYLES

VERTICES, MORPHS = 31_524, 180


def measure(model: Path, folder: Path, runs: int) -> None:
    """Measure one model and print."""
    package = read_model(model)
    reading = []
    for _ in range(runs):
        started = time.perf_counter()
        character = read_character(package.suffix, package.data)
        reading.append(time.perf_counter() - started)
    path, textures = unfold(to_bytes(package), folder)
    annotation = package.inventory.annotation
    shot = pipe.Shot(sample=0, partition=Partition.FRONTAL, weights={}, rotation=(0, 0, 0), light=0.6)
    request = pipe.Render(
        character=str(path),
        textures={index: str(file) for index, file in textures.items()},
        morphs=sorted({annotation[target.name].index for target in sampled_targets(annotation)}),
        styles=list(PAPER_STYLES),
        size=256,
        supersample=2,
        shots=[shot],
    )
    standing: list[float] = []
    blender = Blender()
    for _ in range(runs + 1):
        list(blender.draw(request, lambda message: standing.append(message.seconds)))
    blender.stop()
    print(f"{model.name}: {len(character.positions)} vertices, {len(character.morphs)} morphs, {runs} runs")
    print(
        f"read the file           median {statistics.median(reading):.3f} s, worst {max(reading):.3f} s   (goal 0.25 s)"
    )
    print(
        f"stand, ready to draw    median {statistics.median(standing[1:]):.3f} s, worst {max(standing[1:]):.3f} s   "
        f"(goal 0.6 s; first of the process {standing[0]:.3f} s; reading included)"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, nargs="?")
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for model in [asked.model] if asked.model else write_enlarged(Path(folder), VERTICES, MORPHS):
            measure(model, Path(folder) / model.suffix, asked.runs)


if __name__ == "__main__":
    main()
