"""What a morph changes in the frontal picture, measured."""

import numpy as np
from numpy.typing import NDArray

from farm.morphs.evidence import PictureChange

PICTURE_SIZE = 256
"""Pixels a side of the pictures that are compared."""
_CHANGED = 24
"""Of 765, the sum over red, green and blue, by which a pixel must change to count. Source: the hand annotation of 37
characters was made with it."""


def picture_change(neutral: NDArray[np.uint8], applied: NDArray[np.uint8]) -> PictureChange:
    """Compare two (256, 256, 3) sRGB pictures: the neutral face, and the one with a morph at weight 1."""
    changed = changed_pixels(neutral, applied)
    half = changed.shape[1] // 2
    return PictureChange(
        count=int(changed.sum()),
        picture_left=int(changed[:, :half].sum()),
        picture_right=int(changed[:, half:].sum()),
        box=box_of(changed),
    )


def changed_pixels(neutral: NDArray[np.uint8], applied: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(height, width): where two sRGB pictures (height, width, 3) differ by enough to count."""
    changed: NDArray[np.bool_] = np.abs(neutral.astype(np.int16) - applied).sum(axis=-1) > _CHANGED
    return changed


def box_of(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Left, top, right, bottom (the last two exclusive) of what is set in (height, width); None when nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1
