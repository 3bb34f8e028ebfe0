"""What the pictures of a rendered folder look like on the whole: means, areas of parts, and a sheet of some of them.

A bounded number of pictures is read, chosen by lot from a seed: the same seed chooses the same ones.
"""

import heapq
import io
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.dataset.label_reading import PARTS_SUFFIX, most_bytes, read_indexed
from farm.dataset.manifest import ImageRecord, view_suffix
from farm.dataset.output import LABELS, RenderedModel
from farm.dataset.reading import read_file
from farm.errors import StorageError
from farm.labels import LabelName, Part
from farm.poses import uniform
from farm.verification.pictures import decoded

MEAN_SIDE = 128
"""Pixels of a mean picture."""
_TILE = 96
"""Pixels of a picture of the sheet."""
_GROUND = np.array((205, 210, 216), np.float64)
"""Behind transparent pixels."""


@dataclass(frozen=True, slots=True, order=True)
class Chosen:
    """A picture that is looked at."""

    lot: float
    path: Path = field(compare=False)
    side: int = field(compare=False)
    style: str = field(compare=False)
    parts: Path | None = field(compare=False)
    """Its part picture, where it has one and no other style counts it."""


class Lots:
    """Chooses pictures while models go by: those with the smallest lots of all that were offered."""

    def __init__(self, seed: int, most: int) -> None:
        self._seed, self._most = seed, most
        self._heap: list[tuple[float, int, Chosen]] = []
        self._count = 0

    def offer(self, model: RenderedModel) -> None:
        """Draw a lot for each picture of a model."""
        spec = model.manifest.spec
        for image in model.manifest.images:
            lot = uniform(
                self._seed, model.manifest.model.id, image.sample, f"{image.style}/{image.partition}/{image.view.index}"
            )
            if len(self._heap) == self._most and -self._heap[0][0] <= lot:
                continue
            counts_parts = LabelName.PARTS in spec.labels and image.style == spec.styles[0]
            chosen = Chosen(
                lot,
                model.image_path(image),
                spec.size,
                image.style,
                _parts_path(model, image) if counts_parts else None,
            )
            self._count += 1
            entry = (-lot, self._count, chosen)
            if len(self._heap) < self._most:
                heapq.heappush(self._heap, entry)
            else:
                heapq.heapreplace(self._heap, entry)

    def chosen(self) -> list[Chosen]:
        """The pictures, by their lots."""
        return sorted(entry[2] for entry in self._heap)


def _parts_path(model: RenderedModel, image: ImageRecord) -> Path:
    name = f"{model.folder.name}_{image.sample:05d}{view_suffix(model.manifest.spec, image.view)}{PARTS_SUFFIX}"
    return model.folder / LABELS / image.partition / name


@dataclass(slots=True)
class Looks:
    """Sums over the pictures that were looked at."""

    tiles_wanted: int
    sums: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    """By style: the sum of all pictures, (MEAN_SIDE, MEAN_SIDE, 3), on grey."""
    counts: dict[str, int] = field(default_factory=dict)
    coverage: dict[str, float] = field(default_factory=dict)
    """By style: the sum of the shares of pixels that show anything."""
    areas: dict[Part, list[float]] = field(default_factory=dict)
    """Share of each part in the pictures that show it."""
    part_pictures: int = 0
    tiles: list[bytes] = field(default_factory=list)
    """JPEG files of the first few."""
    unreadable: int = 0

    def look(self, chosen: Chosen) -> None:
        """Take one picture in; one that cannot be read is counted: `farm verify` says why."""
        try:
            pixels = decoded(chosen.path, chosen.side)
            parts = None if chosen.parts is None else _parts(chosen.parts, chosen.side)
        except StorageError:
            self.unreadable += 1
            return
        picture = _grounded(pixels)
        small = np.asarray(Image.fromarray(picture).resize((MEAN_SIDE, MEAN_SIDE), Image.Resampling.BOX), np.float64)
        self.sums[chosen.style] = self.sums.get(chosen.style, 0) + small
        self.counts[chosen.style] = self.counts.get(chosen.style, 0) + 1
        shown = float((pixels[..., 3] > 0).mean()) if pixels.shape[2] == 4 else 1.0
        self.coverage[chosen.style] = self.coverage.get(chosen.style, 0) + shown
        if len(self.tiles) < self.tiles_wanted:
            self.tiles.append(_jpeg(picture))
        if parts is not None:
            self.part_pictures += 1
            for value, count in zip(*np.unique(parts, return_counts=True), strict=True):
                if int(value) in set(Part):
                    self.areas.setdefault(Part(int(value)), []).append(float(count) / parts.size)

    def means(self) -> dict[str, bytes]:
        """The mean picture of each style, as PNG."""
        found = {}
        for style in sorted(self.sums):
            mean = (self.sums[style] / self.counts[style]).round().clip(0, 255).astype(np.uint8)
            with io.BytesIO() as out:
                Image.fromarray(mean).save(out, "PNG")
                found[style] = out.getvalue()
        return found


def look_at(chosen: Iterable[Chosen], tiles: int) -> Looks:
    """Look at pictures; the first `tiles` of them come on the sheet."""
    looks = Looks(tiles)
    for each in chosen:
        looks.look(each)
    return looks


def _parts(path: Path, side: int) -> NDArray[np.uint8]:
    try:
        return read_indexed(read_file(path, most_bytes(PARTS_SUFFIX, side)), side)
    except FileNotFoundError as error:
        raise StorageError(f"{path} is missing.") from error


def _grounded(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    if pixels.shape[2] == 3:
        return pixels
    alpha = pixels[..., 3:].astype(np.float64) / 255
    return (pixels[..., :3] * alpha + _GROUND * (1 - alpha)).round().astype(np.uint8)


def _jpeg(picture: NDArray[np.uint8]) -> bytes:
    with io.BytesIO() as out:
        Image.fromarray(picture).resize((_TILE, _TILE), Image.Resampling.BOX).save(out, "JPEG", quality=80)
        return out.getvalue()
