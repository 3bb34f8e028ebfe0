"""From drawn pixels to a picture's pixels: the filter that every canvas of ours ends with."""

import numpy as np
from numpy.typing import NDArray

from farm.colour import srgb_of

_FILTER_RADIUS = 1.0
"""Pixels; the width of the resolve filter on either side of a picture's pixel."""
_FILTER_SIGMA = 0.5
"""Pixels; the filter is a Gaussian. Eevee's own has 0.43 (width 1.5); a little more does what its mipmaps do besides: of
0.36 to 0.55, this is closest to its pictures with 64 samples."""
_NO_COVERAGE = 0.5 / 255
"""Alpha that rounds to none."""


def kernel(supersample: int) -> NDArray[np.float64]:
    """Weights of the samples along one axis of a picture's pixel: a Gaussian cut at the filter's radius.

    There are `supersample` samples inside the pixel and equally many beyond either side; the weights' sum is 1.
    """
    reach = int(np.ceil((_FILTER_RADIUS - 0.5) * supersample))
    centres = (np.arange(-reach, supersample + reach) + 0.5) / supersample - 0.5
    weights = np.exp(-0.5 * (centres / _FILTER_SIGMA) ** 2)
    return np.asarray(weights / weights.sum(), np.float64)


def lookups(supersample: int) -> list[tuple[float, float]]:
    """The kernel as (place, weight) of as few linear texture look-ups as do: each between two samples gives both.

    Places are in drawn pixels from the near edge of the picture's pixel; a sample's own is at its centre.
    """
    weights = kernel(supersample).tolist()
    start = supersample / 2 - len(weights) / 2 + 0.5
    found = []
    for first in range(0, len(weights), 2):
        pair = weights[first : first + 2]
        between = pair[1] / sum(pair) if len(pair) == 2 else 0.0
        found.append((start + first + between, sum(pair)))
    return found


def resolve(drawn: NDArray[np.float32], supersample: int) -> NDArray[np.uint8]:
    """A picture from what was drawn larger.

    `drawn` is (h, w, 4), linear light with alpha multiplied in; the picture is (h / supersample, w / supersample, 4),
    sRGB with straight alpha, RGB 0 where alpha is 0. Rows keep their order.
    """
    total = _along(_along(drawn, 0, supersample), 1, supersample)
    alpha = total[..., 3:]
    seen = alpha >= _NO_COVERAGE
    colour = np.divide(total[..., :3], alpha, out=np.zeros_like(total[..., :3]), where=seen).clip(0, 1)
    straight = np.concatenate([srgb_of(colour), np.where(seen, alpha, np.float32(0)).clip(0, 1)], axis=2)
    return np.asarray(np.rint(straight * np.float32(255)), np.uint8)


def _along(values: NDArray[np.float32], axis: int, supersample: int) -> NDArray[np.float32]:
    """Filter along one axis and keep every `supersample`-th result; beyond its ends the edge goes on."""
    weights = kernel(supersample).astype(np.float32)
    reach, count = (len(weights) - supersample) // 2, values.shape[axis] // supersample
    lines = np.moveaxis(values, axis, 0)
    padded = np.concatenate([lines[:1].repeat(reach, 0), lines, lines[-1:].repeat(reach, 0)])
    total = np.zeros((count, *lines.shape[1:]), np.float32)
    for place, weight in enumerate(weights):
        total += weight * padded[place : place + supersample * count : supersample]
    return np.moveaxis(total, 0, axis)
