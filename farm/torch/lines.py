"""Line drawings made of pictures in the style `ink` and of their parts."""

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from farm.labels import Part

_REACH = 3
"""Pixels a side of the square in which a pixel is compared with the brightest one."""
_LINE, _PAPER = 0.35, 0.7
"""Share of that brightness at which a pixel is all line, and all paper."""
_EDGE = 64
"""Grey of the edges of parts, where the picture has no line of its own."""


def line_drawing(picture: NDArray[np.uint8], parts: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(h, w) grey, 255 paper, of an opaque `ink` picture (h, w, 3) and its parts (h, w).

    Lines are where the picture is much darker than what is around it, so an even surface is paper whatever its colour,
    and where one part ends and the next begins.
    """
    grey = Image.fromarray(picture).convert("L")
    around = np.asarray(grey.filter(ImageFilter.MaxFilter(_REACH)), np.float32)
    share = np.asarray(grey, np.float32) / np.maximum(around, 1)
    drawn = (np.clip((share - _LINE) / (_PAPER - _LINE), 0, 1) * 255).astype(np.uint8)
    return np.where(_edges(parts), np.minimum(drawn, _EDGE), drawn)


def _edges(parts: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """(h, w) the pixels whose right or lower neighbour shows another part; what cannot be decided has no edge."""
    known = parts != Part.IGNORE
    edges = np.zeros(parts.shape, bool)
    edges[:, :-1] |= (parts[:, :-1] != parts[:, 1:]) & known[:, :-1] & known[:, 1:]
    edges[:-1] |= (parts[:-1] != parts[1:]) & known[:-1] & known[1:]
    return edges
