"""The parts of a face as small patches, in the same place and size for every character."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm.colour import laid_over
from farm.marks import LandmarkLabel

type _Box = tuple[float, float, float, float]

_GROUND = 128
_PATCHES = {
    "eye_left": ("eye_left_inner", "eye_left_outer", "eye_left_top", "eye_left_bottom"),
    "eye_right": ("eye_right_inner", "eye_right_outer", "eye_right_top", "eye_right_bottom"),
    "eyebrow_left": ("eyebrow_left_inner", "eyebrow_left_outer"),
    "eyebrow_right": ("eyebrow_right_inner", "eyebrow_right_outer"),
    "mouth": ("mouth_left", "mouth_right"),
}
"""Patch to the landmarks that it is laid about."""
_WIDER = {"eye": 1.25, "eyebrow": 1.4, "mouth": 2.5}
"""A patch's width and height, in widths of its part."""
_FINE, _SIDE = 32, 4
"""Pixels of a patch as it is compared, and values that are left of them in a row."""
_FAINT = 3.0
"""Levels of 255 that a patch is taken to vary by at least."""
_LEAST_CONTRAST = 10.0
"""Levels of 255, standard deviation, of an eye that shows. Those of textured characters have 45 and more."""

type Array = NDArray[np.float64]


class Patches:
    """The patches of a neutral face, and how others differ from them."""

    def __init__(self, neutral: NDArray[np.uint8], landmarks: Mapping[str, LandmarkLabel]) -> None:
        """`neutral` is a (size, size, 4) picture with these landmarks; a part that has none of them has no patch."""
        self._boxes = [_box(about, _WIDER[name.partition("_")[0]], landmarks) for name, about in _PATCHES.items()]
        self._neutral = self._cut(neutral)
        self._contrast = self._neutral.mean(axis=-1).std(axis=(1, 2)) + _FAINT

    @property
    def shows_eyes(self) -> bool:
        """Whether both eyes differ from what is about them."""
        return bool(self._contrast[:2].min() >= _LEAST_CONTRAST + _FAINT)

    def changed(self, picture: NDArray[np.uint8]) -> Array:
        """(values,) how much every place differs, in the neutral patch's contrast; 0 for a part without a patch."""
        change = np.abs(self._cut(picture) - self._neutral).sum(axis=-1) / self._contrast[:, None, None]
        step = _FINE // _SIDE
        return change.reshape(len(change), _SIDE, step, _SIDE, step).mean(axis=(2, 4)).ravel()

    def _cut(self, picture: NDArray[np.uint8]) -> Array:
        ground = np.full((*picture.shape[:2], 3), _GROUND, np.uint8)
        image = Image.fromarray(laid_over(picture, ground))
        found = np.zeros((len(self._boxes), _FINE, _FINE, 3))
        for patch, box in zip(found, self._boxes, strict=True):
            if box is not None:
                patch[:] = np.asarray(image.resize((_FINE, _FINE), Image.Resampling.BOX, _inside(box, image.width)))
        return found


def _box(about: Sequence[str], wider: float, landmarks: Mapping[str, LandmarkLabel]) -> _Box | None:
    if not all(point in landmarks for point in about):
        return None
    places = np.array([(landmarks[point].x, landmarks[point].y) for point in about])
    x, y = ((places.min(axis=0) + places.max(axis=0)) / 2).tolist()
    half = max(float(np.ptp(places[:, 0])), 2.0) * wider / 2
    return x - half, y - half, x + half, y + half


def _inside(box: _Box, size: int) -> _Box:
    left, top, right, bottom = (min(max(edge, 0.0), float(size)) for edge in box)
    return min(left, size - 1.0), min(top, size - 1.0), max(right, 1.0), max(bottom, 1.0)
