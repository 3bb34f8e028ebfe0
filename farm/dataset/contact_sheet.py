"""The contact sheet of a model: a few samples, each in both partitions and every style, on a chequered ground."""

import io
from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from farm.poses import Partition

ROWS = 6
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


def contact_sheet(
    look: Callable[[int, Partition], Mapping[str, NDArray[np.uint8]]],
    samples: Sequence[int],
    partitions: Sequence[Partition],
    names: Sequence[str],
) -> bytes:
    """A PNG with a row for each sample and a column for each partition and name, a style's or a label's.

    `look(sample, partition)` gives a picture for every name: (size, size, 4) with straight alpha, or (size, size, 3). It
    is asked once for each, so that no more pictures than those of one shot are held.
    """
    step = _CELL + _GAP
    width = len(partitions) * len(names) * step + _GAP
    height = _HEADER + len(samples) * step
    sheet = Image.new("RGB", (width, height), _PAPER)
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(size=14)
    ground = _chequers()
    for block, partition in enumerate(partitions):
        lefts = {name: _GAP + (block * len(names) + column) * step for column, name in enumerate(names)}
        for name, left in lefts.items():
            pen.text((left + _CELL / 2, _HEADER / 2), f"{partition} / {name}", _INK, font, anchor="mm")
        for row, sample in enumerate(samples):
            pictures = look(sample, partition)
            for name, left in lefts.items():
                picture = Image.fromarray(pictures[name]).convert("RGBA")
                picture = picture.resize((_CELL, _CELL), Image.Resampling.BOX)
                cell = ground.copy()
                cell.alpha_composite(picture)
                sheet.paste(cell.convert("RGB"), (left, _HEADER + row * step))
    with io.BytesIO() as out:
        sheet.save(out, "PNG")
        return out.getvalue()


def _chequers() -> Image.Image:
    place = np.indices((_CELL, _CELL)) // _SQUARE
    light = (place.sum(axis=0) % 2 == 0)[..., None]
    rgb = np.where(light, np.array(_LIGHT, np.uint8), np.array(_DARK, np.uint8))
    return Image.fromarray(np.dstack([rgb, np.full((_CELL, _CELL), 255, np.uint8)]))
