"""The contact sheet of a model: a few samples, each in both partitions and every style, on a chequered ground."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from farm.poses import Partition

ROWS = 6
_COLUMNS = 8
"""Beside each other: both partitions in the four styles."""
_CELL = 192
_SQUARE = 12
_HEADER = 26
_GAP = 4
_DARK, _LIGHT = (202, 208, 214), (226, 230, 234)
_PAPER, _INK = (250, 250, 250), (40, 44, 52)


def chosen_samples(samples: int) -> tuple[int, ...]:
    """The samples that the sheet shows: spread evenly over all of them."""
    count = min(ROWS, samples)
    return tuple(i * samples // count for i in range(count))


class ContactSheet:
    """A picture with a row for each sample and a column for each partition and name, a style's or a label's.

    Partitions stand beside each other, or, where that would be too wide to be looked at, below. Shots are put on it as they
    come, in any order.
    """

    def __init__(self, samples: Sequence[int], partitions: Sequence[Partition], names: Sequence[str]) -> None:
        wide = len(partitions) * len(names) <= _COLUMNS
        block = len(names) * (_CELL + _GAP), _HEADER + len(samples) * (_CELL + _GAP)
        self._corners = {
            partition: (_GAP + number * block[0], 0) if wide else (_GAP, number * block[1])
            for number, partition in enumerate(partitions)
        }
        self._rows = {sample: number for number, sample in enumerate(samples)}
        self._names = names
        self._ground = _chequers()
        across, down = (len(partitions), 1) if wide else (1, len(partitions))
        self._sheet = Image.new("RGB", (across * block[0] + _GAP, down * block[1]), _PAPER)
        pen = ImageDraw.Draw(self._sheet)
        font = ImageFont.load_default(size=14)
        for partition, (left, top) in self._corners.items():
            for column, name in enumerate(names):
                middle = left + column * (_CELL + _GAP) + _CELL / 2, top + _HEADER / 2
                pen.text(middle, f"{partition} / {name}", _INK, font, anchor="mm")

    def shows(self, sample: int) -> bool:
        """Whether the sample has a row."""
        return sample in self._rows

    def put(self, sample: int, partition: Partition, pictures: Mapping[str, NDArray[np.uint8]]) -> None:
        """Show a sample in one partition.

        A picture for every name: (size, size, 4) with straight alpha, or (size, size, 3).
        """
        left, top = self._corners[partition]
        top += _HEADER + self._rows[sample] * (_CELL + _GAP)
        for column, name in enumerate(self._names):
            picture = Image.fromarray(pictures[name]).convert("RGBA")
            picture = picture.resize((_CELL, _CELL), Image.Resampling.BOX)
            cell = self._ground.copy()
            cell.alpha_composite(picture)
            self._sheet.paste(cell.convert("RGB"), (left + column * (_CELL + _GAP), top))

    def pixels(self) -> NDArray[np.uint8]:
        """(height, width, 3) the sheet."""
        return np.asarray(self._sheet)


def _chequers() -> Image.Image:
    place = np.indices((_CELL, _CELL)) // _SQUARE
    light = (place.sum(axis=0) % 2 == 0)[..., None]
    rgb = np.where(light, np.array(_LIGHT, np.uint8), np.array(_DARK, np.uint8))
    return Image.fromarray(np.dstack([rgb, np.full((_CELL, _CELL), 255, np.uint8)]))
