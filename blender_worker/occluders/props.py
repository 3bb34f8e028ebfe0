"""The props, each made to the measures of one head. Lengths are head heights."""

from collections.abc import Callable, Mapping

import numpy as np

from blender_worker.anatomy.rays import Floats
from blender_worker.occluders.fit import Fit
from blender_worker.occluders.shapes import Shape, disc, joined, sheet, tube
from farm.occluders import OccluderName

_FRAME, _LENS = (0.16, 0.14, 0.18), (0.07, 0.06, 0.09)
_CLOTH, _WOOL = (0.90, 0.94, 0.97), (0.72, 0.16, 0.20)
_CLEAR = 0.025
"""How far before the skin something is worn."""
_RIM, _TEMPLE, _LOOP = 0.012, 0.009, 0.011
"""Radii of the tubes."""
_NARROWEST = 0.08
"""Half the width of what is put about a chin: a face that is narrower there is none."""
_PEAK = 0.25
"""How broad a mask's peak over the nose is, as a share of the mask."""
_CORNERS = 32
"""Of a rim."""
_EAR = 0.02
"""How far behind the neck bone ears are: temples and loops end there, under hair."""
_AROUND, _BACK, _SAG = 40, 0.16, 0.06
"""Corners of a scarf's round, how far it reaches behind the neck, and how much lower it is at the sides."""
_ROLLS = (
    (0.72, 0.84), (0.80, 0.96), (0.91, 1.0), (1.0, 0.93), (1.03, 0.8), (1.0, 0.68), (0.93, 0.6),
    (0.95, 0.57), (1.08, 0.5), (1.16, 0.36), (1.15, 0.2), (1.05, 0.06), (0.88, 0.0), (0.7, 0.06),
)  # fmt: skip
"""A scarf that is wound twice, from its inner edge over the top and down outside: shares of the way out and of the height."""
_SIDES = ((1.0, "left"), (-1.0, "right"))


def _rims(fit: Fit) -> dict[float, tuple[Floats, float, float]] | None:
    """By side: the middle (x, z) of an eye's rim, and half its width and height; None for a face without two eyes."""
    found = {}
    for sign, side in _SIDES:
        marks = [fit.marks.get(f"eye_{side}_{place}") for place in ("inner", "outer", "top", "bottom")]
        inner, outer, top, bottom = marks
        if inner is None or outer is None or top is None or bottom is None:
            return None
        middle = np.array([(inner[0] + outer[0]) / 2, (top[2] + bottom[2]) / 2])
        wide = abs(float(outer[0] - inner[0])) / 2
        high = abs(float(top[2] - bottom[2])) / 2
        # Beyond lids and lashes, and no more than what leaves room for a bridge.
        wide = min(max(1.3 * wide, 0.8 * high) + 0.02, abs(float(middle[0]) - fit.middle) - 2 * _RIM)
        found[sign] = middle, wide, min(max(1.15 * high + 0.015, 0.75 * wide), 1.2 * wide)
    return found if all(wide > _RIM for _, wide, _ in found.values()) else None


def _glasses(fit: Fit, lenses: bool) -> list[Shape]:
    rims = _rims(fit)
    if rims is None:
        return []
    low = min(float(middle[1]) - high for middle, _, high in rims.values())
    top = max(float(middle[1]) + high for middle, _, high in rims.values())

    def before(x: Floats) -> Floats:
        return fit.ahead(x, low, top) - _CLEAR - _RIM

    frame, glass = [], []
    angle = np.arange(_CORNERS) * 2 * np.pi / _CORNERS
    for sign, (middle, wide, high) in rims.items():
        # A squarish round: between an ellipse and its box.
        x, z = (np.sign(f) * np.abs(f) ** 0.75 for f in (np.cos(angle), np.sin(angle)))
        x, z = middle[0] + wide * x, middle[1] + high * z
        rim = np.column_stack([x, before(x), z])
        frame.append(tube(rim, _RIM, _FRAME, closed=True))
        if lenses:
            centre = np.array([middle[0], float(before(middle[:1])[0]) - _RIM / 2, middle[1]])
            glass.append(disc(rim, centre, _LENS))
        frame.append(_temple(fit, rim[np.argmax(sign * rim[:, 0])], sign, (float(middle[1]), top)))
    (one, wide, high), (other, wider, _) = rims[1.0], rims[-1.0]
    x = np.linspace(other[0] + wider, one[0] - wide, 7)
    height = (one[1] + other[1]) / 2 + 0.3 * high + 0.02 * (1 - np.linspace(-1, 1, 7) ** 2)
    frame.append(tube(np.column_stack([x, before(x), height]), _RIM, _FRAME))
    return [joined(frame), *([joined(glass)] if glass else [])]


def _temple(fit: Fit, start: Floats, sign: float, band: tuple[float, float]) -> Shape:
    """From the rim along the head's side to the ear."""
    y = np.linspace(start[1], max(_EAR, start[1] + 0.1), 9)
    straight = np.linspace(sign * (start[0] - fit.middle), 0.0, 9)
    out = np.maximum(np.maximum(fit.beside(y, *band) + _TEMPLE, straight), sign * (start[0] - fit.middle))
    out[0] = sign * (start[0] - fit.middle)
    line = np.column_stack([fit.middle + sign * out, y, np.full(9, start[2])])
    return tube(line, _TEMPLE, _FRAME)


def _mask(fit: Fit) -> list[Shape]:
    if fit.mouth is None or (chin := _chin(fit)) is None:
        return []
    mouth, middle = fit.mouth, fit.middle
    nose = fit.marks.get("nose")
    eyes = [fit.marks[name][2] for name in ("eye_left_bottom", "eye_right_bottom") if name in fit.marks]
    top = peak = float(nose[2]) + 0.05 if nose is not None and nose[2] > mouth[2] else float(mouth[2]) + 0.08
    if eyes:  # under the lids; between the eyes it goes up over the nose, wherever that is
        top = min(max(top, float(mouth[2]) + 0.04), max(min(eyes) - 0.01, float(mouth[2]) + 0.03))
    bottom = chin - 0.03
    across = np.linspace(-1, 1, 25)
    rows, grid = 13, []
    wide = 0.92 * fit.width(float(mouth[2]) - 0.02, float(mouth[2]) + 0.02)
    if wide < _NARROWEST:
        return []
    for share in np.linspace(0, 1, rows):
        upper = top - 0.035 * across**2 + max(peak - top, 0.0) * np.exp(-((across / _PEAK) ** 2))
        lower = bottom + (float(mouth[2]) - 0.02 - bottom) * 0.75 * across**2
        grid.append(np.column_stack([middle + wide * across, np.zeros(len(across)), upper + (lower - upper) * share]))
    cloth = np.array(grid)
    # One convex curve for all of a row's surroundings, and none that goes back more steeply than cloth hangs.
    for row in cloth:
        row[:, 1] = fit.ahead(row[:, 0], float(row[:, 2].min()), float(row[:, 2].max())) - _CLEAR
    for number in range(1, rows):
        above = cloth[number - 1, :, 1]
        cloth[number, :, 1] = np.minimum(
            cloth[number, :, 1], above + 0.6 * (cloth[number - 1, :, 2] - cloth[number, :, 2])
        )
    loops = []
    for sign, edge in ((-1.0, cloth[:, 0]), (1.0, cloth[:, -1])):
        for corner in (edge[0], edge[-1]):
            loops.append(_loop(fit, corner, sign))
    return [sheet(cloth, _CLOTH, double_sided=True), joined(loops)]


def _loop(fit: Fit, start: Floats, sign: float) -> Shape:
    """From a corner of the mask along the cheek to the ear."""
    share = np.linspace(0, 1, 9)
    y = start[1] + (max(_EAR, start[1] + 0.1) - start[1]) * share
    ear = max(float(start[2]), float(fit.mouth[2]) + 0.1 if fit.mouth is not None else 0.0)
    z = start[2] + (ear - start[2]) * share
    here = sign * (start[0] - fit.middle)
    out = np.maximum(fit.beside(y, float(z.min()) - 0.05, float(z.max()) + 0.05) + _LOOP, here)
    out[0] = here
    return tube(np.column_stack([fit.middle + sign * out, y, z]), _LOOP, _CLOTH)


def _chin(fit: Fit) -> float | None:
    """The height of the chin; where it shows none, as far under the mouth as it usually is."""
    if "chin" in fit.marks:
        return float(fit.marks["chin"][2])
    return None if fit.mouth is None else float(fit.mouth[2]) - 0.12


def _scarf(fit: Fit) -> list[Shape]:
    chin = _chin(fit)
    if chin is None:
        return []
    over = float(fit.mouth[2]) if fit.mouth is not None else chin + 0.1
    top, bottom = chin + 0.45 * (over - chin), min(chin - 0.32, -0.12)
    front = fit.neck_depth - float(fit.ahead(np.array([fit.middle]), chin - 0.02, top)[0]) + 0.04
    wide = fit.width(chin, over) + 0.06
    if wide < _NARROWEST:
        return []
    turn = np.arange(_AROUND) * 2 * np.pi / _AROUND
    x, y = np.sin(turn), -np.cos(turn)
    rows = []
    for out, high in _ROLLS:
        depth = fit.neck_depth + out * np.where(y < 0, front, _BACK) * y
        # Lower at the sides and behind, as it lies on shoulders.
        height = bottom + high * (top - bottom) - _SAG * high * (1 + y)
        rows.append(np.column_stack([fit.middle + out * wide * x, depth, height]))
    held = np.array([high for _, high in _ROLLS])
    return [sheet(np.array(rows), _WOOL, held, closed=(False, True), double_sided=True)]


PROPS: Mapping[OccluderName, Callable[[Fit], list[Shape]]] = {
    OccluderName.GLASSES: lambda fit: _glasses(fit, lenses=False),
    OccluderName.SUNGLASSES: lambda fit: _glasses(fit, lenses=True),
    OccluderName.MASK: _mask,
    OccluderName.SCARF: _scarf,
}
"""What makes each: nothing for a head that lacks what it goes by."""
