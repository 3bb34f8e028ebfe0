"""Textures of the mascots, painted with NumPy and Pillow. Colours are sRGB triples in [0, 255]."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image, ImageDraw, ImageFilter

from farm.mascots.sculpt import Array, Spline, smoothstep

type Colour = tuple[int, int, int]
type Box = tuple[float, float, float, float]
"""Left, top, right, bottom as shares of the picture."""


def in_box(box: Box, across: ArrayLike, down: ArrayLike, inset: float = 0.02) -> Array:
    """Texture coordinates of places in a box, `across` and `down` in [0, 1]; keeps off the neighbours by `inset`."""
    left, top, right, bottom = box
    u = left + inset + np.asarray(across, dtype=np.float64) * (right - left - 2.0 * inset)
    v = top + inset + np.asarray(down, dtype=np.float64) * (bottom - top - 2.0 * inset)
    return np.stack(np.broadcast_arrays(u, v), -1)


_BAND = 16
"""Rows of a texture that are mixed at a time: they stay in the processor's cache."""


def mix(base: Array, colour: Colour, share: ArrayLike) -> Array:
    """`base` (..., 3) moved towards `colour` by `share` (...); what is alike along an axis may have length 1 there."""
    amount = np.clip(np.asarray(share, dtype=np.float64), 0.0, 1.0)
    result: Array = np.empty(np.broadcast_shapes(base.shape, (*amount.shape, 3)))
    base, amount = np.broadcast_to(base, result.shape), np.broadcast_to(amount, result.shape[:-1])
    for first in range(0, len(result), _BAND):
        rows = slice(first, first + _BAND)
        for i in range(3):  # NumPy's loops over a last axis of three are twice as slow
            part = base[rows, ..., i]
            result[rows, ..., i] = part + (colour[i] - part) * amount[rows]
    return result


def gradient(stops: Sequence[tuple[float, Colour]], at: ArrayLike) -> Array:
    """Colours (..., 3) at the places `at` between the stops."""
    places = np.array([place for place, _ in stops])
    colours = np.array([colour for _, colour in stops], dtype=np.float64)
    x = np.asarray(at, dtype=np.float64)
    return np.stack([np.interp(x, places, colours[:, i]) for i in range(3)], -1)


def picture(pixels: Array, alpha: Array | None = None) -> Image.Image:
    """Colours (h, w, 3) in [0, 255] and alpha (h, w) in [0, 1] as an image."""
    colours = np.clip(np.rint(pixels), 0, 255).astype(np.uint8)
    if alpha is None:
        return Image.fromarray(colours)
    opacity = np.clip(np.rint(alpha * 255.0), 0, 255).astype(np.uint8)
    return Image.fromarray(np.concatenate([colours, opacity[..., None]], -1))


def unit_grid(width: int, height: int) -> tuple[Array, Array]:
    """Pixel centres as shares of the picture: across (1, w) and down (h, 1), so that what follows from one is as small."""
    across, down = np.meshgrid((np.arange(width) + 0.5) / width, (np.arange(height) + 0.5) / height, sparse=True)
    return across, down


def places_in(box: Box, size: int) -> tuple[tuple[slice, slice], Array, Array]:
    """Where a box lies in a square picture, and its pixel centres as shares of the box: across (1, w) and down (h, 1)."""
    left, top, right, bottom = box
    rows, columns = slice(int(top * size), int(bottom * size)), slice(int(left * size), int(right * size))
    across, down = unit_grid(size, size)
    return (rows, columns), (across[:, columns] - left) / (right - left), (down[rows] - top) / (bottom - top)


def drawn_mask(width: int, height: int, draw: Callable[[ImageDraw.ImageDraw, float], None], blur: float = 0.0) -> Array:
    """What `draw` paints in white, smoothed: (h, w) in [0, 1]. `draw` gets the scale of its 3 times finer canvas."""
    canvas = Image.new("L", (width * 3, height * 3), 0)
    draw(ImageDraw.Draw(canvas), 3.0)
    canvas = canvas.resize((width, height), Image.Resampling.BOX)
    if blur > 0.0:
        canvas = canvas.filter(ImageFilter.GaussianBlur(blur))
    return np.asarray(canvas, dtype=np.float64) / 255.0


# Where the small things of the face lie in the features' texture.
IRIS: Box = (0.0, 0.0, 0.5, 0.5)
WHITE: Box = (0.5, 0.0, 1.0, 0.25)
SHADE: Box = (0.5, 0.25, 1.0, 0.5)
MOUTH: Box = (0.0, 0.5, 0.5, 0.75)
TONGUE: Box = (0.5, 0.5, 0.75, 0.75)
TEETH: Box = (0.75, 0.5, 1.0, 0.75)
LASH: Box = (0.0, 0.75, 0.5, 1.0)
BROW: Box = (0.5, 0.75, 0.75, 1.0)
LINE: Box = (0.75, 0.75, 1.0, 1.0)


@dataclass(frozen=True)
class FeatureColours:
    """Colours of eyes, brows and mouth."""

    iris: Sequence[tuple[float, Colour]]
    """Stops from the top of the iris (0) to its bottom (1)."""
    rim: Colour
    pupil: Colour
    glow: Colour
    lash: Colour
    lash_root: Colour
    """The lash line's colour towards the inner corner."""
    brow: Colour
    line: Colour
    """Lips and lid folds."""


def _iris(colours: FeatureColours, size: int) -> Array:
    across, down = unit_grid(size * 2, size * 2)
    x, y = (across * 2.0 - 1.0) / 0.92, (down * 2.0 - 1.0) / 0.92
    radius = np.hypot(x, y)
    angle = np.arctan2(y, x)
    pixels = gradient(colours.iris, (y + 1.0) / 2.0)
    # Fibres, stronger in the lit lower half.
    fibres = 0.5 + 0.5 * np.cos(angle * 26.0 + 1.7 * np.sin(angle * 5.0))
    lower = smoothstep(-0.1, 0.7, y) * smoothstep(0.4, 0.55, radius) * smoothstep(0.92, 0.8, radius)
    pixels = mix(pixels, colours.glow, 0.28 * fibres * lower)
    crescent = smoothstep(1.0, 0.35, np.hypot(x / 0.66, (y - 0.56) / 0.34))
    pixels = mix(pixels, colours.glow, 0.85 * crescent)
    pixels = mix(pixels, colours.rim, 0.9 * smoothstep(0.78, 0.93, radius))
    pixels = mix(pixels, colours.rim, 0.55 * smoothstep(0.05, -0.75, y))
    pupil = np.hypot(x / 0.33, (y + 0.02) / 0.40)
    pixels = mix(pixels, colours.pupil, smoothstep(1.1, 0.93, pupil))
    ring = smoothstep(0.16, 0.05, np.abs(pupil - 1.42))
    pixels = mix(pixels, colours.rim, 0.25 * ring)
    tilted_x, tilted_y = ((x + 0.36) * 0.94 + (y + 0.44) * 0.34, (y + 0.44) * 0.94 - (x + 0.36) * 0.34)
    pixels = mix(pixels, (255, 255, 255), smoothstep(1.06, 0.94, np.hypot(tilted_x / 0.27, tilted_y / 0.31)))
    pixels = mix(pixels, (255, 255, 255), 0.95 * smoothstep(1.1, 0.9, np.hypot((x - 0.38) / 0.14, (y - 0.40) / 0.15)))
    pixels = mix(pixels, (255, 255, 255), 0.75 * smoothstep(1.15, 0.85, np.hypot((x - 0.16) / 0.07, (y - 0.62) / 0.07)))
    return pixels.reshape(size, 2, size, 2, 3).mean(axis=(1, 3))


def features_texture(colours: FeatureColours, size: int = 1024) -> Image.Image:
    """Eyes, lashes, brows and the inside of the mouth; only the lid's shade is transparent."""
    pixels = np.zeros((size, size, 3))
    alpha = np.ones((size, size))
    place, _, _ = places_in(IRIS, size)
    pixels[place] = _iris(colours, size // 2)
    place, _, v = places_in(WHITE, size)
    pixels[place] = gradient([(0.0, (222, 224, 240)), (0.35, (246, 247, 252)), (1.0, (255, 255, 255))], v)
    place, _, v = places_in(SHADE, size)
    pixels[place] = (96, 74, 120)
    alpha[place] = 0.62 * smoothstep(1.0, 0.0, v)
    place, _, v = places_in(MOUTH, size)
    pixels[place] = gradient([(0.0, (112, 30, 44)), (0.55, (164, 52, 62)), (1.0, (190, 74, 78))], v)
    place, u, v = places_in(TONGUE, size)
    pixels[place] = gradient([(0.0, (246, 150, 148)), (1.0, (226, 112, 116))], v)
    pixels[place] = mix(
        pixels[place], (206, 92, 100), 0.5 * smoothstep(0.06, 0.0, np.abs(u - 0.5)) * smoothstep(0.0, 0.4, v)
    )
    place, _, v = places_in(TEETH, size)
    pixels[place] = gradient([(0.0, (232, 226, 236)), (0.5, (255, 253, 252)), (1.0, (255, 255, 255))], v)
    place, u, v = places_in(LASH, size)
    pixels[place] = gradient([(0.0, colours.lash_root), (0.35, colours.lash), (1.0, colours.lash)], u)
    pixels[place] = mix(pixels[place], colours.lash_root, 0.5 * smoothstep(0.6, 1.0, v))
    place, u, _ = places_in(BROW, size)
    pixels[place] = colours.brow
    place, _, _ = places_in(LINE, size)
    pixels[place] = colours.line
    return picture(pixels, alpha)


@dataclass(frozen=True)
class HairColours:
    """Colours of the hair, from the root (0) to the tip (1)."""

    long: Sequence[tuple[float, Colour]]
    short: Sequence[tuple[float, Colour]]
    shine: Colour
    line: Colour
    """Lines between strands."""
    inside: Sequence[tuple[float, Colour]]


# Locks of the fringe are short, so that their shine sits elsewhere along them than on long ones.
HAIR_SHORT: Box = (0.0, 0.0, 0.45, 1.0)
HAIR_LONG: Box = (0.45, 0.0, 0.9, 1.0)
HAIR_INSIDE: Box = (0.9, 0.0, 1.0, 1.0)


def _noise(count: int, points: int, random: np.random.Generator) -> Array:
    return Spline(random.uniform(-1.0, 1.0, points))(np.linspace(0.0, 1.0, count))


def hair_texture(colours: HairColours, seed: int, size: int = 1024) -> Image.Image:
    """Strands running down the picture, with a jagged band of shine."""
    random = np.random.default_rng(seed)
    pixels = np.zeros((size, size, 3))
    pixels[:] = gradient(colours.inside, np.linspace(0.0, 1.0, size))[:, None]
    for box, stops, shine_at, spread in (
        (HAIR_SHORT, colours.short, 0.5, 0.085),
        (HAIR_LONG, colours.long, 0.235, 0.042),
    ):
        left, right = int(box[0] * size), int(box[2] * size)
        width = right - left
        _, v = unit_grid(width, size)
        warp = _noise(size, 5, random)[:, None] * 0.004
        columns = np.clip((np.linspace(0.0, 1.0, width)[None] + warp) * (width - 1), 0, width - 1).astype(int)
        fine = (_noise(width, 90, random) * 0.6 + _noise(width, 34, random) * 0.7)[columns]
        broad = _noise(width, 14, random)[columns]
        panel = gradient(stops, v + 0.03 * broad + 0.02 * fine)
        panel = panel * (1.0 + 0.035 * fine + 0.03 * broad)[..., None]
        # The shine: a band with teeth, its lower edge longer than the upper one.
        distance = v - shine_at - 0.022 * broad
        up, low = spread * (0.75 + 0.35 * fine), spread * (0.95 + 0.75 * fine)
        band = smoothstep(
            1.0, 0.55, np.where(distance < 0.0, -distance / np.maximum(up, 0.01), distance / np.maximum(low, 0.01))
        )
        panel = mix(panel, colours.shine, 0.62 * band)
        echo = smoothstep(1.0, 0.2, np.abs(distance - spread * 2.1) / (spread * 0.5))
        panel = mix(panel, colours.shine, 0.16 * echo * smoothstep(0.0, 0.8, fine))
        starts = [(x, random.uniform(-0.1, 0.75), random.uniform(0.2, 0.5)) for x in random.uniform(0, width, 46)]

        def strands(draw: ImageDraw.ImageDraw, scale: float, lines: list[tuple[float, float, float]] = starts) -> None:
            for x, top, length in lines:
                ends = [(x * scale, top * size * scale), ((x + 3.0) * scale, (top + length) * size * scale)]
                draw.line(ends, fill=255, width=int(1.5 * scale))

        lines = drawn_mask(width, size, strands, blur=0.7) * smoothstep(1.0, 0.3, band)
        panel = mix(panel, colours.line, 0.24 * lines)
        pixels[:, left:right] = panel
    return picture(pixels)
