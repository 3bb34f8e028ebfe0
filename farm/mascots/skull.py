"""The bare head, and how what lies on the face follows it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike

from farm.mascots.sculpt import Array, Patch, Spline, curve, sheet, smoothstep, unit

type Points = Sequence[tuple[float, float]]

# The picture of the face is the face seen from the front: this window of X and Y, in model units.
PICTURE_SIDE = 3.4
PICTURE_TOP = 16.9
SECTION_POWER = 2.25
"""Exponent of the superellipse that a level section of the face is; above 2 the face is flatter in front."""


@dataclass(frozen=True)
class Skull:
    """The bare head as a stack of level sections."""

    sections: Sequence[tuple[float, float, float, float, float]]
    """From the chin up: height, half width, Z of the front, Z of the widest place, Z of the back."""
    nose: float = 14.70
    mouth: float = 14.28

    @cached_property
    def _profile(self) -> Array:
        return Spline(np.array(self.sections))(np.linspace(0.0, 1.0, 600))

    def front(self, x: ArrayLike, y: ArrayLike) -> Array:
        """Z of the smooth face (without the nose) at X and Y, arrays of one shape."""
        profile = self._profile
        heights = np.asarray(y, dtype=np.float64)
        wide, front, middle = (np.interp(heights, profile[:, 0], profile[:, i]) for i in (1, 2, 3))
        ratio = np.clip(np.abs(x) / np.maximum(wide, 1e-6), 0.0, 0.999)
        result: Array = middle - (middle - front) * (1.0 - ratio**SECTION_POWER) ** (1.0 / SECTION_POWER)
        return result

    def normals(self, positions: Array) -> Array:
        """Ball-like normals (..., 3): cel shading then shows one clean edge instead of every dent."""
        return unit((positions - (0.0, 15.35, 0.45)) / np.array([1.75, 3.0, 1.9]) ** 2)

    def laid(self, xy: Array, lift: float | Array) -> Array:
        """Places (..., 2) of the front view as points (..., 3) lying `lift` units off the face."""
        z = self.front(xy[..., 0], xy[..., 1])
        points = np.concatenate([xy, z[..., None]], -1)
        return points + self.normals(points) * lift

    def picture_uv(self, positions: Array) -> Array:
        """Texture coordinates (..., 2) in the picture of the face."""
        u = positions[..., 0] / PICTURE_SIDE + 0.5
        v = (PICTURE_TOP - positions[..., 1]) / PICTURE_SIDE
        return np.clip(np.stack([u, v], -1), 0.002, 0.998)

    def patch(self, chin_drops: Mapping[str, float]) -> Patch:
        """The head's surface; `chin_drops` gives the shapes that lower the chin, in units."""
        rows = 54
        along = Spline(np.array([0.0, 0.06, 0.2, 0.5, 0.78, 1.0]))(np.linspace(0.0, 1.0, rows))
        y, wide, front, middle, back = (column[:, None] for column in Spline(np.array(self.sections))(along).T)
        span = np.linspace(-1.0, 1.0, 45)
        angle = np.pi / 2 * np.sign(span) * np.abs(span) ** 1.15
        power = 2.0 / SECTION_POWER
        x_front = wide * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** power
        z_front = middle - (middle - front) * np.abs(np.cos(angle)) ** power
        rear = np.linspace(np.pi / 2, 3 * np.pi / 2, 17)[1:-1]
        x = np.concatenate([x_front, wide * np.sin(rear)], axis=1)
        z = np.concatenate([z_front, middle - (back - middle) * np.cos(rear)], axis=1)
        y = np.broadcast_to(y, x.shape)
        facing = z < 0.0
        bridge = np.exp(-((x / 0.11) ** 2)) * np.exp(
            -(np.where(y > self.nose, (y - self.nose) / 0.30, (self.nose - y) / 0.075) ** 2)
        )
        lips = np.exp(-((x / 0.30) ** 2) - ((y - self.mouth) / 0.12) ** 2)
        z = z - facing * (0.15 * bridge + 0.02 * lips)
        points = np.stack([x, y, z], -1)
        plain = sheet(points, self.picture_uv(points), wrap=True)
        round_ = self.normals(points).reshape(-1, 3)
        # Under the jaw the true normals, which put it in shade.
        below = (
            smoothstep(14.35, 13.9, plain.positions[:, 1])[:, None]
            * smoothstep(0.1, -0.5, plain.normals[:, 1])[:, None]
        )
        normals = _smoothed((round_ * (1.0 - below) + plain.normals * below).reshape(points.shape), passes=8).reshape(
            -1, 3
        )
        low = smoothstep(14.5, 13.85, plain.positions[:, 1]) * smoothstep(0.1, -0.7, plain.positions[:, 2])
        down = np.array([0.0, -1.0, 0.0])
        shapes = {name: plain.positions + down * (drop * low)[:, None] for name, drop in chin_drops.items()}
        # The jaw's underside takes its colour from the picture's lowest rows, which is painted as shade.
        behind = (z - np.broadcast_to(middle, z.shape)).reshape(-1)
        under = smoothstep(-0.02, 0.16, behind) * smoothstep(14.6, 14.25, plain.positions[:, 1])
        seen = plain.positions.copy()
        seen[:, 1] += (13.55 - seen[:, 1]) * under
        return replace(plain, normals=normals, uvs=self.picture_uv(seen), shapes=shapes)


def _smoothed(normals: Array, passes: int) -> Array:
    """Normals (rows, columns, 3) of a grid that closes round its columns, each averaged with its neighbours."""
    for _ in range(passes):
        padded = np.concatenate([normals[:1], normals, normals[-1:]])
        beside = np.roll(normals, 1, axis=1) + np.roll(normals, -1, axis=1)
        normals = unit(2.0 * normals + padded[:-2] + padded[2:] + beside)
    return normals


def traced(points: Points | Array, count: int) -> Array:
    """`count` places (count, 2) evenly along the curve through `points`."""
    return curve(np.asarray(points, dtype=np.float64), count)
