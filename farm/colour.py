"""sRGB and linear light, and alpha multiplied in. Source: IEC 61966-2-1.

Light adds up, sRGB does not: whatever is averaged, filtered or laid over something else goes through here.
"""

import numpy as np
from numpy.typing import NDArray

_WHITE = 65535
"""White in 16-bit linear light."""


def _light[T: np.floating](shown: NDArray[T]) -> NDArray[T]:
    return np.where(shown <= 0.04045, shown / 12.92, ((np.maximum(shown, 0) + 0.055) / 1.055) ** 2.4)


def _shown[T: np.floating](light: NDArray[T]) -> NDArray[T]:
    return np.where(light <= 0.0031308, light * 12.92, 1.055 * light ** (1 / 2.4) - 0.055)


def linear_of(srgb: NDArray[np.float32]) -> NDArray[np.float32]:
    """sRGB values as linear light; what a file has below 0 or above 1 goes on along the curve."""
    return _light(srgb).astype(np.float32)


def srgb_of(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """The inverse of `linear_of`."""
    return _shown(linear).astype(np.float32)


def premultiplied(pixels: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., 4) sRGB values with straight alpha, in [0, 1], with alpha multiplied in, in linear light; still sRGB.

    A filtered texture would otherwise bring the colours of transparent texels to their neighbours.
    """
    return np.concatenate([srgb_of(linear_of(pixels[..., :3]) * pixels[..., 3:]), pixels[..., 3:]], axis=-1)


def _tables() -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
    """sRGB bytes as linear 16-bit numbers, and back. There and back again is the same byte."""
    light, shown = _light(np.arange(256) / 255), _shown(np.arange(_WHITE + 1) / _WHITE)
    return np.rint(light * _WHITE).astype(np.uint32), np.rint(shown * 255).astype(np.uint8)


_LIGHT_OF, _BYTE_OF = _tables()


def laid_over(picture: NDArray[np.uint8], ground: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(height, width, 4) sRGB bytes with straight alpha over (height, width, 3) gives (height, width, 3).

    In linear light, because alpha is a share of the pixel that was averaged in linear light: this is the picture that the
    canvas would have drawn with the ground in its scene, and edges get no dark rim. Whole numbers throughout, so the bytes
    do not depend on the machine.
    """
    alpha = picture[..., 3:].astype(np.uint32)
    light = _LIGHT_OF[picture[..., :3]] * alpha + _LIGHT_OF[ground] * (255 - alpha)
    over: NDArray[np.uint8] = _BYTE_OF[(light + 127) // 255]
    return over
