"""Pictures as tensors."""

import numpy as np
import torch
from numpy.typing import NDArray

from farm.colour import laid_over

WHITE = (255, 255, 255)


def over(picture: NDArray[np.uint8], ground: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(side, side, 3) a picture with its transparent parts over one colour; one over a background stays as it is."""
    if picture.shape[2] == 3:
        return picture
    return laid_over(picture, np.broadcast_to(np.array(ground, np.uint8), (*picture.shape[:2], 3)))


def tensor_of(picture: NDArray[np.uint8]) -> torch.Tensor:
    """(channels, side, side) float32 in [0, 1] of bytes (side, side, channels) or (side, side)."""
    planes = picture.transpose(2, 0, 1) if picture.ndim == 3 else picture[None]
    return torch.from_numpy(planes.astype(np.float32) / 255)
