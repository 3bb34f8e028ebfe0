"""Neck, shoulders and clothes: a bust as a stack of tilted rings, and garments laid on it."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from farm.mascots.paint import Box, in_box
from farm.mascots.sculpt import Array, Patch, Spline, curve, ellipsoid, joined, ribbon, sheet, tube, unit

NECK: Box = (0.0, 0.0, 0.25, 0.3)
"""The neck in the clothes' texture, with its shade under the chin at the top."""
CHEST: Box = (0.0, 0.3, 0.25, 0.5)
TORSO: Box = (0.25, 0.0, 1.0, 0.5)
TRIM: Box = (0.0, 0.5, 0.5, 0.75)
"""The collar, from its inner edge at the top to its outer one at the bottom."""
ACCENT: Box = (0.5, 0.5, 1.0, 0.75)
"""Ribbons: a gradient downwards."""
SLEEVE: Box = (0.0, 0.75, 0.5, 1.0)
DETAIL: Box = (0.5, 0.75, 0.75, 1.0)
LINING: Box = (0.75, 0.75, 1.0, 1.0)


@dataclass(frozen=True)
class Bust:
    """The upper body as rings from the neck's base outwards and down."""

    rings: Sequence[tuple[float, float, float, float, float, float, float]] = (
        (0.43, 0.42, 0.48, 13.30, 13.06, 13.36, 0.24),
        (0.60, 0.58, 0.58, 13.12, 12.76, 13.22, 0.22),
        (0.92, 0.76, 0.70, 12.95, 12.32, 13.00, 0.20),
        (1.32, 0.95, 0.82, 12.68, 11.82, 12.60, 0.18),
        (1.60, 1.08, 0.90, 12.28, 11.30, 12.02, 0.16),
        (1.66, 1.16, 0.92, 11.65, 10.75, 11.35, 0.14),
        (1.56, 1.18, 0.88, 10.80, 10.10, 10.60, 0.12),
        (1.45, 1.02, 0.80, 9.80, 9.40, 9.70, 0.10),
        (1.38, 0.90, 0.76, 9.00, 8.90, 9.00, 0.10),
    )
    """Half width; depth to the front and to the back; height at the side, in front, behind; Z of the middle."""

    @cached_property
    def _spline(self) -> Spline:
        return Spline(np.array(self.rings))

    def at(self, azimuth: ArrayLike, along: ArrayLike, lift: ArrayLike = 0.0) -> Array:
        """Points (..., 3) at degrees of azimuth (0 in front, 90 left) and places along the rings in [0, 1]."""
        a, k, rise = np.broadcast_arrays(
            np.radians(np.asarray(azimuth, dtype=np.float64)),
            np.asarray(along, dtype=np.float64),
            np.asarray(lift, dtype=np.float64),
        )
        base = self._ring(a, k)
        step = 1e-3
        over = self._ring(a + step, k) - self._ring(a - step, k)
        down = self._ring(a, np.minimum(k + step, 1.0)) - self._ring(a, np.maximum(k - step, 0.0))
        lifted: Array = base - unit(np.cross(down, over)) * rise[..., None]
        return lifted

    def _ring(self, a: Array, k: Array) -> Array:
        wide, front, back, y_side, y_front, y_back, middle = np.moveaxis(self._spline(k), -1, 0)
        s, c = np.sin(a), np.cos(a)
        depth, height = (np.where(c > 0.0, front, back), np.where(c > 0.0, y_front, y_back))
        return np.stack([wide * s, y_side + (height - y_side) * c**2, middle - depth * c], -1)

    def patch(
        self, box: Box, *, start: Sequence[tuple[float, float]] = ((0.0, 0.0), (180.0, 0.0)), lift: float = 0.0
    ) -> Patch:
        """The bust's surface down from `start`, points of (azimuth, along); its front is the middle of the box."""
        azimuth = np.linspace(-180.0, 180.0, 53)
        first = np.interp(np.abs(azimuth), [a for a, _ in start], [k for _, k in start])
        along = first + (1.0 - first) * np.linspace(1.0, 0.0, 20)[:, None]
        points = self.at(azimuth[None], along, lift)
        uvs = in_box(
            box, np.broadcast_to(azimuth / 360.0 + 0.5, points.shape[:2]), np.broadcast_to(along, points.shape[:2])
        )
        return sheet(points, uvs)

    def band(
        self,
        box: Box,
        inner: Sequence[tuple[float, float]],
        outer: Sequence[tuple[float, float]],
        *,
        lift: float,
        edge: float,
    ) -> Patch:
        """A collar on the left side between two lines of (azimuth, along); `edge` is how thick its border looks."""
        count = 33
        low, high = curve(outer, count), curve(inner, count)
        # The first and last rows dive to the body, so that the collar has a visible thickness.
        shares = np.array([0.0, 0.0, 0.06, 0.3, 0.55, 0.8, 1.0, 1.0])[:, None, None]
        lifts = np.array([lift - edge, lift, lift + 0.012, lift + 0.02, lift + 0.02, lift + 0.012, lift, lift - edge])[
            :, None
        ]
        grid = low * (1.0 - shares) + high * shares
        points = self.at(grid[..., 0], grid[..., 1], lifts)
        across, up = np.meshgrid(np.linspace(0.0, 1.0, count), shares[:, 0, 0])
        return sheet(points, in_box(box, across, 1.0 - up), flip=True)


def neck(box: Box, *, radius: float = 0.47) -> Patch:
    """The neck from inside the head down into the bust."""
    levels = [
        (14.75, 0.52, 0.30),
        (14.2, 0.48, 0.28),
        (13.7, 0.46, 0.26),
        (13.25, 0.49, 0.24),
        (12.9, 0.62, 0.22),
        (12.5, 0.7, 0.2),
    ]
    rows = Spline(np.array(levels)[::-1])(np.linspace(0.0, 1.0, 16))
    azimuth = np.radians(np.linspace(-180.0, 180.0, 29))
    scale = rows[:, 1:2] * radius / 0.47
    points = np.stack(
        [
            scale * np.sin(azimuth),
            np.broadcast_to(rows[:, :1], (16, 29)),
            rows[:, 2:3] - 0.95 * scale * np.cos(azimuth),
        ],
        -1,
    )
    down = np.clip((14.3 - points[..., 1]) / 1.7, 0.0, 1.0)
    return sheet(points, in_box(box, np.broadcast_to(np.linspace(0.0, 1.0, 29), down.shape), down))


def sleeve(box: Box, *, shoulder: tuple[float, float, float], elbow: tuple[float, float, float], puff: float) -> Patch:
    """The left upper arm in its sleeve."""
    t = np.linspace(0.0, 1.0, 14)
    start, end = np.array(shoulder), np.array(elbow)
    path = start + (end - start) * t[:, None]
    radii = Spline([0.28, 0.51 + puff, 0.57 + puff, 0.54 + puff, 0.50, 0.48])(t)
    return tube(path, radii, in_box(box, np.full(14, 0.5), t), sides=18)


def bow(box: Box, centre: tuple[float, float, float], size: float, *, tails: bool = True) -> list[Patch]:
    """A bow: two loops, a knot, and two tails when wanted."""
    patches = []
    middle = np.array(centre)
    for side in (-1.0, 1.0):
        t = np.linspace(0.0, 1.0, 11)
        reach = np.stack(
            [side * size * t, size * (0.14 * np.sin(np.pi * t * 0.9) + 0.10 * t), -size * 0.10 * np.sin(np.pi * t)], -1
        )
        height = size * Spline([0.10, 0.26, 0.44, 0.50, 0.36])(t)
        depth = size * Spline([0.08, 0.17, 0.24, 0.20, 0.05])(t)
        patches.append(
            ribbon(
                middle + reach,
                np.tile([0.0, 0.0, -1.0], (11, 1)),
                height,
                depth,
                lambda q, a: in_box(box, a, 0.5 + 0.5 * q),
            )
        )
        if tails:
            drop = np.stack(
                [
                    side * size * (0.08 + 0.42 * t + 0.12 * np.sin(np.pi * t)),
                    -size * 1.25 * t,
                    -size * (0.02 + 0.08 * np.sin(np.pi * t)),
                ],
                -1,
            )
            patches.append(
                ribbon(
                    middle + drop + np.array([0.0, 0.0, 0.05 * size]),
                    np.tile([0.0, 0.0, -1.0], (11, 1)),
                    size * Spline([0.08, 0.17, 0.22, 0.26])(t),
                    size * Spline([0.07, 0.07, 0.06, 0.04])(t),
                    lambda q, a: in_box(box, 0.5 + 0.5 * q, a),
                )
            )
    patches.append(
        ellipsoid(
            middle - np.array([0.0, 0.0, 0.1 * size]), (0.17 * size, 0.19 * size, 0.17 * size), in_box(box, 0.5, 0.35)
        )
    )
    return patches


def hood(box: Box, *, centre: tuple[float, float, float], radii: tuple[float, float], thick: float) -> Patch:
    """A hood lying round the neck: a soft roll, thicker and higher behind."""
    a = np.linspace(0.0, 2.0 * np.pi, 48, endpoint=False)
    behind = 0.5 - 0.5 * np.cos(a)
    front = np.clip(np.cos(a), 0.0, 1.0)
    x, y, z = centre
    path = np.stack(
        [
            x + radii[0] * np.sin(a) * (1.0 - 0.25 * front),
            y - 0.75 * front**2 + 0.20 * behind,
            z - radii[1] * np.cos(a),
        ],
        -1,
    )
    return tube(path, thick * (0.42 + 0.62 * behind**0.8), in_box(box, 0.5, 0.5), sides=16, closed=True)


def laces(box: Box, left: Sequence[tuple[float, float, float]], radius: float) -> Patch:
    """The two ends of a hood's string, given the left one's points."""
    path = curve(left, 14)
    radii = np.full(14, radius)
    radii[-3:] *= 1.6
    one = tube(path, radii, in_box(box, 0.5, 0.5), sides=8)
    other = tube(path * np.array([-1.0, 1.0, 1.0]), radii, in_box(box, 0.5, 0.5), sides=8)
    return joined([one, other])
