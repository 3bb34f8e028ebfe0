"""A head, measured for what it is to wear. Lengths are head heights from the neck bone's head; no Blender here."""

import numpy as np

from blender_worker.anatomy.rays import Floats, cast
from blender_worker.anatomy.study import Anatomy
from blender_worker.character.actor import Actor
from farm.labels import MOUTH, Part
from farm.models.posing.morphs import ShapeEffect

_FACE = (Part.FACE, Part.EYE_LEFT, Part.EYE_RIGHT, Part.EYEBROW_LEFT, Part.EYEBROW_RIGHT, *MOUTH)
_SEEN = 0.5
"""Alpha under which a surface is not there at rest."""
_STEP = 0.02
_ACROSS, _UP = 0.8, (-0.3, 1.2)
"""How far a face can reach to each side, and up: what is beyond is not measured."""
_STIRS = 0.08
"""How far before the face at rest a morph's vertex may come and still be the face's: lips, lids, a tongue."""
_NOWHERE = np.nan


class Fit:
    """Where a face's surface is, at rest and with any morph, and where its landmarks are."""

    def __init__(self, actor: Actor, anatomy: Anatomy) -> None:
        self._neck = np.nan_to_num(np.array(actor.neck_position, np.float64))
        height = float(actor.head_height)
        self._unit = height if np.isfinite(height) and height > 1e-9 else 1.0
        points = self._measured(actor.rest.positions)
        self.marks: dict[str, Floats] = {
            name: (points[found.vertices] * found.weights[:, None]).sum(axis=0)
            for name, found in anatomy.landmarks.items()
        }
        """(3,) each, of `farm.labels.LANDMARKS` as far as the model has them."""
        triangles = np.concatenate([np.zeros((0, 3), np.int64), *(run.triangles for run in actor.runs)])
        parts = np.concatenate([np.zeros(0, np.uint8), *anatomy.triangles])
        opacity = np.array([look.colour[3] for look in actor.rest.looks] or [1.0])
        lengths = [len(run.triangles) for run in actor.runs]
        surface = np.repeat([run.surface for run in actor.runs] or [0], lengths or [0])
        face = np.isin(parts, _FACE) & (opacity[surface.astype(np.int64)] >= _SEEN)
        self._x = np.arange(-_ACROSS, _ACROSS + _STEP / 2, _STEP)
        self._z = np.arange(*_UP, _STEP)
        rays = np.stack(np.meshgrid(self._x, self._z), -1).reshape(-1, 2)
        self._front = cast(points, triangles, rays, face).depth.reshape(len(self._z), len(self._x))
        """(z, x) the y of what is seen of the face from the front; NaN where nothing is."""
        own = np.unique(triangles[face])
        self._take(points[own], 0.0)
        self._bring_morphs(actor, points, own)
        self._skin = points[own]
        neck = np.unique(triangles[parts == Part.NECK])
        self.neck_depth = float(points[neck, 1].mean()) if len(neck) else 0.0
        """The y of the neck's middle."""

    def _measured(self, positions: np.ndarray) -> Floats:
        return np.asarray(np.nan_to_num((positions - self._neck) / self._unit, nan=0.0).clip(-1e3, 1e3))

    def _bring_morphs(self, actor: Actor, points: Floats, own: np.ndarray) -> None:
        """Let the face reach as far ahead as any morph brings it."""
        of_face = np.zeros(len(points), bool)
        of_face[own] = True
        for number, morph in actor.morphs.items():
            if number in actor.movements:
                continue
            for effect in morph.every():
                if isinstance(effect, ShapeEffect):
                    chosen = of_face[effect.vertices]
                    offsets = np.nan_to_num(effect.offsets[chosen] / self._unit)
                    self._take(points[effect.vertices[chosen]] + offsets, _STIRS)

    def _take(self, points: Floats, reach: float) -> None:
        """Let the face reach as far ahead as these points, but no more than `reach` before what is known of it."""
        column = np.round((points[:, 0] + _ACROSS) / _STEP).astype(np.int64)
        row = np.round((points[:, 2] - _UP[0]) / _STEP).astype(np.int64)
        inside = (column >= 0) & (column < len(self._x)) & (row >= 0) & (row < len(self._z))
        column, row, depth = column[inside], row[inside], points[inside, 1]
        known = self._front[row, column]
        # What lies behind the face, such as the back of the head, has no place in front of it.
        near = (depth < known) & (depth > known - reach)
        flat = row[near] * len(self._x) + column[near]
        np.minimum.at(self._front.reshape(-1), flat, depth[near])

    def front(self, low: float, high: float) -> Floats:
        """(x,) how far ahead the face reaches between two heights, by `across`; NaN where it is not."""
        rows = self._front[(self._z >= low - _STEP) & (self._z <= high + _STEP)]
        if not len(rows):
            return np.full(len(self._x), _NOWHERE)
        ahead = np.where(np.isnan(rows), np.inf, rows).min(axis=0)
        return np.where(np.isinf(ahead), _NOWHERE, ahead)

    def ahead(self, x: Floats, low: float, high: float) -> Floats:
        """The y of a convex curve before all of the face between two heights, at places `x`: what a band lies on.

        It goes on beyond the face as it ends. Nothing is there: 0.
        """
        known = self.front(low, high)
        there = np.flatnonzero(~np.isnan(known))
        if len(there) < 2:
            return np.zeros_like(x)
        hull = _lower_hull(self._x[there], known[there])
        return _extended(x, *hull)

    def beside(self, y: Floats, low: float, high: float) -> Floats:
        """How far from the middle a convex curve about the face's skin between two heights is, at depths `y`."""
        band = self._skin[(self._skin[:, 2] >= low) & (self._skin[:, 2] <= high)]
        if len(band) < 2:
            return np.zeros_like(y)
        depth, slot = np.unique(np.round(band[:, 1] / _STEP) * _STEP, return_inverse=True)
        out = np.zeros(len(depth))
        np.maximum.at(out, slot, np.abs(band[:, 0] - self.middle))
        if len(depth) < 2:
            return np.full_like(y, out[0])
        places, widths = _lower_hull(depth, -out)
        return -np.interp(y, places, widths)

    @property
    def middle(self) -> float:
        """The x of the face's middle."""
        sides = [self.marks[f"eye_{side}_inner"][0] for side in ("left", "right") if f"eye_{side}_inner" in self.marks]
        return float(np.mean(sides)) if len(sides) == 2 else float(self.mouth[0]) if self.mouth is not None else 0.0

    @property
    def mouth(self) -> Floats | None:
        """The mouth's middle."""
        found = [self.marks[name] for name in ("mouth_left", "mouth_right") if name in self.marks]
        return np.asarray(np.mean(found, axis=0)) if found else None

    def width(self, low: float, high: float) -> float:
        """Half of the face's width as seen from the front, between two heights; 0 where it is not."""
        there = np.flatnonzero(~np.isnan(self.front(low, high)))
        return float(np.abs(self._x[there] - self.middle).max()) if len(there) else 0.0


def _lower_hull(x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """The corners of the convex curve under (n,) points in the order of x."""
    kept: list[int] = []
    for number in range(len(x)):
        while len(kept) > 1:
            a, b = kept[-2], kept[-1]
            if (x[b] - x[a]) * (y[number] - y[a]) - (y[b] - y[a]) * (x[number] - x[a]) > 0:
                break
            kept.pop()
        kept.append(number)
    return x[kept], y[kept]


def _extended(x: Floats, places: Floats, values: Floats) -> Floats:
    """`numpy.interp`, going on straight beyond the ends."""
    found = np.interp(x, places, values)
    first, last = ((values[one] - values[two]) / (places[one] - places[two]) for one, two in ((0, 1), (-1, -2)))
    found = np.where(x < places[0], values[0] + first * (x - places[0]), found)
    return np.asarray(np.where(x > places[-1], values[-1] + last * (x - places[-1]), found))
