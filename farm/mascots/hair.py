"""Hair: a cap on the skull and curved locks that start at the crown."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from farm.mascots.paint import HAIR_INSIDE, HAIR_LONG, HAIR_SHORT, Box, in_box
from farm.mascots.sculpt import Array, Patch, Spline, curve, ribbon, sheet, smoothstep, unit

type Profile = Sequence[float]
"""A factor from root to tip, evenly spaced."""

FRINGE: Profile = (0.3, 0.72, 0.95, 1.02, 0.86, 0.5, 0.01)
LONG: Profile = (0.3, 0.9, 1.0, 1.0, 0.95, 0.62, 0.02)


@dataclass(frozen=True)
class Scalp:
    """The round surface that hair follows; below its middle it falls almost straight."""

    centre: tuple[float, float, float] = (0.0, 15.80, 0.12)
    radii: tuple[float, float, float] = (1.55, 1.62, 1.64)
    crown: float = 24.0
    """Degrees by which the crown lies behind the top."""
    narrowing: float = 0.10

    def at(self, azimuth: ArrayLike, polar: ArrayLike, lift: ArrayLike = 0.0) -> Array:
        """Points (..., 3) at degrees of azimuth (0 in front, 90 at the left ear) and polar angle (0 at the top)."""
        a, p = (np.radians(np.asarray(azimuth, dtype=np.float64)), np.radians(np.asarray(polar, dtype=np.float64)))
        a, p, rise = np.broadcast_arrays(a, p, np.asarray(lift, dtype=np.float64))
        fall = np.maximum(p - np.pi / 2, 0.0)
        level = np.where(p > np.pi / 2, 1.0 - self.narrowing * fall**2, np.sin(p))
        height = np.where(p > np.pi / 2, -fall, np.cos(p))
        x, y, z = self.centre
        rx, ry, rz = self.radii
        return np.stack(
            [x + (rx + rise) * level * np.sin(a), y + (ry + rise) * height, z - (rz + rise) * level * np.cos(a)], -1
        )

    def outward(self, points: Array) -> Array:
        """Directions (n, 3) away from the head; level below the head's middle."""
        away = (points - self.centre) / np.array(self.radii) ** 2
        away[:, 1] = np.maximum(away[:, 1], 0.0)
        return unit(away)

    def sweep(self, azimuth: float, polar: float, count: int, *, turn: float = 0.0, lift: float = 0.0) -> Array:
        """A path (count, 3) from the crown to a place, whose last stretch turns by `turn` degrees of azimuth."""
        tilt = np.radians(self.crown)
        start = np.array([0.0, np.cos(tilt), np.sin(tilt)])
        a, p = np.radians(azimuth), np.radians(min(polar, 90.0))
        end = np.array([np.sin(p) * np.sin(a), np.cos(p), -np.sin(p) * np.cos(a)])
        arc = np.arccos(np.clip(start @ end, -1.0, 1.0))
        beyond = np.radians(max(polar - 90.0, 0.0))
        t = np.linspace(0.03, 1.0, count) * (arc + beyond)
        on_ball = np.minimum(t, arc)[:, None]
        directions = (start * np.sin(arc - on_ball) + end * np.sin(on_ball)) / np.sin(arc)
        theta = np.degrees(np.arccos(np.clip(directions[:, 1], -1.0, 1.0))) + np.degrees(np.maximum(t - arc, 0.0))
        phi = np.degrees(np.arctan2(directions[:, 0], -directions[:, 2]))
        along = np.linspace(0.0, 1.0, count)
        return self.at(phi + turn * along**2.5, theta, lift * np.minimum(1.0, 0.35 + along))


@dataclass(frozen=True)
class Lock:
    """One lock; give its mirror image a negative azimuth, turn and bend."""

    azimuth: float
    polar: float
    """Where it ends on the head, or leaves it for `fall`."""
    half_width: float
    thickness: float = 0.065
    turn: float = 0.0
    lift: float = 0.06
    fall: Sequence[tuple[float, float, float]] = ()
    """Further points in model space, for locks that hang."""
    profile: Profile = FRINGE
    fringe: bool = True
    """Painted as a short lock."""
    column: float = 0.0
    """Where in the hair's texture its strands are taken from, in [0, 1]."""
    facing: tuple[float, float, float] | None = None
    """Where the lower half's flat side looks, when not straight away from the head."""


@dataclass(frozen=True)
class _StrandUV:
    box: Box
    column: float
    width: float
    stretch: Array | None

    def __call__(self, across: Array, along: Array) -> Array:
        span = min(self.width, 0.9)
        left = (self.column % 1.0) * (1.0 - span)
        down = along if self.stretch is None else np.broadcast_to(self.stretch[:, None], along.shape)
        return in_box(self.box, left + span * (0.5 + 0.5 * across), np.clip(down, 0.0, 1.0), inset=0.006)


def lock(scalp: Scalp, spec: Lock, *, count: int = 16) -> Patch:
    """A lock of hair from the crown."""
    path = scalp.sweep(spec.azimuth, spec.polar, 24, turn=spec.turn, lift=spec.lift)
    stretch = None
    if spec.fall:
        head_length = float(np.linalg.norm(np.diff(path, axis=0), axis=1).sum())
        whole = np.concatenate([path[::4], path[-1:], np.array(spec.fall)])
        path = curve(whole, count)
        run = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path, axis=0), axis=1))])
        # On the head the texture advances at one speed for all locks, so that their shine forms one ring.
        on_head = 0.45
        stretch = np.interp(run, [0.0, head_length, run[-1]], [0.0, on_head, 1.0])
    else:
        path = curve(path, count)
    along = np.linspace(0.0, 1.0, count)
    swell = np.maximum(Spline(spec.profile)(along), 0.0)
    flat = np.maximum(Spline([0.35, 0.9, 1.0, 0.95, 0.75, 0.12])(along), 0.02)
    box = HAIR_SHORT if spec.fringe else HAIR_LONG
    outward = scalp.outward(path)
    if spec.facing is not None:
        turned = smoothstep(0.3, 0.6, along)[:, None]
        outward = unit(outward * (1.0 - turned) + unit(np.array(spec.facing)) * turned)
    patch = ribbon(
        path,
        outward,
        spec.half_width * swell,
        spec.thickness * flat,
        _StrandUV(box, spec.column, spec.half_width * 0.5, stretch),
    )
    # Partly the head's own roundness, or every lock would get a dark rim of its own.
    away = scalp.outward(patch.positions)
    front = np.einsum("ij,ij->i", patch.normals, away)[:, None] > -0.1
    return replace(patch, normals=np.where(front, unit(patch.normals + 1.6 * away), patch.normals))


def cap(scalp: Scalp, *, front: float = 52.0, back: float = 118.0, lift: float = 0.0) -> Patch:
    """The hair that lies close to the skull; polar angles of its border in front and behind."""
    columns, rows = 48, 18
    azimuth = np.linspace(-180.0, 180.0, columns, endpoint=False)
    border = front + (back - front) * smoothstep(25.0, 85.0, np.abs(azimuth))
    share = np.linspace(1.0, 0.002, rows)[:, None]
    points = scalp.at(azimuth[None], share * border[None], lift - 0.16 * smoothstep(0.9, 1.0, share))
    v = share * border[None] / 200.0
    u = 0.5 + 0.5 * np.sin(np.radians(azimuth[None]) * 0.5) * np.ones_like(share)
    return sheet(points, in_box(HAIR_LONG, u, v, inset=0.006), wrap=True)


def curtain(levels: Sequence[tuple[float, float, float, float]], *, from_azimuth: float, jag: float = 0.0) -> Patch:
    """The dark inner side of the back hair, from one ear round the back to the other; drawn from both sides.

    `levels` go downwards: height, half width, Z of the sides and Z of the back; `jag` is the depth
    of the points that the lower border ends in.
    """
    columns = 49
    share = np.radians(np.linspace(from_azimuth, 360.0 - from_azimuth, columns))
    across = np.sin(share) / np.sin(share).max()
    behind = np.clip(-np.cos(share), 0.0, 1.0)
    rows = np.array(levels)[::-1, :, None]
    points = np.stack(
        [
            rows[:, 1] * across,
            np.broadcast_to(rows[:, 0], (len(levels), columns)),
            rows[:, 2] + (rows[:, 3] - rows[:, 2]) * behind,
        ],
        -1,
    )
    place = np.arange(columns)
    points[0, :, 1] += jag * np.abs(place % 4 - 2.0) / 2.0 * (0.45 + 0.55 * (place // 4 * 3 % 5) / 4.0)
    down = np.linspace(1.0, 0.0, len(levels))[:, None]
    return sheet(points, in_box(HAIR_INSIDE, np.full(points.shape[:2], 0.5), down))


def strand(path_points: Sequence[tuple[float, float, float]], half_width: float) -> Patch:
    """A free strand through points in model space, tapered towards its tip."""
    path = curve(path_points, 16)
    swell = Spline([0.7, 1.0, 0.9, 0.6, 0.02])(np.linspace(0.0, 1.0, 16))
    outward = np.tile([0.0, 0.3, -1.0], (16, 1))
    uv = _StrandUV(HAIR_SHORT, 0.5, 0.1, np.linspace(0.62, 1.0, 16))
    return ribbon(path, outward, half_width * swell, 0.6 * half_width * swell, uv)


@dataclass(frozen=True)
class CatEar:
    """The left ear of a cat: a bent cone with a hollow."""

    base: tuple[float, float, float]
    tip: tuple[float, float, float]
    half_width: float
    depth: float

    def patches(self, fur: Array, hollow: Array) -> tuple[Patch, Patch]:
        """The ear and the pink of its hollow; `fur` and `hollow` (2, 2) are texture coordinates at base and tip."""
        base, tip = np.array(self.base), np.array(self.tip)
        axis = unit(tip - base)
        side = unit(np.cross(axis, np.array([0.0, 0.0, -1.0])))
        front = np.cross(side, axis) if np.cross(side, axis)[2] < 0.0 else -np.cross(side, axis)
        t = np.linspace(0.0, 1.0, 9)
        middle = base + (tip - base) * t[:, None] + side * (0.10 * self.half_width * np.sin(np.pi * t))[:, None]
        width = self.half_width * (1.0 - t**1.35) ** 0.9 + 0.012
        angle = np.linspace(0.0, 2.0 * np.pi, 14, endpoint=False)
        # The front is flatter than the back.
        bulge = np.where(np.cos(angle) > 0.0, 0.35, 1.0) * np.cos(angle)
        shrink = (1.0 - t**1.5) ** 0.8 * self.depth + 0.01
        points = (
            middle[:, None]
            + side * (width[:, None] * np.sin(angle))[..., None]
            + front * (shrink[:, None] * bulge)[..., None]
        )
        along = fur[0] + (fur[1] - fur[0]) * t[:, None]
        uvs = np.broadcast_to(along[:, None], (*points.shape[:2], 2))
        outer = sheet(points, uvs, wrap=True)
        if np.einsum("ij,ij->", outer.normals, (points - middle[:, None]).reshape(-1, 3)) < 0.0:
            outer = sheet(points, uvs, wrap=True, flip=True)
        across = np.linspace(-1.0, 1.0, 5)
        span = np.linspace(0.0, 0.9, 7)
        lower = 0.10 + 0.80 * span
        place = base + (tip - base) * lower[:, None] + side * (0.10 * self.half_width * np.sin(np.pi * lower))[:, None]
        inner_width = 0.66 * self.half_width * (1.0 - (lower / 0.92) ** 1.35).clip(0.0) ** 0.9
        lift = 0.35 * self.depth * (1.0 - lower**1.5) ** 0.8 + 0.03
        inner = (
            place[:, None]
            + side * (inner_width[:, None] * across)[..., None]
            + front * (lift[:, None] * np.sqrt(1.0 - (0.66 * across) ** 2))[..., None]
        )
        inner_uv = hollow[0] + (hollow[1] - hollow[0]) * np.broadcast_to(span[:, None, None], (*inner.shape[:2], 2))
        pink = sheet(inner, inner_uv)
        if pink.normals.sum(axis=0) @ front < 0.0:
            pink = sheet(inner, inner_uv, flip=True)
        return outer, pink
