"""How high the head is: what the framing and all measures of the face go by."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

HEAD_WEIGHT = 0.5
"""A vertex belongs to the head when the head bone has more than this share of it."""
_PERCENTILE = 99
"""The head ends where all but this share of its vertices lie lower: a hair or a halo does not count."""


def head_height(choices: Iterable[NDArray[np.float32]], fallback: float) -> float:
    """The height of the head over the neck bone, from heights over the neck of the head's vertices.

    The first of `choices` that gives a positive height counts, `fallback` if none does.
    """
    for heights in choices:
        if len(heights) and (top := float(np.percentile(heights, _PERCENTILE))) > 0:
            return top
    return fallback
