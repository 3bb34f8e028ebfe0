"""Directions as arrays."""

import numpy as np
from numpy.typing import NDArray


def unit[F: np.floating](vectors: NDArray[F], least: float) -> NDArray[F]:
    """(n, 3) of length 1, or 0 where they were no longer than `least`."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(np.divide(vectors, length, out=np.zeros_like(vectors), where=length > least))
