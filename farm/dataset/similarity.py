"""How alike two pictures are: SSIM, with the constants of its authors (Wang et al. 2004, IEEE TIP 13.4)."""

import numpy as np
from numpy.typing import NDArray

_WINDOW = 11
"""Pixels; the side of the window that is compared at a time."""
_SIGMA = 1.5
"""Pixels; the window's Gaussian weight."""
_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_GROUND = 127.5
"""The grey that transparent pictures are laid on."""


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """The structural similarity of two (h, w, 4) RGBA pictures with straight alpha, at least 11 pixels wide and high.

    Both are laid on a mid-grey ground; what is returned is the mean over all windows that lie inside the picture and
    over the three channels: 1 for equal pictures, around 0 for unrelated ones.
    """
    if a.shape != b.shape or min(a.shape[:2]) < _WINDOW:
        raise ValueError(f"pictures of one size, at least {_WINDOW} pixels, are compared, not {a.shape} and {b.shape}")
    x, y = _on_ground(a), _on_ground(b)
    mean_x, mean_y = _blurred(x), _blurred(y)
    variance_x, variance_y = _blurred(x * x) - mean_x**2, _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    alike = (2 * mean_x * mean_y + _C1) * (2 * covariance + _C2)
    whole = (mean_x**2 + mean_y**2 + _C1) * (variance_x + variance_y + _C2)
    return float((alike / whole).mean())


def _on_ground(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    alpha = picture[..., 3:].astype(np.float64) / 255
    return np.asarray(picture[..., :3] * alpha + _GROUND * (1 - alpha), np.float64)


def _blurred(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The weighted mean of every window that lies wholly inside."""
    places = np.arange(_WINDOW) - _WINDOW // 2
    weights = np.exp(-0.5 * (places / _SIGMA) ** 2)
    weights /= weights.sum()
    rows, columns = (length - _WINDOW + 1 for length in values.shape[:2])
    down = sum(weight * values[i : i + rows] for i, weight in enumerate(weights))
    return np.asarray(sum(weight * down[:, i : i + columns] for i, weight in enumerate(weights)))


def ssim_about(a: NDArray[np.uint8], b: NDArray[np.uint8], box: tuple[float, float, float, float]) -> float:
    """`ssim` of what two pictures show in `box` (left, top, right, bottom in pixels) and a window's half about it.

    The margin is for what lies along the box's edge: an outline is outside the box of what it is drawn about.
    """
    left, top = (max(0, round(edge) - _WINDOW // 2) for edge in box[:2])
    right, bottom = (round(edge) + _WINDOW // 2 for edge in box[2:])
    return ssim(a[top:bottom, left:right], b[top:bottom, left:right])
