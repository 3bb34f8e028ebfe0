"""Things to lay over a face: pictures with transparent parts, placed over the head from a seed."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.backgrounds import find_pictures, read_cutout
from farm.torch.rows import PackedRows

_SMALLEST, _LARGEST = 0.25, 0.75
"""Of the longer side, as shares of the head's height."""
_MOST_TURNED = 30.0
"""Degrees to either side."""


class Accessories:
    """The pictures of a folder. Raises BackgroundError when there is none."""

    def __init__(self, folder: str | Path) -> None:
        self._folder = Path(folder)
        self._pictures = np.array([str(path.relative_to(self._folder)) for path in find_pictures(self._folder)])

    def placed(self, model: PackedRows, draw: Callable[[str], float]) -> NDArray[np.uint8]:
        """(side, side, 4) sRGB and straight alpha: one of them over the head of a picture of `model`.

        Which one, its size, turn and mirroring, and the place of its middle are drawn: `draw(purpose)` gives numbers in
        [0, 1). The head is where the neutral picture has it. Raises BackgroundError for a file that cannot be used.
        """
        side = model.spec.size
        left, top, right, bottom = _within(model.head_box, side)
        shown = Image.fromarray(
            read_cutout(self._folder / str(self._pictures[int(draw("picture") * len(self._pictures))]))
        )
        longer = (_SMALLEST + (_LARGEST - _SMALLEST) * draw("size")) * (bottom - top)
        scale = longer / max(shown.size)
        prop = shown.resize((_pixels(shown.width * scale), _pixels(shown.height * scale)), Image.Resampling.BILINEAR)
        if draw("mirrored") < 0.5:
            prop = prop.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        prop = prop.rotate((2 * draw("turn") - 1) * _MOST_TURNED, Image.Resampling.BILINEAR, expand=True)
        x, y = left + (right - left) * draw("x"), top + (bottom - top) * draw("y")
        layer = Image.new("RGBA", (side, side))
        layer.paste(prop, (round(x - prop.width / 2), round(y - prop.height / 2)))
        return np.asarray(layer)


def _pixels(length: float) -> int:
    return max(1, round(length))


def _within(box: tuple[float, float, float, float], side: int) -> tuple[float, float, float, float]:
    """The part of a box, in shares of the frame, that is inside it, in pixels; all of the frame where nothing is."""
    left, top, right, bottom = (min(max(edge, 0.0), 1.0) * side for edge in box)
    return (left, top, right, bottom) if left < right and top < bottom else (0.0, 0.0, side, side)
