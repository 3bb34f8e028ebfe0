"""Tells what lies in the openings of eyes and mouth from what is about them, by what a closing lid and an opening mouth show.

An eye's part is what is seen through its opening. Whatever moves with the closing lid and stays in sight all the same is a
lash, a lid, or a closed eye that comes out instead: it belongs to the face. A mouth's lips are what is seen above and below
the rest of it while it is open, and of the whole while it is shut.
"""

from dataclasses import dataclass

import numpy as np

from blender_worker.anatomy.figure import STIRS, Figure
from blender_worker.anatomy.lips import opening_target
from blender_worker.anatomy.pieces import Pieces
from blender_worker.anatomy.rays import Floats, Indices, Mask, cast
from farm.labels import Part

_CLOSING = ("eye/closed", "eye/happy")
_RAYS = 64
"""Rays in a row over an eye or a mouth."""
_HIDDEN = 0.5
"""Share of its area that what lies in an opening may show of itself when that closes."""
_SHOWS = 0.1
_MIDDLE = slice(_RAYS * 3 // 8, _RAYS * 5 // 8)
"""The columns that pass through the middle of a mouth."""
_MOSTLY = 0.6
_IN_FRONT, _BEHIND = 0.02, 0.05
"""Head heights before and behind an eye within which something is in it."""


def settle(pieces: Pieces) -> None:
    """Give what the rules for single pieces mistook for eyes, hair or the inside of a mouth its part."""
    _give_back_lids(pieces)
    _take_into_eyes(pieces)
    _tell_lips(pieces)


@dataclass(frozen=True, slots=True)
class _View:
    """What a grid of rays from the front meets first, as pieces; -1 for nothing. (rows, columns), the lowest row first."""

    rest: Indices
    changed: Indices
    x: Floats
    """(columns,)"""
    z: Floats
    """(rows,)"""

    def areas(self, count: int) -> tuple[Indices, Indices]:
        """How many rays meet each of `count` pieces, at rest and changed."""
        rest, changed = (np.bincount(met[met >= 0], minlength=count) for met in (self.rest, self.changed))
        return rest, changed


def _view(pieces: Pieces, chosen: Mask, among: Mask, target: str) -> _View:
    """The pieces `chosen` (k,) as they are seen among other pieces at rest, and with `target` at full weight."""
    figure = pieces.figure
    changed_points = figure.points + figure.move(target)
    own = figure.vertices_of(chosen[pieces.of_triangle])
    both = np.concatenate(
        [figure.points[own], changed_points[own]]
    )  # a mouth that is a slit at rest opens far out of it
    low, high = both.min(axis=0), both.max(axis=0)
    margin = 0.25 * (high - low) + 1e-3
    x, z = (np.linspace(low[i] - margin[i], high[i] + margin[i], _RAYS) for i in (0, 2))
    rays = np.stack(np.meshgrid(x, z), -1).reshape(-1, 2)
    hidden = (among | chosen)[pieces.of_triangle]

    def met(points: Floats, shown: Mask) -> Indices:
        triangle = cast(points, figure.triangles, rays, hidden & shown).triangle
        return np.where(triangle >= 0, pieces.of_triangle[triangle], -1).reshape(_RAYS, _RAYS)

    changed = met(changed_points, figure.shown_with(target))
    return _View(met(figure.points, figure.shown), changed, x, z)


def _skin(pieces: Pieces, figure: Figure, target: str) -> Mask:
    """(k,) the face itself, and lids: what `target` moves most of. Shades and fringes before an eye hide nothing here."""
    face = pieces.part == Part.FACE
    largest = face & (pieces.triangles == pieces.triangles[face].max(initial=0))
    return np.asarray(largest | (face & (pieces.share(figure.effect([target]) > STIRS) > _MOSTLY)))


def _give_back_lids(pieces: Pieces) -> None:
    figure = pieces.figure
    target = next((target for target in _CLOSING if target in figure.targets), None)
    if target is None:
        return
    skin = _skin(pieces, figure, target)
    moved = pieces.share(figure.effect([target]) > STIRS)
    changed = moved > 0.9
    for sign in (1, -1):
        eye = (pieces.part == Part.EYE_LEFT) & (pieces.centre[:, 0] * sign > 0)
        if not eye.any():
            continue
        before, after = _view(pieces, eye, skin, target).areas(pieces.count)
        vanishing = eye & (before > 0) & (after <= _HIDDEN * before)
        if not vanishing.any():
            continue
        stays = (after > _HIDDEN * before) & (after > 0)
        # A thick lash gets thinner as it comes down: where the eye itself rests, what moves and is still seen is a lash.
        if (vanishing & ~changed & (before > _SHOWS * before[eye].sum())).any():
            stays |= after >= _SHOWS * before
        # The border of a lid stays where it is, but what comes out further over the eye is one.
        comes_out = (moved > _MOSTLY) & (after > before)
        pieces.put(eye & (comes_out | (changed & stays)), Part.FACE, "lid")


def _take_into_eyes(pieces: Pieces) -> None:
    """What lies wholly in an eye, such as its lights, is of the eye, whatever it was taken for."""
    free = np.isin(pieces.part, (Part.HAIR, Part.ACCESSORIES)) | ((pieces.part == Part.FACE) & (pieces.rule == "place"))
    free &= pieces.head
    for sign in (1, -1):
        eye = (pieces.part == Part.EYE_LEFT) & (pieces.centre[:, 0] * sign > 0)
        if not eye.any():
            continue
        low, high = pieces.low[eye].min(axis=0), pieces.high[eye].max(axis=0)
        within = free & (pieces.low[:, 1] >= low[1] - _IN_FRONT) & (pieces.high[:, 1] <= high[1] + _BEHIND)
        within &= ((pieces.low >= low) & (pieces.high <= high))[:, [0, 2]].all(axis=1)
        if not within.any():
            continue
        # Most of an eye lies behind lids: what counts is how far it is seen.
        view = _view(pieces, eye, pieces.part == Part.FACE, "")
        rows, columns = np.nonzero((view.rest >= 0) & eye[view.rest])
        if len(rows):
            low, high = (np.array([view.x[edge(columns)], view.z[edge(rows)]]) for edge in (np.min, np.max))
            within &= (pieces.low[:, [0, 2]] >= low).all(axis=1) & (pieces.high[:, [0, 2]] <= high).all(axis=1)
            pieces.put(within, Part.EYE_LEFT, "eye")


def _tell_lips(pieces: Pieces) -> None:
    figure = pieces.figure
    target = opening_target(figure)
    mouth = pieces.part == Part.MOUTH_INSIDE
    if not target or not mouth.any():
        return
    view = _view(pieces, mouth, _skin(pieces, figure, target), target)
    before, after = view.areas(pieces.count)
    if not (mouth & (before <= _SHOWS * after) & (after > 0)).any():
        return  # nothing comes out behind anything: a mouth that is drawn without lips
    edges = []
    for column in view.changed[:, _MIDDLE].T:
        own = column[(column >= 0) & mouth[column]]
        if len(own):
            edges.append((own[0], own[-1]))
    if not edges:
        return
    for edge in np.array(edges).T:
        often = np.bincount(edge, minlength=pieces.count) > _MOSTLY * len(edges)
        pieces.put(mouth & often & (before > 0), Part.LIPS, "lips")
