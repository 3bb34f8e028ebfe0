"""Finds the points of the face that `farm.labels.LANDMARKS` names, on a figure whose parts are known.

Each is a vertex that can be seen from the front at rest, or a point inside a triangle, so that it lies on the surface and
moves with it. What is not found is left out. What hangs in front of the face, hair and accessories, hides nothing here.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.figure import CLOSE, STIRS, Figure
from blender_worker.anatomy.lips import Lips, opening
from blender_worker.anatomy.painted import Painted
from blender_worker.anatomy.part_names import Hint, hint_of
from blender_worker.anatomy.rays import Floats, Hits, Indices, Mask
from blender_worker.character.actor import Actor
from farm.labels import MOUTH, Part

_RIGID = 0.85
"""Share of the neck's rotation that a landmark's vertices take at least."""
_LASHES = re.compile("まつ|睫|マツ|lash|matu?s?uge|アイライン|eye ?line")
_RAYS = 64
"""Rays in a row through an eye."""
_BAND = 0.2
"""Half the share of an eye's or mouth's width in which its middle is looked for."""
_STEP = 0.004
_BELOW_LIPS = 0.04
"""Head heights under the mouth's middle in which the lower lip makes the line go back."""
_CHIN_RECEDES = 0.15
"""Head heights by which the chin's lower edge may lie behind the mouth."""
_NOWHERE = 1e3
_EYES_ABOVE_MOUTH = np.array([0.0, 0.0, 0.22])
"""Head heights; for a face of which only the mouth is known."""
_UNDERSIDE = 1.5
"""The chin ends where the surface goes back this much faster than down."""
_SIDES = {"left": (1.0, Part.EYE_LEFT, "leftEye"), "right": (-1.0, Part.EYE_RIGHT, "rightEye")}
_BROWS = (Part.EYEBROW_LEFT, Part.EYEBROW_RIGHT)
_IN_FRONT = (Part.BACKGROUND, Part.HAIR, Part.ACCESSORIES)


@dataclass(frozen=True, slots=True)
class Landmark:
    """A point that moves with some vertices: their weighted mean position, in any pose."""

    vertices: NDArray[np.int32]
    """(n,)"""
    weights: NDArray[np.float32]
    """(n,) with the sum 1."""


def find_landmarks(
    actor: Actor, figure: Figure, parts: NDArray[np.uint8], lips: Lips, painted: Painted
) -> dict[str, Landmark]:
    """The landmarks that `figure` has, by name.

    `parts` (m,) are its triangles' `Part`s, `lips` the face's own mouth, `painted` what of these is only painted on it.
    """
    return dict(_Finder(actor, figure, parts, lips, painted).all())


class _Finder:
    def __init__(self, actor: Actor, figure: Figure, parts: NDArray[np.uint8], lips: Lips, painted: Painted) -> None:
        self._painted = painted
        self._actor = actor
        self._lips = lips
        self._figure = figure
        self._parts = parts
        self._solid = figure.shown & ~np.isin(parts, _IN_FRONT)
        self._opening = opening(figure)
        self._eyes: list[Floats] = []
        self._mouth: Floats | None = None

    def all(self) -> Iterator[tuple[str, Landmark]]:
        """Every landmark, eyes and mouth first: the others are found by them."""
        for side in _SIDES:
            yield from self._eye(side)
        yield from self._mouth_points()
        for side in _SIDES:
            yield from self._brow(side)
        yield from self._profile()

    def _vertices(self, *parts: Part) -> Indices:
        """The vertices of these parts that follow the head and that nothing hides."""
        figure = self._figure
        chosen = np.flatnonzero(np.isin(self._parts, parts) & figure.shown)
        # A hidden sheet may come to the surface in one vertex: some triangle about it has to be seen as well.
        depth = figure.cast(figure.centres[chosen][:, [0, 2]], self._solid).depth
        found = np.unique(figure.triangles[chosen[~(figure.centres[chosen, 1] > depth + CLOSE)]])
        found = found[figure.turns[found] > _RIGID]
        return np.asarray(found[figure.visible(found, self._solid)])

    def _drawn(self, *parts: Part) -> tuple[list[Landmark], Floats]:
        """Points all over what is painted of these parts on skin, and (n, 3) where they are; none when nothing is."""
        figure = self._figure
        own = self._painted.triangles & np.isin(self._parts, parts)
        if not own.any():
            return [], np.zeros((0, 3))
        points = figure.points[figure.vertices_of(own)][:, [0, 2]]
        x, z = np.linspace(points.min(axis=0), points.max(axis=0), _RAYS).T
        rays = np.stack(np.meshgrid(x, z), -1).reshape(-1, 2)
        hits = figure.cast(rays, self._solid)
        met = np.flatnonzero(own[hits.triangle] & self._painted.drawn(figure, hits) & self._rigid(hits.triangle))
        found = [self._inside(int(hits.triangle[ray]), hits.weights[ray]) for ray in met]
        return found, np.column_stack([rays[met, 0], hits.depth[met], rays[met, 1]])

    def _at(self, vertex: int) -> Landmark:
        return Landmark(np.array([vertex], np.int32), np.ones(1, np.float32))

    def _inside(self, triangle: int, weights: Floats) -> Landmark:
        corners = self._figure.triangles[triangle]
        weights = weights.clip(0, None)
        return Landmark(corners.astype(np.int32), (weights / weights.sum()).astype(np.float32))

    # Eyes

    def _eye(self, side: str) -> Iterator[tuple[str, Landmark]]:
        """An eye's corners and lids, about its opening: where rays from the front meet the ball."""
        figure = self._figure
        sign, part, _ = _SIDES[side]
        ball = self._ball(part)
        if not ball.any():
            return
        points = figure.points[figure.vertices_of(ball)]
        low, high = points.min(axis=0), points.max(axis=0)
        margin = 0.1 * (high - low) + 1e-3
        x, z = (np.linspace(low[i] - margin[i], high[i] + margin[i], _RAYS) for i in (0, 2))
        rays = np.stack(np.meshgrid(x, z), -1).reshape(-1, 2)
        # An eye behind closed lids is an eye all the same.
        for among in (self._solid, self._solid & (self._parts == part)):
            hits = figure.cast(rays, among)
            open_ = (ball[hits.triangle] & self._painted.drawn(figure, hits)).reshape(_RAYS, _RAYS)
            heights = open_.sum(axis=0)
            if heights.any():
                break
        columns = np.flatnonzero(heights > 0.1 * heights.max())
        if not len(columns):
            return
        middle = (columns[0] + columns[-1]) // 2
        middle = columns[np.abs(columns - middle).argmin()]
        inner, outer = (columns[0], columns[-1]) if sign > 0 else (columns[-1], columns[0])
        rows = np.flatnonzero(open_[:, middle])
        self._eyes.append(np.array([x[middle], 0.0, z[rows].mean()]))
        way = 1 if sign > 0 else -1
        places = {
            "inner": (_middle_of(open_[:, inner]), inner, 0, -way),
            "outer": (_middle_of(open_[:, outer]), outer, 0, way),
            "top": (rows[-1], middle, 1, 0),
            "bottom": (rows[0], middle, -1, 0),
        }
        for place, (row, column, up, right) in places.items():
            yield f"eye_{side}_{place}", self._edge(hits, ball, row, column, up, right)
        yield from self._iris(side, ball)

    def _edge(self, hits: Hits, ball: Mask, row: int, column: int, up: int, right: int) -> Landmark:
        """The lid beside the last ray that meets the ball, going `up` and `right` through the grid of rays.

        An eye that lies on the face has no lids: there the ball's own edge moves when the eye closes, and the skin rests.
        """
        inside = row * _RAYS + column
        outside = min(max(row + up, 0), _RAYS - 1) * _RAYS + min(max(column + right, 0), _RAYS - 1)
        lid = hits.triangle[outside]
        is_lid = lid >= 0 and self._parts[lid] in (Part.FACE, Part.EYE_LEFT, Part.EYE_RIGHT) and not ball[lid]
        if not is_lid or not self._rigid(lid):
            return self._inside(int(hits.triangle[inside]), hits.weights[inside])
        chosen = inside if self._closing(hits, inside) > self._closing(hits, outside) + STIRS else outside
        return self._inside(int(hits.triangle[chosen]), hits.weights[chosen])

    def _rigid(self, triangles: Indices | int) -> NDArray[np.bool_]:
        """Whether triangles follow the head as it is."""
        return np.asarray(self._figure.turns[self._figure.triangles[triangles]].min(axis=-1) > _RIGID)

    def _closing(self, hits: Hits, ray: int) -> float:
        """How far the point that a ray meets moves when the eyes close."""
        corners = self._figure.move("eye/closed")[self._figure.triangles[hits.triangle[ray]]]
        return float(np.linalg.norm(hits.weights[ray] @ corners))

    def _ball(self, part: Part) -> Mask:
        """(m,) the triangles of what lies in the eye's opening, without lashes: what no closing lid moves.

        Eyes that close by being squashed move as a whole: there, what does not just go down.
        """
        figure = self._figure
        own = (self._parts == part) & figure.shown
        names = np.array([bool(_LASHES.search(surface.name.casefold())) for surface in self._actor.surfaces], bool)
        if (own & ~names[figure.surface]).any():
            own &= ~names[figure.surface]
        drop = figure.move("eye/closed")[:, 2]
        rows = np.flatnonzero(own)
        component = figure.components[rows]
        for kept, share in ((np.abs(drop) < STIRS, 0.5), (drop > -STIRS, 0.1)):
            total = np.bincount(component, kept[figure.triangles[rows]].mean(axis=1))
            found = np.zeros(len(own), bool)
            found[rows] = (total >= share * np.bincount(component))[component]
            if found.any() and np.ptp(figure.points[figure.vertices_of(found), 0]) > 0.04:
                return found
        return np.asarray(own)

    def _iris(self, side: str, ball: Mask) -> Iterator[tuple[str, Landmark]]:
        """The middle of what the eye's bone holds, of a material named so, or of the eye."""
        figure = self._figure
        _, part, role = _SIDES[side]
        of_part = (self._parts == part) & figure.shown
        by_bone = np.isin(figure.bones, [index for index, bone in enumerate(self._actor.bones) if bone.role == role])
        named = np.array([_names_iris(surface.name) for surface in self._actor.surfaces], bool)
        choices: tuple[Callable[[], Mask], ...] = (
            lambda: of_part & by_bone[figure.triangles].all(axis=1),
            lambda: of_part & named[figure.surface],
        )
        low, high = self._largest(ball)
        middle = (low + high) / 2
        for choice in choices:
            chosen = choice()
            if chosen.any():
                low, high = self._largest(chosen)
                middle = (low + high) / 2
                break
        hits = figure.cast(middle[None, [0, 2]], of_part)
        if hits.triangle[0] >= 0:
            yield f"iris_{side}", self._inside(int(hits.triangle[0]), hits.weights[0])

    def _largest(self, chosen: Mask) -> tuple[Floats, Floats]:
        """The corners of the box of the component of `chosen` that is the largest from the front."""
        rows = np.flatnonzero(chosen)
        _, low, high = self._figure.boxes(rows, self._figure.components[rows])
        largest = (high - low)[:, [0, 2]].prod(axis=1).argmax()
        return low[largest], high[largest]

    # Brows

    def _brow(self, side: str) -> Iterator[tuple[str, Landmark]]:
        sign = _SIDES[side][0]
        figure = self._figure
        drawn, places = self._drawn(_BROWS[0 if sign > 0 else 1])
        if len(drawn):
            yield f"eyebrow_{side}_inner", drawn[(places[:, 0] * sign).argmin()]
            yield f"eyebrow_{side}_outer", drawn[(places[:, 0] * sign).argmax()]
            return
        found = self._vertices(*_BROWS)
        if not len(found):
            found = self._painted_brows()
        found = found[figure.points[found, 0] * sign > 0]
        x = figure.points[found, 0] * sign
        if len(found) > 1 and np.ptp(x) > 0.02:
            yield f"eyebrow_{side}_inner", self._at(int(found[x.argmin()]))
            yield f"eyebrow_{side}_outer", self._at(int(found[x.argmax()]))

    def _painted_brows(self) -> Indices:
        """The skin that the brows' targets move most, above the eyes."""
        figure = self._figure
        found = self._vertices(Part.FACE)
        if not self._eyes or not len(found):
            return np.zeros(0, np.int64)
        reach = figure.reach(target for target in figure.targets if target.startswith("eyebrow/"))
        found = found[figure.points[found, 2] > np.mean(self._eyes, axis=0)[2]]
        if not len(found) or reach[found].max() < 2 * STIRS:
            return np.zeros(0, np.int64)
        return np.asarray(found[reach[found] > 0.6 * reach[found].max()])

    # Mouth

    def _mouth_points(self) -> Iterator[tuple[str, Landmark]]:
        figure, points = self._figure, self._figure.points
        drawn, places = self._drawn(*MOUTH)
        if len(drawn):
            middle = self._mouth = (places.min(axis=0) + places.max(axis=0)) / 2
            band = np.abs(places[:, 0] - middle[0]) <= _BAND * np.ptp(places[:, 0])
            yield "mouth_left", drawn[places[:, 0].argmax()]
            yield "mouth_right", drawn[places[:, 0].argmin()]
            yield "mouth_top", drawn[np.where(band, places[:, 2], -np.inf).argmax()]
            yield "mouth_bottom", drawn[np.where(band, places[:, 2], np.inf).argmin()]
            return
        found = self._lips.edge[figure.turns[self._lips.edge] > _RIGID]
        if not len(found):
            found = self._vertices(*MOUTH)
        if len(found) < 3:
            return
        low, high = points[found].min(axis=0), points[found].max(axis=0)
        self._mouth = (low + high) / 2
        yield "mouth_left", self._at(int(found[points[found, 0].argmax()]))
        yield "mouth_right", self._at(int(found[points[found, 0].argmin()]))
        off = np.abs(points[found, 0] - self._mouth[0])
        band = found[off <= max(_BAND * (high[0] - low[0]), off.min())]
        opened = points[band, 2] + self._opening[band, 2]
        if np.ptp(opened) > 1e-4:
            yield "mouth_top", self._at(int(band[opened.argmax()]))
            yield "mouth_bottom", self._at(int(band[opened.argmin()]))

    # Nose and chin

    def _profile(self) -> Iterator[tuple[str, Landmark]]:
        """Nose and chin, on the line that the middle of the face shows from the side."""
        mouth = self._mouth
        if self._eyes:
            eyes = np.mean(self._eyes, axis=0)
        elif mouth is not None:
            eyes = mouth + _EYES_ABOVE_MOUTH
        else:
            return
        top = eyes[2] - 0.02
        x = mouth[0] if mouth is not None else eyes[0]
        bottom = mouth[2] + 0.15 * (top - mouth[2]) if mouth is not None else top - 0.2
        hits = self._line(x, np.arange(bottom, top, _STEP))
        on_face = np.flatnonzero(
            (self._parts[hits.triangle] == Part.FACE) & (hits.triangle >= 0) & self._rigid(hits.triangle)
        )
        front = on_face[hits.depth[on_face].argmin()] if len(on_face) else 0
        if front > 0:  # a face that is foremost at its mouth has no nose to show
            yield "nose", self._inside(int(hits.triangle[front]), hits.weights[front])
        start = mouth[2] if mouth is not None else bottom
        heights = np.arange(start, start - 0.5, -_STEP)
        hits = self._line(x, heights)
        on_skin = np.isin(self._parts[hits.triangle], (Part.FACE, *MOUTH)) & (hits.triangle >= 0)
        depth = np.where(on_skin, hits.depth, _NOWHERE)
        # The chin ends where the surface falls back to the neck, or where something else begins.
        back = np.append(np.diff(depth), 0.0)
        falls = (back > _UNDERSIDE * _STEP) & ((heights < start - _BELOW_LIPS) | (back > _CHIN_RECEDES))
        ends = np.flatnonzero(falls | (depth > depth[0] + _CHIN_RECEDES))
        chin = int(hits.triangle[ends[0]]) if len(ends) and on_skin[ends[0]] else -1
        if chin >= 0 and self._parts[chin] == Part.FACE and self._rigid(chin):
            yield "chin", self._inside(chin, hits.weights[ends[0]])

    def _line(self, x: float, heights: Floats) -> Hits:
        return self._figure.cast(np.column_stack([np.full(len(heights), x), heights]), self._solid)


def _names_iris(name: str) -> bool:
    return hint_of(name) is Hint.EYE and any(
        word in name.casefold() for word in ("瞳", "iris", "pupil", "虹彩", "黒目")
    )


def _middle_of(open_: Mask) -> int:
    """The middle of what is true in (n,), or what is true nearest to it: strands and lashes cut an opening in two."""
    rows = np.flatnonzero(open_)
    middle = round(float(rows.mean()))
    return middle if open_[middle] else int(rows[np.abs(rows - middle).argmin()])
