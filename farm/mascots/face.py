"""Brows, mouth and skin of the face, with the shapes that their morphs need.

Eyes, brows and mouth lie as thin sheets on the face, each layer a little further out, so the skull needs no holes.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from PIL import Image

from farm.mascots import paint
from farm.mascots.eye import EyeShape
from farm.mascots.paint import Colour, in_box
from farm.mascots.sculpt import Array, Patch, Spline, sheet, smoothstep
from farm.mascots.skull import PICTURE_SIDE, PICTURE_TOP, Points, Skull, traced


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
    line = traced(shape.points, n)
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

    pixels = np.array(colours.base, dtype=np.float64)[None, None]
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
