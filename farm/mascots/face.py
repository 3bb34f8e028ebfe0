"""The head and the face: skull, eyes, brows and mouth, with the shapes that their morphs need.

Eyes, brows and mouth lie as thin sheets on the face, each layer a little further out, so the skull needs no holes. An
eye's opening is whatever its two lids leave free, which is why lids, not eyeballs, carry most shapes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from farm.mascots import paint
from farm.mascots.paint import Colour, in_box
from farm.mascots.sculpt import Array, Patch, Spline, curve, joined, sheet, smoothstep, unit

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


def _sample(points: Points | Array, count: int) -> Array:
    return curve(np.asarray(points, dtype=np.float64), count)


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
        upper, lower = _sample(shape.upper, n), _sample(shape.lower, n)
        along = np.linspace(0.0, 1.0, n)
        arch = np.sin(np.pi * along)[:, None]
        closed, happy = _sample(shape.closed, n), _sample(shape.happy, n)
        self.lids: dict[str, tuple[Array, Array]] = {
            "rest": (upper, lower),
            "wide": (upper + arch * (0.0, shape.wide_by), lower - arch * (0.0, 0.3 * shape.wide_by)),
            "half": (_sample(shape.half, n), lower),
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
        line = _sample(np.concatenate([upper[::2], tail]), self.shape.count)
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


@dataclass(frozen=True)
class BrowShape:
    """The left brow in the front view, from its inner to its outer end."""

    points: Points
    thickness: float
    lift: float = 0.25
    """Brows float in front of the fringe, so that they can always be read."""


def brow(skull: Skull, shape: BrowShape) -> Patch:
    """The left brow with its shapes."""
    n = 17
    along = np.linspace(0.0, 1.0, n)
    line = _sample(shape.points, n)
    arch = np.sin(np.pi * along)
    moves = {
        "rest": np.zeros((n, 2)),
        "raised": np.stack([0.0 * along, 0.17 + 0.06 * arch], -1),
        "lowered": np.stack([-0.02 * (1.0 - along), -0.13 - 0.045 * arch + 0.0 * along], -1),
        "angry": np.stack([-0.08 * (1.0 - along), -0.20 + 0.28 * along - 0.05 * arch], -1),
        "troubled": np.stack([-0.03 * (1.0 - along), 0.15 - 0.25 * along - 0.02 * arch], -1),
        "cheerful": np.stack([0.0 * along, 0.03 + 0.11 * arch], -1),
        "smug": np.stack([0.0 * along, -0.07 + 0.10 * along], -1),
    }
    swell = Spline([0.22, 0.88, 1.0, 0.72, 0.04])(along)[:, None] * shape.thickness
    levels = np.array([-0.5, 0.5])[:, None, None]
    grids = {}
    for name, move in moves.items():
        moved = line + move
        tangent = np.gradient(moved, axis=0)
        up = np.stack([-tangent[:, 1], tangent[:, 0]], -1) / np.linalg.norm(tangent, axis=1, keepdims=True)
        grids[name] = skull.laid(moved + up * swell * levels, shape.lift)
    rest = grids.pop("rest")
    patch = sheet(rest, in_box(paint.BROW, np.full(rest.shape[:2], 0.5), 0.5), normals=skull.normals(rest))
    return replace(patch, shapes={name: grid.reshape(-1, 3) for name, grid in grids.items()})


@dataclass(frozen=True)
class MouthShape:
    """One mouth: half width, then how high the upper and how low the lower lip's middle is, corners, teeth, tongue."""

    half_width: float
    up: float
    down: float
    corner: float = 0.0
    """Height of the corners."""
    teeth: float = 0.0
    """Share of the opening that the upper teeth cover."""
    tongue: float = 0.0
    """Share of the opening that the tongue covers."""
    squareness: float = 2.0
    """Exponent of the lips' arc; above 2 the mouth is boxier."""
    lean: float = 0.0
    """How much higher the character's left corner is, for a smirk."""


@dataclass(frozen=True)
class Mouth:
    """The mouth's place and shapes; "rest" is among them."""

    centre: float
    shapes: Mapping[str, MouthShape]
    line: float = 0.026
    """Half thickness of the lip line."""
    count: int = field(default=25)

    def _lips(self, shape: MouthShape) -> tuple[Array, Array]:
        span = -np.cos(np.linspace(0.0, np.pi, self.count))
        arc = np.maximum(1.0 - np.abs(span) ** shape.squareness, 0.0) ** (1.0 / shape.squareness)
        x = span * shape.half_width
        base = self.centre + shape.corner * np.abs(span) ** 1.6 + shape.lean * span
        round_arc = 0.5 * arc + 0.5 * (1.0 - span**2)
        return np.stack([x, base + shape.up * round_arc], -1), np.stack([x, base - shape.down * round_arc], -1)

    def patches(self, skull: Skull) -> dict[str, Patch]:
        """Inside, tongue, teeth and lip lines."""
        grids: dict[str, dict[str, Array]] = {"inside": {}, "tongue": {}, "teeth": {}, "lips": {}}
        t = np.linspace(0.0, 1.0, 7)[:, None, None]
        span = np.linspace(-1.0, 1.0, self.count)
        for name, shape in self.shapes.items():
            upper, lower = self._lips(shape)
            gap = upper - lower
            grids["inside"][name] = lower + gap * t
            hump = np.clip(1.0 - np.abs(span / 0.86) ** 2.4, 0.0, 1.0)[:, None]
            grids["tongue"][name] = lower + gap * (shape.tongue * hump) * t
            edge = np.clip(1.0 - np.abs(span) ** 5, 0.0, 1.0)[:, None]
            grids["teeth"][name] = upper - gap * (shape.teeth * edge) * (1.0 - t)
            grids["lips"][name] = self._lip_lines(upper, lower, gap)
        lifts = {"inside": 0.034, "tongue": 0.037, "teeth": 0.040, "lips": 0.044}
        boxes = {"inside": paint.MOUTH, "tongue": paint.TONGUE, "teeth": paint.TEETH, "lips": paint.LINE}
        result = {}
        for kind, shapes in grids.items():
            points = {name: skull.laid(xy, lifts[kind]) for name, xy in shapes.items()}
            rest = points.pop("rest")
            rows, columns, _ = rest.shape
            across, up = np.meshgrid(np.linspace(0.0, 1.0, columns), np.linspace(0.0, 1.0, rows))
            patch = sheet(rest, in_box(boxes[kind], across, 1.0 - up), normals=skull.normals(rest))
            if kind == "lips":
                # Two strips in one grid: rows 0 and 1 are the lower line, rows 2 and 3 the upper one.
                line = patch.triangles // columns
                patch = replace(patch, triangles=patch.triangles[(line.min(axis=1) != 1)])
            result[kind] = replace(patch, shapes={name: moved.reshape(-1, 3) for name, moved in points.items()})
        return result

    def _lip_lines(self, upper: Array, lower: Array, gap: Array) -> Array:
        along = np.linspace(-1.0, 1.0, self.count)
        taper = np.clip(1.0 - np.abs(along) ** 2.4, 0.05, 1.0)[:, None] * self.line
        high, low = np.array([0.0, 1.0]), np.array([0.0, -1.0])
        thin = 0.75 * taper
        return np.stack(
            [lower + low * thin, lower + high * 0.2 * thin, upper - high * 0.6 * taper, upper + high * taper]
        )


@dataclass(frozen=True)
class SkinColours:
    """Colours of the skin."""

    base: Colour
    shade: Colour
    blush: Colour
    line: Colour


def face_texture(skull: Skull, eye: EyeShape, colours: SkinColours, fringe: float, size: int = 1024) -> Image.Image:
    """The face from the front: blush, shades of nose, lip and jaw, and the shadow of a fringe that ends at `fringe`."""
    across, down = paint.unit_grid(size, size)
    x, y = (across - 0.5) * PICTURE_SIDE, PICTURE_TOP - down * PICTURE_SIDE

    def blob(cx: float, cy: float, rx: float, ry: float) -> Array:
        result: Array = np.exp(-(((x - cx) / rx) ** 2) - ((y - cy) / ry) ** 2)
        return result

    pixels = np.broadcast_to(np.array(colours.base, dtype=np.float64), (size, size, 3)).copy()
    pixels = paint.mix(pixels, colours.shade, 0.75 * smoothstep(fringe - 0.1, fringe + 0.55, y + 0.10 * np.abs(x)))
    pixels = paint.mix(pixels, colours.shade, 0.30 * smoothstep(0.95, 1.45, np.abs(x) + 0.12 * (15.2 - y)))
    pixels = paint.mix(pixels, colours.shade, 0.25 * smoothstep(13.95, 13.72, y) + 0.75 * smoothstep(13.70, 13.60, y))
    cheek_x, cheek_y = eye.centre[0] + 0.14, eye.centre[1] - 0.64
    for side in (-1.0, 1.0):
        pixels = paint.mix(pixels, colours.blush, 0.55 * blob(side * cheek_x, cheek_y, 0.27, 0.115))
        pixels = paint.mix(pixels, colours.blush, 0.20 * blob(side * eye.centre[0], eye.centre[1] + 0.5, 0.42, 0.12))
    pixels = paint.mix(pixels, colours.blush, 0.25 * blob(0.0, skull.nose, 0.09, 0.08))
    under = skull.nose - 0.055 + 0.35 * np.abs(x - 0.008)
    tip = smoothstep(0.020, 0.004, np.abs(y - under)) * smoothstep(0.055, 0.025, np.abs(x - 0.008))
    pixels = paint.mix(pixels, colours.line, 0.6 * tip)
    pixels = paint.mix(pixels, (255, 252, 248), 0.85 * blob(-0.012, skull.nose + 0.035, 0.022, 0.035))
    pixels = paint.mix(pixels, colours.shade, 0.75 * blob(0.0, skull.mouth - 0.135, 0.10, 0.028))
    return paint.picture(pixels)
