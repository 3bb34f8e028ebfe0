"""Bad files that are taken all the same, through a Blender: pictures or a sentence, and the same Blender goes on."""

import os
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from farm import pipe
from farm.drawing.blender import MODELS_PER_PROCESS, Blender
from farm.errors import FarmError, ModelError
from farm.labels import LabelName
from farm.mascots import write_mascots
from farm.models.package import Package, read_character, to_bytes, unfold
from farm.models.vrm.writer import vrm_bytes
from farm.poses import Partition
from tests.fuzz.mutation import File, bad_file, seeds
from tests.fuzz.reading import Outcome
from tests.support.received import receive

SECONDS = 60.0
"""For one model: in software OpenGL, on a busy machine."""
MEMORY = 3 * 2**30
CHUNK = MODELS_PER_PROCESS
_SIZE = 48
_MOST_PLAYED = 12
_MASCOT = 0.5
"""The share of drawings that are of a whole character; all others are small, so that a change is likely to matter."""


def draw(drawings: int, seed: int) -> Iterator[Outcome]:
    """Draw so many bad models; the outcomes of a Blender's life at a time."""
    chunks = -(-drawings // CHUNK)
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        yield from pool.map(_run_chunk, [seed] * chunks, range(chunks))


def _run_chunk(seed: int, number: int) -> Outcome:
    dice = Random(f"{seed}/drawn/{number}")
    outcome = Outcome()
    blender = Blender()
    try:
        blender.start()
        with TemporaryDirectory(prefix="farm-fuzz-") as folder:
            mascots = _mascots(Path(folder))
            for place in range(CHUNK):
                file, package = _taken(dice, mascots)
                _draw_one(blender, file, package, Path(folder, str(place)), dice, outcome)
    finally:
        blender.stop()
    return outcome


def _mascots(folder: Path) -> tuple[File, ...]:
    data = write_mascots(folder)[0].read_bytes()
    return ("a.pmx", data), ("a.vrm", vrm_bytes(read_character(".pmx", data)))


def _taken(dice: Random, mascots: tuple[File, ...]) -> tuple[File, Package]:
    """A bad file in which there is a model."""
    while True:
        file = bad_file(dice, mascots if dice.random() < _MASCOT else seeds())
        try:
            packages, _ = receive(*file)
        except FarmError:
            continue
        if packages:
            return file, packages[0]


def _draw_one(blender: Blender, file: File, package: Package, folder: Path, dice: Random, outcome: Outcome) -> None:
    request = _request(package, folder, dice)
    kind = f"drawn {package.suffix[1:]}"
    started = time.perf_counter()
    try:
        pictures = [drawn.pictures for drawn in blender.draw(request, lambda _: None)]
        assert len(pictures) == len(request.shots)
        outcome.counts[f"{kind} as a picture" if pictures[0].any() else f"{kind} as nothing"] += 1
    except ModelError as error:
        outcome.counts[f"{kind} {error.code}"] += 1
    except Exception as error:  # noqa: BLE001  (whatever it is, it is what we look for)
        log = error.log[-2000:] if isinstance(error, FarmError) else ""
        outcome.offences.append((f"{traceback.format_exc(limit=-2)}{log}", file))
    seconds, memory = time.perf_counter() - started, blender.resident()
    if seconds > SECONDS or memory > MEMORY:
        outcome.offences.append((f"takes {seconds:.0f} s, {memory / 2**20:.0f} MiB", file))
    outcome.slowest, outcome.peak = max(outcome.slowest, seconds), max(outcome.peak, memory)


def _request(package: Package, folder: Path, dice: Random) -> pipe.Render:
    """The model at rest, and with all of some of its morphs, from the front and turned."""
    character, textures = unfold(to_bytes(package), folder)
    annotation = {target: morph.index for target, morph in package.inventory.annotation.items()}
    morphs = range(len(package.inventory.morphs))
    played = sorted({*annotation.values(), *dice.sample(morphs, min(_MOST_PLAYED, len(morphs)))})
    shots = [
        pipe.Shot(sample=number, partition=partition, weights=weights, rotation=rotation, light=0.6)
        for number, (partition, weights, rotation) in enumerate(
            (
                (Partition.FRONTAL, {}, (0.0, 0.0, 0.0)),
                (Partition.ROTATED, dict.fromkeys(played, 1.0), (10.0, -20.0, 15.0)),
            )
        )
    ]
    return pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=played,
        annotation=annotation,
        styles=["default", "flat"],
        labels=list(LabelName),
        size=_SIZE,
        supersample=1,
        shots=shots,
    )
