"""Finds the inside of a mouth that is one piece with the face, its edge, and the lips along that.

Behind the lips most faces go on as a bag that nothing shows while the mouth is shut: triangles that the face hides, that
hang together with each other, and that the mouth targets move. Other faces have a hole there, whose rim those targets move.
"""

from dataclasses import dataclass

import numpy as np

from blender_worker.anatomy.figure import STIRS, Figure, connected
from blender_worker.anatomy.rays import Floats, Indices, Mask

_OPENING = ("mouth/a", "mouth/o", "mouth/e", "mouth/i", "mouth/u")
"""From the target that opens the mouth most."""
_HIDDEN = 0.002
"""Head heights behind the surface that is seen."""
_BAG = 0.4
"""Head heights; the largest bag behind a mouth."""
_IN_THE_MIDDLE = 0.1
_LIP = 0.03
"""Head heights from the edge to the furthest corner that is still lip: lips of such faces are thin."""
_MOST = 2**11
"""Triangles and points of an edge that are looked at: lips of detailed faces have some hundred."""
_COARSE = 0.12
"""Head heights; a triangle this large is a cheek, even when it touches the mouth."""
_MOSTLY = 0.35
"""Share of the largest movement by which the rim of a mouth moves at least; eyes and cheeks stir with mouths too."""


@dataclass(frozen=True, slots=True)
class Lips:
    """The mouth that is one piece with a face."""

    edge: Indices
    """The vertices along the slit; none when the face has no mouth of its own."""
    lips: Mask
    """(m,)"""
    inside: Mask
    """(m,)"""


def opening_target(figure: Figure) -> str:
    """The target that opens the figure's mouth most; empty when it has none."""
    return next((target for target in _OPENING if target in figure.targets), "")


def opening(figure: Figure) -> Floats:
    """(n, 3) how the widest mouth that the figure has moves each vertex; zero when it has none."""
    return figure.move(opening_target(figure))


def find_lips(figure: Figure, face: Mask) -> Lips:
    """The mouth in the triangles `face` (m,)."""
    reach = figure.reach(target for target in figure.targets if target.startswith("mouth/"))
    inside = np.zeros(len(face), bool)
    edge = np.zeros(0, np.int64)
    if face.any() and reach[figure.triangles[face]].max() > STIRS:
        inside = _bag(figure, face, reach)
        edge = _between(figure, inside, face & ~inside) if inside.any() else _rim(figure, face, reach)
    return Lips(edge, _along(figure, face & ~inside, edge), inside)


def _bag(figure: Figure, face: Mask, reach: Floats) -> Mask:
    """(m,) the triangles of `face` that it hides behind a slit."""
    moved = figure.centres[face & (reach[figure.triangles].min(axis=1) > STIRS)]
    if not len(moved):
        return np.zeros(len(face), bool)
    low, high = moved.min(axis=0) - 0.1, moved.max(axis=0) + 0.1
    near = np.flatnonzero(face & ((figure.centres > low) & (figure.centres < high))[:, [0, 2]].all(axis=1))
    depth = figure.cast(figure.centres[near][:, [0, 2]], face).depth
    hidden = near[figure.centres[near, 1] > depth + _HIDDEN]
    result = np.zeros(len(face), bool)
    if not len(hidden):
        return result
    _, place = np.unique(figure.place_keys(), return_inverse=True)
    label = connected(place[figure.triangles[hidden]], int(place.max()) + 1)[place[figure.triangles[hidden, 0]]]
    labels, low, high = figure.boxes(hidden, label)
    bags = ((high - low).max(axis=1) < _BAG) & (np.abs(low[:, 0] + high[:, 0]) < _IN_THE_MIDDLE)
    strong = reach[figure.triangles[hidden]].max(axis=1) > _MOSTLY * reach[figure.triangles[face]].max()
    bags &= np.isin(labels, label[strong])
    result[hidden[np.isin(label, labels[bags])]] = True
    return result


def _between(figure: Figure, some: Mask, others: Mask) -> Indices:
    """The vertices of `others` at places where `some` have one too."""
    places = figure.place_keys()
    own = figure.vertices_of(others)
    return own[np.isin(places[own], places[figure.vertices_of(some)])]


def _rim(figure: Figure, face: Mask, reach: Floats) -> Indices:
    """The vertices along a hole in `face` that the mouth targets move.

    Upper and lower lip may lie on each other at rest: only what stays together with the mouth open is one vertex.
    """
    targets = [target for target in _OPENING if target in figure.targets][:1]
    _, chosen, place = np.unique(figure.place_keys(*targets), return_index=True, return_inverse=True)
    corners = place[figure.triangles[face]]
    edges = np.sort(corners[:, [0, 1, 1, 2, 2, 0]].reshape(-1, 2), axis=1)
    edges, counts = np.unique(edges[edges[:, 0] != edges[:, 1]], axis=0, return_counts=True)
    rim = np.unique(edges[counts == 1])
    least = max(STIRS, _MOSTLY * float(reach[figure.triangles[face]].max()))
    on_rim = np.zeros(len(chosen), bool)
    on_rim[rim[reach[chosen[rim]] > least]] = True
    found = figure.vertices_of(face)
    return found[on_rim[place[found]]]


def _along(figure: Figure, face: Mask, edge: Indices) -> Mask:
    """(m,) the triangles of `face` that lie close to the edge."""
    lips = np.zeros(len(face), bool)
    if not len(edge):
        return lips
    points = figure.points[edge]
    low, high = points.min(axis=0) - _LIP, points.max(axis=0) + _LIP
    near = np.flatnonzero(face & ((figure.centres > low) & (figure.centres < high)).all(axis=1))
    near = near[np.ptp(figure.points[figure.triangles[near]], axis=1).max(axis=1) < _COARSE][:_MOST]
    # Judged by its middle, every other triangle along the border would be lip, and that a saw: its corners count.
    # Of a coarse face no triangle has three there; those that reach the edge are its lips.
    corners = figure.triangles[near]
    within = (_distance(figure.points[corners], points) < _LIP).all(axis=1)
    touching = np.isin(corners, edge).any(axis=1) & (_distance(figure.centres[near], points) < _LIP)
    lips[near[within | touching]] = True
    return lips


def _distance(places: Floats, points: Floats) -> Floats:
    """(...) how far each of (..., 3) places is from the nearest of (n, 3) points, or of a sample of them."""
    points = points[:: 1 + len(points) // _MOST]
    return np.asarray(np.linalg.norm(places[..., None, :] - points, axis=-1).min(axis=-1, initial=np.inf))
