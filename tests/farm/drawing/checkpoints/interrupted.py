"""Jobs that are broken off in the middle of their drawing."""

import io
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from farm.backgrounds import normalise
from farm.cameras import CameraSpec
from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, result_object
from farm.drawing import checkpoints
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.render import Interrupted, Reporter, render
from farm.labels import LabelName
from farm.models.package import Package
from farm.spec import RenderSpec
from farm.storage import LocalStore

PLAIN = RenderSpec(seed=42, samples=4, size=48)
NOISE = [np.random.default_rng(seed).integers(0, 256, (60, 90, 3), np.uint8) for seed in range(3)]


def background(pixels: np.ndarray) -> bytes:
    with io.BytesIO() as file:
        Image.fromarray(pixels).save(file, "PNG")
        return file.getvalue()


BACKGROUNDS = [normalise(background(pixels), "noise.png") for pixels in NOISE]
SPECS = {
    "plain": PLAIN,
    "labels": RenderSpec(seed=3, samples=3, size=64, styles=("flat", "ink"), labels=tuple(LabelName)),
    "labels over backgrounds, several views": RenderSpec(
        seed=5,
        samples=2,
        size=48,
        styles=("default", "ink"),
        labels=(LabelName.PARTS, LabelName.LANDMARKS),
        camera=CameraSpec(views=2, yaw=(-50, 50), elevation=(-10, 10)),
        backgrounds=tuple(kept.id for kept in BACKGROUNDS),
    ),
}


class Diary:
    """What a render reported; stops it when it has drawn so many images itself."""

    def __init__(self, stop_after: int | None = None, stop: Callable[[], None] | None = None) -> None:
        self.counts: list[int] = []
        self.stages: Counter[str] = Counter()
        self.drawn = 0
        self._stop_after, self._stop = stop_after, stop or self._interrupt

    @staticmethod
    def _interrupt() -> None:
        raise Interrupted("The worker was told to stop.", "worker-stopped")

    def _images(self, count: int) -> None:
        self.counts.append(count)
        if self._stop_after is not None and self.drawn >= self._stop_after:
            self._stop()

    def _stage(self, name: str, seconds: float) -> None:
        self.stages[name] += 1

    def _drawn(self, style: str, partition: str) -> None:
        self.drawn += 1

    @property
    def reporter(self) -> Reporter:
        return Reporter(images=self._images, stage=self._stage, drawn=self._drawn)


def store_with(folder: Path, package: Package) -> LocalStore:
    store = LocalStore(folder)
    catalog = Catalog(store)
    catalog.add(package)
    for kept in BACKGROUNDS:
        catalog.add_background(kept)
    return store


def checkpoint_spans(store: LocalStore, assignment: Assignment) -> list[tuple[int, int]]:
    """First and last shot of every checkpoint, by their names."""
    names = [Path(key).name for key in store.list(checkpoints.folder(assignment.render_key))]
    return sorted((int(first), int(last)) for first, last, _ in (re.split("[-.]", name, maxsplit=2) for name in names))


def break_off(assignment: Assignment, store: LocalStore, blender: Blender, after: int) -> Diary:
    """Render until `after` images are drawn, then interrupt."""
    diary = Diary(after)
    with pytest.raises(Interrupted):
        render(assignment, store, blender, diary.reporter)
    assert not store.exists(result_object(assignment.render_key, MANIFEST))
    return diary
