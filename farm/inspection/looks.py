"""What two frontal pictures show of eyes, brows and mouth: the neutral face, and the one with a morph at weight 1.

Parts say where the features of the neutral face are. What became of an eye is told by colours, not by parts: a texture that
swaps leaves every triangle the part that it was. Whole numbers and fixed orders, so that equal pixels give equal looks.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.labels import Part
from farm.morphs.evidence import BrowLook, EyeLook, FaceLook, MouthLook

_PARTS = {
    "eye": (Part.EYE_LEFT, Part.EYE_RIGHT),
    "eyebrow": (Part.EYEBROW_LEFT, Part.EYEBROW_RIGHT),
    "mouth": (Part.LIPS, Part.MOUTH_INSIDE),
}
_AROUND = 0.3
"""Of a feature's width and height, by which the place about it is larger: lids, lashes and creases."""
_OF_CHANGE, _OF_PLACE = 0.15, 0.25
"""A morph changes a part where so much of the change lies at it, or where so much of its place changes."""
_FEWEST = 24
"""Pixels of the 512-pixel picture; of an eye that shows fewer nothing is said: a fringe is before it."""
_SKIN = 60
"""Of 765: the most by which skin differs from its middle colour, as shades and blushes make it."""
_DARK = 0.35
"""Of the way from the darkest colour at an eye to that of skin: what is darker is lash, pupil or outline."""
_BRIGHT, _GREY = 150, 56
"""Of 255: the white of an eye has no colour under the first, and its colours differ by less than the second."""
_SHUT = 0.3
"""An eye of which less is seen is shut, and its lashes are one line."""
_LINE = 0.5
"""Of the eye's width, which a line must reach across."""
_SHADES = 4
"""Bits of each colour that tell one from another."""
_DECIMALS = 4

type _Mask = NDArray[np.bool_]
type _Pixels = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class _Window:
    """A box of the picture."""

    rows: slice
    columns: slice

    def of[T: np.generic](self, values: NDArray[T]) -> NDArray[T]:
        return values[self.rows, self.columns]


class NeutralFace:
    """The neutral picture, measured once."""

    def __init__(self, picture: _Pixels, parts: _Pixels) -> None:
        """`picture` is (size, size, 3) sRGB on the ground, `parts` (size, size) of `Part`."""
        self._parts = parts
        self._size = len(parts)
        self._places = {name: self._place_of(found) for name, found in _PARTS.items()}
        self._eyes = {part: _Eye.of(picture, parts, part) for part in _PARTS["eye"]}
        self._brows = {part: _brow(parts, part) for part in _PARTS["eyebrow"]}
        self._mouth = self._opening(parts)
        self._colours = np.zeros(1 << (3 * _SHADES), bool)
        self._colours[_shades(picture[parts != Part.BACKGROUND])] = True

    def looks(self, picture: _Pixels, parts: _Pixels, changed: _Mask) -> FaceLook:
        """What the face with the morph shows; `changed` is (size, size), the pixels that differ to the eye."""
        eyes = [eye and eye.look(picture, parts, self._colours) for eye in self._eyes.values()]
        brows = [self._brow(parts, part) for part in _PARTS["eyebrow"]]
        new = np.count_nonzero(~self._colours[_shades(picture[changed & (parts != Part.BACKGROUND)])])
        return FaceLook(
            left_eye=eyes[0],
            right_eye=eyes[1],
            left_brow=brows[0],
            right_brow=brows[1],
            mouth=self._mouth_look(picture, parts),
            parts=tuple(name for name, place in self._places.items() if place is None or self._is_at(place, changed)),
            overlay=new * 256 * 256 // self._size**2,
        )

    def _place_of(self, parts: tuple[Part, ...]) -> _Mask | None:
        """The boxes about these parts, grown; None where none is seen."""
        place = np.zeros(self._parts.shape, bool)
        for part in parts:
            window = _window(self._parts == part, _AROUND)
            if window is not None:
                place[window.rows, window.columns] = True
        return place if place.any() else None

    @staticmethod
    def _is_at(place: _Mask, changed: _Mask) -> bool:
        there, change, all_of_it = (int(np.count_nonzero(mask)) for mask in (changed & place, changed, place))
        return there >= _OF_CHANGE * max(1, change) or there >= _OF_PLACE * all_of_it

    def _brow(self, parts: _Pixels, part: Part) -> BrowLook | None:
        before, after = self._brows[part], _brow(parts, part)
        if before is None or after is None:
            return None
        outwards = 1 if part is Part.EYEBROW_LEFT else -1  # the character's left is on the picture's right
        return BrowLook(
            lift=round((before[0] - after[0]) / self._size, _DECIMALS) + 0.0,
            tilt=round((before[1] - after[1]) * outwards / self._size, _DECIMALS) + 0.0,
        )

    @staticmethod
    def _opening(parts: _Pixels) -> tuple[int, int]:
        """Height and width in pixels of what is seen between the lips."""
        inside = parts == Part.MOUTH_INSIDE
        return int(np.count_nonzero(inside.any(axis=1))), int(np.count_nonzero(inside.any(axis=0)))

    def _mouth_look(self, picture: _Pixels, parts: _Pixels) -> MouthLook | None:
        if self._places["mouth"] is None:
            return None
        now, before = self._opening(parts), self._mouth
        height, width, more_height, more_width = (
            round(value / self._size, _DECIMALS) for value in (*now, now[0] - before[0], now[1] - before[1])
        )
        inside = picture[parts == Part.MOUTH_INSIDE].astype(np.int64)
        teeth = round(float(_pale(inside).mean()), _DECIMALS) if len(inside) >= _FEWEST else 0.0
        return MouthLook(height=height, width=width, more_height=more_height, more_width=more_width, teeth=teeth)


@dataclass(frozen=True, slots=True)
class _Eye:
    """An eye of the neutral picture."""

    part: Part
    window: _Window
    """Larger than the eye."""
    mask: _Mask
    """Of the window: the eye."""
    skin: NDArray[np.int64]
    """(3,) its lids' colour."""
    dark: float
    """The lightness under which something is lash or pupil."""
    iris: int
    white: int
    size: int
    """Pixels: of iris, of white, and of all that is no skin."""

    @classmethod
    def of(cls, picture: _Pixels, parts: _Pixels, part: Part) -> "_Eye | None":
        window = _window(parts == part, _AROUND)
        if window is None:
            return None
        seen = window.of(parts)
        pixels = picture[window.rows, window.columns].astype(np.int64)
        mask, lids = seen == part, seen == Part.FACE
        if np.count_nonzero(mask) < _FEWEST or np.count_nonzero(lids) < _FEWEST:
            return None
        bright = pixels[lids].sum(axis=1)
        skin = np.median(pixels[lids][bright >= np.median(bright)], axis=0).astype(np.int64)
        darkest = float(np.percentile(pixels[mask | lids].sum(axis=1), 2))
        dark = darkest + _DARK * max(0.0, float(skin.sum()) - darkest)
        eye = cls(part, window, mask, skin, dark, 0, 0, 0)
        iris, white, size = eye._classes(pixels, mask)
        found = cls(part, window, mask, skin, dark, iris, white, size)
        return found if iris + white >= _FEWEST else None

    def _classes(self, pixels: NDArray[np.int64], mask: _Mask) -> tuple[int, int, int]:
        """How many pixels of `mask` show iris, how many white, and how many anything but skin."""
        chosen = pixels[mask]
        lightness = chosen.sum(axis=1)
        from_skin = np.abs(chosen - self.skin).sum(axis=1)
        from_white = (255 - chosen).sum(axis=1)
        pale = _pale(chosen)
        skin = (from_skin <= _SKIN) & ~(pale & (from_white < from_skin))
        white = pale & ~skin
        iris = ~skin & ~white & (lightness > self.dark)
        return int(np.count_nonzero(iris)), int(np.count_nonzero(white)), int(np.count_nonzero(~skin))

    def look(self, picture: _Pixels, parts: _Pixels, known: _Mask) -> EyeLook:
        """What is seen of it now; `known` says of each shade whether the neutral face has it."""
        pixels = picture[self.window.rows, self.window.columns].astype(np.int64)
        seen = self.window.of(parts)
        mask = self.mask | (seen == self.part)
        iris, white, size = self._classes(pixels, mask)
        new = int(np.count_nonzero(~known[_shades(pixels[mask])]))
        still = (iris + white) / (self.iris + self.white)
        return EyeLook(
            open=round(still, _DECIMALS),
            size=round(size / self.size, _DECIMALS),
            iris=round(iris / self.iris, _DECIMALS) if self.iris >= _FEWEST else None,
            white=round(white / self.white, _DECIMALS) if self.white >= _FEWEST else None,
            lash=self._line(pixels, seen) if still < _SHUT else None,
            overlaid=round(new / self.size, 2),  # a few mixed colours at edges are none
        )

    def _line(self, pixels: NDArray[np.int64], seen: _Pixels) -> float | None:
        """The curve of what is dark where the eye was, by means of its thirds."""
        other = np.isin(seen, (Part.HAIR, Part.EYEBROW_LEFT, Part.EYEBROW_RIGHT, Part.BACKGROUND))
        dark = (pixels.sum(axis=2) <= self.dark) & ~other
        columns = np.flatnonzero(dark.any(axis=0))
        if not len(columns):
            return None
        across = int(columns[-1] - columns[0]) + 1
        if across < _LINE * np.count_nonzero(self.mask.any(axis=0)):
            return None
        rows = np.arange(len(dark)) @ dark[:, columns] / dark[:, columns].sum(axis=0)
        thirds = np.minimum((columns - columns[0]) * 3 // across, 2)
        if set(thirds.tolist()) != {0, 1, 2}:
            return None
        first, middle, last = (float(rows[thirds == third].mean()) for third in range(3))
        return round(((first + last) / 2 - middle) / across, _DECIMALS) + 0.0


def _window(mask: _Mask, around: float) -> _Window | None:
    """The box about what is set, larger by `around` of its sides on each; None where nothing is."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows):
        return None

    def grown(values: NDArray[np.intp], most: int) -> slice:
        low, high = int(values[0]), int(values[-1]) + 1
        more = round(around * (high - low)) + 1
        return slice(max(0, low - more), min(most, high + more))

    return _Window(grown(rows, mask.shape[0]), grown(columns, mask.shape[1]))


def _brow(parts: _Pixels, part: Part) -> tuple[float, float] | None:
    """The row of a brow's middle, and how many rows its right end in the picture is lower than its left one."""
    rows, columns = np.nonzero(parts == part)
    if len(rows) < _FEWEST:
        return None
    spread = columns - columns.mean()
    scatter = float((spread**2).sum())
    slope = float((spread * rows).sum()) / scatter * int(columns.max() - columns.min()) if scatter else 0.0
    return float(rows.mean()), slope


def _pale(pixels: NDArray[np.int64]) -> _Mask:
    """Which of (n, 3) colours are white, or nearly: of eyes, and of teeth."""
    pale: _Mask = (pixels.min(axis=1) >= _BRIGHT) & (pixels.max(axis=1) - pixels.min(axis=1) < _GREY)
    return pale


def _shades(pixels: NDArray[np.integer]) -> NDArray[np.int64]:
    """(n, 3) colours as numbers, those that look alike as one."""
    coarse = pixels.astype(np.int64) >> (8 - _SHADES)
    return (coarse[:, 0] << (2 * _SHADES)) | (coarse[:, 1] << _SHADES) | coarse[:, 2]
