"""The eyes, with the shapes that their morphs need. The left one is built; the right one is its mirror image.

An eye's opening is whatever its two lids leave free, which is why lids, not eyeballs, carry most shapes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from farm.mascots import paint
from farm.mascots.paint import in_box
from farm.mascots.sculpt import Array, Patch, Spline, joined, sheet
from farm.mascots.skull import Points, Skull, traced


@dataclass(frozen=True)
class EyeShape:
    """The left eye in the front view; points are relative to `centre`, first towards the nose, Y up."""

    centre: tuple[float, float]
    upper: Points
    lower: Points
    closed: Points
    happy: Points
    half: Points
    wide_by: float
    """How far the upper lid rises for the wide eye."""
    iris: tuple[float, float, float, float]
    """Centre X and Y, half width, half height."""
    lash_thickness: float
    wing: tuple[float, float]
    """How far the lash line runs on past the outer corner."""
    spikes: Sequence[tuple[float, float, float, float]]
    """Single lashes: place along the line in [0, 1], length, direction in degrees from +X towards +Y, half width."""
    count: int = 33


class Eye:
    """Builds the patches of the left eye; every patch is mirrored for the right one."""

    SHAPES = ("wide", "half", "closed", "happy")

    def __init__(self, skull: Skull, shape: EyeShape) -> None:
        self.skull = skull
        self.shape = shape
        n = shape.count
        self._centre = np.array(shape.centre)
        upper, lower = traced(shape.upper, n), traced(shape.lower, n)
        along = np.linspace(0.0, 1.0, n)
        arch = np.sin(np.pi * along)[:, None]
        closed, happy = traced(shape.closed, n), traced(shape.happy, n)
        self.lids: dict[str, tuple[Array, Array]] = {
            "rest": (upper, lower),
            "wide": (upper + arch * (0.0, shape.wide_by), lower - arch * (0.0, 0.3 * shape.wide_by)),
            "half": (traced(shape.half, n), lower),
            "closed": (closed, closed),
            "happy": (happy, happy),
        }
        """Shape to the edges of the upper and the lower lid, (n, 2) each, relative to the centre."""
        wide_upper, wide_lower = self.lids["wide"]
        away = np.stack([-np.cos(np.pi * along), np.zeros(n)], -1) * 0.10
        self._socket = (wide_upper + away + arch * (0.0, 0.07), wide_lower + away - arch * (0.0, 0.07))

    def _laid(self, xy: Array, lift: float | Array) -> Array:
        return self.skull.laid(xy + self._centre, lift)

    def _patch(self, make: Mapping[str, Array], uvs: Array, *, lift: float) -> Patch:
        """A grid patch from its front-view points (rows, columns, 2) by shape, rows going up."""
        # Half way through a morph a vertex lies on the chord, inside the round face: what moves far ends further out.
        points = {
            name: self._laid(xy, lift + 0.13 * ((xy - make["rest"]) ** 2).sum(axis=-1)[..., None])
            for name, xy in make.items()
        }
        rest = points.pop("rest")
        patch = sheet(rest, uvs, normals=self.skull.normals(rest))
        return replace(patch, shapes={name: moved.reshape(-1, 3) for name, moved in points.items()})

    @staticmethod
    def _between(low: Array, high: Array, rows: int) -> Array:
        t = np.linspace(0.0, 1.0, rows)[:, None, None]
        return low * (1.0 - t) + high * t

    def white(self) -> Patch:
        """The white, larger than any opening."""
        (upper, lower), (top, bottom) = self.lids["wide"], self._socket
        grid = self._between(lower * 0.45 + bottom * 0.55, upper * 0.45 + top * 0.55, 9)
        size = np.abs(grid).max(axis=(0, 1))
        uvs = in_box(paint.WHITE, 0.5 + 0.5 * grid[..., 0] / size[0], 0.5 - 0.5 * grid[..., 1] / size[1])
        return self._patch({"rest": grid}, uvs, lift=0.010)

    def iris(self) -> Patch:
        """The iris as a round sheet; in wide eyes it shrinks, as it does in cartoons."""
        x, y, half_width, half_height = self.shape.iris
        angle = np.linspace(0.0, 2.0 * np.pi, 41)
        radius = np.linspace(1.0, 0.0, 8)[:, None]
        disc = np.stack([radius * -np.sin(angle), radius * np.cos(angle)], -1)
        uvs = in_box(paint.IRIS, 0.5 + 0.455 * disc[..., 0], 0.5 - 0.455 * disc[..., 1], inset=0.0)
        size, middle = np.array([half_width, half_height]), np.array([x, y])
        return self._patch(
            {"rest": middle + disc * size, "wide": middle + disc * size * 0.88 + (0.0, 0.01)}, uvs, lift=0.018
        )

    def shade(self) -> Patch:
        """The upper lid's soft shadow on the eye."""
        make = {}
        for name, (upper, lower) in self.lids.items():
            high = upper[1:-1]
            depth = np.minimum(0.17, 0.8 * np.maximum(high[:, 1] - lower[1:-1, 1], 0.0))
            make[name] = self._between(high - np.stack([np.zeros_like(depth), depth], -1), high + (0.0, 0.01), 4)
        rows, columns, _ = make["rest"].shape
        down = np.linspace(1.0, 0.0, rows)[:, None]
        uvs = in_box(paint.SHADE, np.broadcast_to(np.linspace(0.0, 1.0, columns), (rows, columns)), down)
        return self._patch(make, uvs, lift=0.024)

    def skin(self) -> Patch:
        """Both lids: skin between the socket's fixed border and the moving edges."""
        top, bottom = self._socket
        upper = self._patch(
            {name: self._between(high, top, 5) for name, (high, _) in self.lids.items()},
            self.skull.picture_uv(self._laid(self._between(self.lids["rest"][0], top, 5), 0.0)),
            lift=0.030,
        )
        lower = self._patch(
            {name: self._between(bottom, low, 4) for name, (_, low) in self.lids.items()},
            self.skull.picture_uv(self._laid(self._between(bottom, self.lids["rest"][1], 4), 0.0)),
            lift=0.030,
        )
        both = joined([upper, lower])
        shapes = {name: np.concatenate([upper.shapes[name], lower.shapes[name]]) for name in self.SHAPES}
        return replace(both, shapes=shapes, edge=None)

    def _lash_line(self, name: str) -> tuple[Array, Array]:
        """The upper lash line in one shape: its middle (k, 2) and its thickness (k,)."""
        upper, _ = self.lids[name]
        wing = np.array(self.shape.wing)
        if name in ("closed", "half"):
            wing = wing * (1.0, 0.1) - (0.0, 0.02)
        if name == "happy":
            wing = wing * (0.8, -0.5)
        end = upper[-1]
        tail = np.stack([end + wing * t for t in (0.35, 0.7, 1.0)])
        line = traced(np.concatenate([upper[::2], tail]), self.shape.count)
        along = np.linspace(0.0, 1.0, len(line))
        swell = Spline([0.12, 0.55, 0.88, 1.0, 1.08, 0.78, 0.05])(along)
        factor = {"closed": 0.82, "half": 1.1, "happy": 0.95}.get(name, 1.0)
        return line, self.shape.lash_thickness * factor * swell

    def lashes(self) -> Patch:
        """Upper line with its wing, single lashes, and the thin lower line."""
        pieces = [self._upper_lashes(), *(self._spike(*spike) for spike in self.shape.spikes), self._lower_lashes()]
        both = joined(pieces)
        shapes = {name: np.concatenate([piece.shapes[name] for piece in pieces]) for name in self.SHAPES}
        return replace(both, shapes=shapes, edge=None)

    @staticmethod
    def _upward(line: Array) -> Array:
        tangent = np.gradient(line, axis=0)
        tangent /= np.maximum(np.linalg.norm(tangent, axis=1, keepdims=True), 1e-9)
        return np.stack([-tangent[:, 1], tangent[:, 0]], -1)

    def _upper_lashes(self) -> Patch:
        make = {}
        for name in self.lids:
            line, thickness = self._lash_line(name)
            up = self._upward(line)
            levels = np.array([-0.3, 0.2, 0.7])[:, None, None]
            make[name] = line + up * thickness[:, None] * levels
        columns = np.linspace(0.0, 1.0, self.shape.count)
        uvs = in_box(paint.LASH, *np.meshgrid(columns, np.linspace(1.0, 0.0, 3)))
        return self._patch(make, uvs, lift=0.062)

    def _spike(self, place: float, length: float, degrees: float, half_width: float) -> Patch:
        make = {}
        for name in self.lids:
            line, _ = self._lash_line(name)
            # In narrow eyes the lashes sit nearer the outer corner and point further down.
            shift, turn = {
                "closed": (0.09, -42.0),
                "half": (0.04, -16.0),
                "happy": (0.04, -42.0),
                "wide": (0.0, 4.0),
            }.get(name, (0.0, 0.0))
            at = round((place + shift) * (len(line) - 1))
            angle = np.radians(degrees + turn)
            direction, across = (np.array([np.cos(angle), np.sin(angle)]), np.array([-np.sin(angle), np.cos(angle)]))
            size = 0.75 if name in ("closed", "happy") else 1.0
            t = np.linspace(0.0, 1.0, 7)[:, None]
            bow = 0.13 * length * np.sin(np.pi * t) * -across
            middle = line[at] + direction * (size * length * t - 0.02) + bow
            half = size * half_width * (1.0 - t) ** 0.9
            make[name] = np.stack([middle - across * half, middle + across * half], 0)
        uvs = in_box(paint.LASH, np.full((2, 7), 0.8), np.zeros((2, 7)))
        return self._patch(make, uvs, lift=0.060)

    def _lower_lashes(self) -> Patch:
        make = {}
        for name, (_, low) in self.lids.items():
            first = int(self.shape.count * 0.30)
            line = low[first:]
            swell = np.sin(np.pi * np.linspace(0.0, 1.0, len(line)) ** 1.5)
            thickness = self.shape.lash_thickness * 0.22 * swell
            if name in ("closed", "happy"):
                thickness = thickness * 0.3
            levels = np.array([-1.0, 0.0])[:, None, None]
            make[name] = line + self._upward(line) * thickness[:, None] * levels
        rows, columns, _ = make["rest"].shape
        uvs = in_box(paint.LASH, np.broadcast_to(np.linspace(0.1, 0.5, columns), (rows, columns)), np.ones((rows, 1)))
        return self._patch(make, uvs, lift=0.036)

    def fold(self) -> Patch:
        """The line of the double lid."""
        n = self.shape.count
        along = np.linspace(0.0, 1.0, n)
        make = {}
        for name, (upper, _) in self.lids.items():
            rest = self.lids["rest"][0]
            follow = {"rest": 1.0, "wide": 1.0, "half": 0.55, "closed": 0.42, "happy": 0.45}[name]
            line = rest + (upper - rest) * follow + np.sin(np.pi * along)[:, None] * (0.0, 0.03) + (0.0, 0.085)
            line = line[int(n * 0.16) : int(n * 0.9)]
            half = 0.011 * np.sin(np.pi * np.linspace(0.0, 1.0, len(line)))[:, None]
            up = self._upward(line)
            make[name] = np.stack([line - up * half, line + up * half])
        uvs = in_box(paint.LINE, np.full(make["rest"].shape[:2], 0.5), 0.5)
        return self._patch(make, uvs, lift=0.034)
