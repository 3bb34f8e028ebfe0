"""Packs the pictures of a model into one: the neutral face, and of every morph only the pixels that it changes."""

import io
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

WIDTH = 2048
LARGE = 256
"""Pixels a side above which a crop is kept at half its size; so none is larger than this in a picture of 512."""


@dataclass(frozen=True, slots=True)
class Sprite:
    """A packed picture."""

    pixels: NDArray[np.uint8]
    """(height, width, 3)."""
    places: dict[int, tuple[int, int]]
    """By crop: its left and top."""

    def webp(self) -> bytes:
        """The file: without loss, so that the difference on the page is the true one."""
        with io.BytesIO() as out:
            Image.fromarray(self.pixels).save(out, "WEBP", lossless=True, quality=40, method=2)
            return out.getvalue()


def reduced(crop: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], int]:
    """The crop as it is kept, and how many of its pixels one of those stands for, on a side."""
    if max(crop.shape[:2]) <= LARGE:
        return crop, 1
    return crop[::2, ::2], 2


def pack(neutral: NDArray[np.uint8], crops: Mapping[int, NDArray[np.uint8]]) -> Sprite:
    """Put `neutral`, (size, size, 3), at the top left, and the crops on shelves beside and below it, the highest first.

    Four hundred crops of `LARGE` a side fit into what a WebP may have, 16,383 rows.
    """
    size = len(neutral)
    places: dict[int, tuple[int, int]] = {}
    left, top, shelf = size, 0, 0
    edge = size
    """The rows down to which the neutral picture stands at the left."""
    for key, crop in sorted(crops.items(), key=lambda item: (-item[1].shape[0], item[0])):
        height, width = crop.shape[:2]
        if left + width > WIDTH:
            top += shelf
            shelf = 0
            left = size if top < edge else 0
        places[key] = left, top
        left, shelf = left + width, max(shelf, height)
    used = max([size] + [left + crops[key].shape[1] for key, (left, _) in places.items()])
    rows = max([size] + [top + crops[key].shape[0] for key, (_, top) in places.items()])
    pixels = np.zeros((rows, used, 3), np.uint8)
    pixels[:size, :size] = neutral
    for key, (left, top) in places.items():
        height, width = crops[key].shape[:2]
        pixels[top : top + height, left : left + width] = crops[key]
    return Sprite(pixels, places)
