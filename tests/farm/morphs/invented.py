"""Invented faces: a few hundred vertices with eyes, brows and lips, morphs that move them, and what is measured of those.

Sizes are those of real characters, in head heights above the neck bone; x is to the character's left, y to its back.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from farm.morphs.annotation import SourceMorph
from farm.morphs.evidence import LEAST_MOVEMENT, MAX_POINTS, Evidence, PictureChange, SideMovement
from farm.morphs.panels import Panel

EYE, BROW, MOUTH = 0.45, 0.55, 0.25
"""Heights of the parts."""
LID = 0.11
"""The way of an upper lid until the eye is shut."""
LEFT, RIGHT, BOTH = (1,), (-1,), (1, -1)
"""Sides that a morph moves, as signs of x."""


def _grid(x0: float, x1: float, z0: float, z1: float, columns: int, rows: int) -> np.ndarray:
    x, z = np.meshgrid(np.linspace(x0, x1, columns), np.linspace(z0, z1, rows))
    return np.stack([x.ravel(), np.full(x.size, -0.33), z.ravel()], 1)


def _ring(height: float, radius: float) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    return np.stack([0.15 + radius * np.cos(angle), np.full(24, -0.32), height + radius * np.sin(angle)], 1)


UPPER_LID = _grid(0.07, 0.23, EYE + 0.03, EYE + 0.06, 17, 4)
LOWER_LID = _grid(0.07, 0.23, EYE - 0.07, EYE - 0.06, 17, 2)
IRIS = _ring(EYE - 0.02, 0.045)
EYEBROW = _grid(0.07, 0.24, BROW - 0.005, BROW + 0.005, 13, 2)
UPPER_LIP = _grid(0.003, 0.05, MOUTH + 0.002, MOUTH + 0.008, 12, 3)
LOWER_LIP = _grid(0.003, 0.05, MOUTH - 0.012, MOUTH - 0.002, 12, 4)

type Shape = list[tuple[np.ndarray, np.ndarray]]
"""Pieces of the left half: (n, 3) resting places and (n, 3) moves."""


def _moved(
    places: np.ndarray, x: np.ndarray | float = 0.0, y: np.ndarray | float = 0.0, z: np.ndarray | float = 0.0
) -> Shape:
    moves = np.zeros_like(places)
    moves[:, 0], moves[:, 1], moves[:, 2] = x, y, z
    return [(places, moves)]


def _across(places: np.ndarray) -> np.ndarray:
    """From -1 at the inner end to 1 at the outer one."""
    x = places[:, 0]
    across: np.ndarray = (x - (x.min() + x.max()) / 2) / (np.ptp(x) / 2)
    return across


def closed(share: float = 1.0) -> Shape:
    """The lid comes down by `share` of its way; the lower one rises a little when it is shut."""
    way = share * LID * (1 - 0.35 * _across(UPPER_LID) ** 2)
    return _moved(UPPER_LID, y=0.005, z=-way) + (_moved(LOWER_LID, z=0.025) if share > 0.9 else [])


def smiling() -> Shape:
    """The eye closes to a ^: the lid comes half-way, the lower one half-way up, both higher in the middle."""
    arch = 1 - _across(UPPER_LID) ** 2
    return _moved(UPPER_LID, y=0.005, z=-0.085 + 0.03 * arch) + _moved(
        LOWER_LID, z=0.02 + 0.04 * (1 - _across(LOWER_LID) ** 2)
    )


def comic() -> Shape:
    """The eye goes into the head, and a drawn one comes out, as なごみ does in many models."""
    return closed() + _moved(IRIS, y=-0.2) + _moved(_ring(EYE, 0.06), y=-0.25)


def wide() -> Shape:
    """The lid rises."""
    return _moved(UPPER_LID, z=0.025 * (1 - 0.3 * _across(UPPER_LID) ** 2)) + _moved(LOWER_LID, z=-0.006)


def small_iris() -> Shape:
    """The iris shrinks to 60 %."""
    middle = np.array([0.15, -0.32, EYE - 0.02])
    return [(IRIS, (middle - IRIS) * 0.4)]


def brow(lift: float = 0.0, tilt: float = 0.0) -> Shape:
    """The brow rises by `lift`, its outer end by `tilt` more than its inner one."""
    return _moved(EYEBROW, z=lift + tilt / 2 * _across(EYEBROW))


def lips(apart: float = 0.0, width: float = 0.0) -> Shape:
    """The lips part by `apart`, and each corner goes outwards by `width`."""
    out = [width * piece[:, 0] / 0.05 for piece in (UPPER_LIP, LOWER_LIP)]
    return _moved(UPPER_LIP, x=out[0], z=0.3 * apart) + _moved(LOWER_LIP, x=out[1], y=0.2 * apart, z=-0.7 * apart)


def measured(shape: Shape, sides: Sequence[int] = BOTH, pixels: tuple[int, int] | None = None) -> Evidence:
    """The evidence of `shape` on `sides`; `pixels` are those that change on the character's left and right."""
    places = np.concatenate([piece for piece, _ in shape])
    moves = np.concatenate([move for _, move in shape])
    mirrored = [(places * (side, 1, 1), moves * (side, 1, 1)) for side in sides]
    rests = np.concatenate([rest for rest, _ in mirrored])
    steps = np.concatenate([step for _, step in mirrored])
    length = np.linalg.norm(steps, axis=1)
    kept = length > LEAST_MOVEMENT
    rests, steps, length = rests[kept], steps[kept], length[kept]
    order = np.argsort(-length, kind="stable")
    order = order[np.linspace(0, len(order) - 1, min(MAX_POINTS, len(order))).round().astype(int)]  # as the farm does
    left, right = pixels or ((200 if 1 in sides else 0), (200 if -1 in sides else 0))
    return Evidence(
        left=_side(rests, steps, rests[:, 0] > 0),
        right=_side(rests, steps, rests[:, 0] < 0),
        points=tuple(tuple(np.concatenate([rests[i], steps[i]]).round(3).tolist()) for i in order),
        picture=PictureChange(count=left + right, picture_left=right, picture_right=left, box=(90, 120, 160, 190)),
    )


def mixed(*parts: tuple[Shape, Sequence[int]]) -> Evidence:
    """The evidence of several shapes at once, each on sides of its own."""
    whole = [
        (places * (side, 1, 1), moves * (side, 1, 1))
        for shape, sides in parts
        for side in sides
        for places, moves in shape
    ]
    return measured(whole, LEFT)


def _side(rests: np.ndarray, steps: np.ndarray, here: np.ndarray) -> SideMovement | None:
    if not here.any():
        return None
    rests, steps = rests[here], steps[here]
    weight = np.linalg.norm(steps, axis=1)
    across = np.abs(rests[:, 0])
    middle = (across.min() + across.max()) / 2
    outer, inner = steps[across >= middle, 2], steps[across < middle, 2]
    return SideMovement(
        vertices=len(rests),
        energy=float((weight**2).sum()),
        centre=tuple(np.average(rests, axis=0, weights=weight).tolist()),
        move=tuple(np.average(steps, axis=0, weights=weight).tolist()),
        up_min=float(steps[:, 2].min()),
        up_max=float(steps[:, 2].max()),
        outer_minus_inner=float(outer.mean() - inner.mean()) if len(outer) and len(inner) else 0.0,
    )


@dataclass
class Invented:
    """A character as it grows, morph by morph."""

    morphs: list[SourceMorph] = field(default_factory=list)
    evidence: dict[int, Evidence] = field(default_factory=dict)

    def add(self, name: str, panel: Panel | None, evidence: Evidence | None, kind: str = "vertex") -> int:
        """Add a morph; its index."""
        index = len(self.morphs)
        self.morphs.append(SourceMorph(name, kind, panel, moved=1))
        if evidence is not None:
            self.evidence[index] = evidence
        return index

    def renamed(self, rename: Callable[[str], str]) -> "Invented":
        """The same with other names."""
        morphs = [SourceMorph(rename(morph.name), morph.kind, morph.panel, morph.moved) for morph in self.morphs]
        return Invented(morphs, dict(self.evidence))


ORDINARY: dict[str, tuple[str, Panel, Shape, Iterable[int]]] = {
    "eye/closed/both": ("まばたき", Panel.EYE, closed(), BOTH),
    "eye/closed/left": ("ウィンク2", Panel.EYE, closed(), LEFT),
    "eye/closed/right": ("ウィンク2右", Panel.EYE, closed(), RIGHT),
    "eye/wide/both": ("びっくり", Panel.EYE, wide(), BOTH),
    "eye/half_closed/both": ("じと目", Panel.EYE, closed(0.45), BOTH),
    "eyebrow/raised/both": ("上", Panel.EYEBROW, brow(0.04), BOTH),
    "eyebrow/raised/left": ("上左", Panel.EYEBROW, brow(0.04), LEFT),
    "eyebrow/raised/right": ("上右", Panel.EYEBROW, brow(0.04), RIGHT),
    "eyebrow/lowered/both": ("下", Panel.EYEBROW, brow(-0.035), BOTH),
    "eyebrow/lowered/left": ("下左", Panel.EYEBROW, brow(-0.035), LEFT),
    "eyebrow/lowered/right": ("下右", Panel.EYEBROW, brow(-0.035), RIGHT),
    "eyebrow/angry/both": ("怒り", Panel.EYEBROW, brow(-0.015, 0.05), BOTH),
    "eyebrow/angry/left": ("怒り左", Panel.EYEBROW, brow(-0.015, 0.05), LEFT),
    "eyebrow/angry/right": ("怒り右", Panel.EYEBROW, brow(-0.015, 0.05), RIGHT),
    "mouth/a": ("あ", Panel.MOUTH, lips(0.07, 0.004), BOTH),
    "mouth/i": ("い", Panel.MOUTH, lips(0.02, 0.012), BOTH),
    "mouth/u": ("う", Panel.MOUTH, lips(0.02, -0.02), BOTH),
    "mouth/e": ("え", Panel.MOUTH, lips(0.04, 0.006), BOTH),
    "mouth/o": ("お", Panel.MOUTH, lips(0.06, -0.012), BOTH),
}
"""What a well-made character has: target to name, panel, shape and sides."""


def ordinary(without: Iterable[str] = ()) -> Invented:
    """A character whose names are all true, in the order of `ORDINARY`."""
    character = Invented()
    for target, (name, panel, shape, sides) in ORDINARY.items():
        if target not in without:
            character.add(name, panel, measured(shape, tuple(sides)))
    return character
