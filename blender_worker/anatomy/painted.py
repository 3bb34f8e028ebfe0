"""Finds the eyes, brows and mouth that are only painted on the face: no triangles of their own, just texels.

Such a feature is where the annotated targets of its kind move the face's triangles, or slide another picture under them,
and there only what has not the skin's colour: each pixel is judged by its texel (`labels.arrays`), and so is each landmark.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.figure import Figure
from blender_worker.anatomy.rays import Floats, Hits, Indices, Mask
from farm.labels import MOUTH, Part

_STIRS = 0.01
_MOSTLY = 0.25
"""Share of the strongest change of a kind that a feature's triangles take: skin about it stirs with it."""
_SMALL = 0.42
"""Head heights; the largest feature."""
SKIN_DISTANCE = 0.18
"""By how much a painted texel differs from the skin: distance of sRGB colours in [0, 1]."""
_STEPS = 6
"""Along a triangle's side; between them a feature may be missed."""
_KINDS: dict[str, tuple[Part, ...]] = {
    "eye/": (Part.EYE_LEFT, Part.EYE_RIGHT),
    "eyebrow/": (Part.EYEBROW_LEFT, Part.EYEBROW_RIGHT),
    "mouth/": MOUTH,
}
"""The parts of each kind of target; none of them may have triangles of its own."""


@dataclass(frozen=True, slots=True)
class Painted:
    """What is painted on a face."""

    triangles: Mask
    """(m,) those of which only the texels that differ from `skin` are of their part; the others are face."""
    skin: Floats
    """(3,) sRGB in [0, 1]."""

    def drawn(self, figure: Figure, hits: Hits) -> Mask:
        """(n,) whether what rays meet is of its triangle's part by its texel too."""
        result = hits.triangle >= 0
        rows = np.flatnonzero(result & self.triangles[hits.triangle])
        places = (hits.weights[rows][:, :, None] * figure.uvs[figure.triangles[hits.triangle[rows]]]).sum(axis=1)
        result[rows] = differs(figure, hits.triangle[rows], places, self.skin)
        return result


def find_painted(figure: Figure, parts: NDArray[np.uint8], face: Mask) -> Painted:
    """The features that are painted on the triangles `face` (m,); these get their part in `parts` (m,)."""
    painted = Painted(np.zeros(len(face), bool), np.zeros(3))
    changes = {kind: _changed(figure, kind) for kind, own in _KINDS.items() if not np.isin(parts, own).any()}
    regions = {}
    for kind, change in changes.items():
        others = [other for name, other in changes.items() if name != kind]
        strongest = np.all([change >= other for other in others], axis=0)
        region = face & figure.shown & strongest & (change > max(_STIRS, _MOSTLY * change[face].max(initial=0)))
        if region.any() and _is_small(figure, region, kind):
            regions[kind] = region
    if not regions:
        return painted
    for kind, region in regions.items():
        free = face & figure.shown & ~np.any(list(regions.values()), axis=0)
        regions[kind] = region | (free & _enclosed(figure, region, kind))
    skin = _skin(figure, face & figure.shown & ~np.any(list(regions.values()), axis=0))
    if skin is None:
        return painted
    for kind, region in regions.items():
        rows = np.flatnonzero(region)
        rows = rows[_has_paint(figure, rows, skin)]
        if kind == "mouth/":
            parts[rows] = Part.MOUTH_INSIDE
        else:
            left, right = _KINDS[kind]
            parts[rows] = np.where(figure.centres[rows, 0] > 0, left, right)
        painted.triangles[rows] = True
    return Painted(painted.triangles, skin)


def _changed(figure: Figure, kind: str) -> Floats:
    """(m,) how much the targets of a kind change each triangle."""
    effect = figure.effect(target for target in figure.targets if target.startswith(kind))
    return np.asarray(effect[figure.triangles].max(axis=1))


def _boxes(figure: Figure, region: Mask, kind: str) -> list[tuple[Floats, Floats]]:
    """The lowest and the highest corner of each of a region's features."""
    sides = [region] if kind == "mouth/" else [region & (figure.centres[:, 0] * sign > 0) for sign in (1, -1)]
    points = [figure.points[figure.vertices_of(side)] for side in sides if side.any()]
    return [(own.min(axis=0), own.max(axis=0)) for own in points]


def _is_small(figure: Figure, region: Mask, kind: str) -> bool:
    """Whether a region has the size of a feature: a jaw that drops with the whole face is no mouth."""
    return all(bool((high - low < _SMALL).all()) for low, high in _boxes(figure, region, kind))


def _enclosed(figure: Figure, region: Mask, kind: str) -> Mask:
    """(m,) what lies within a feature: where lids meet nothing moves."""
    inside = np.zeros(len(region), bool)
    for low, high in _boxes(figure, region, kind):
        inside |= ((figure.centres >= low) & (figure.centres <= high)).all(axis=1)
    return inside


def _skin(figure: Figure, face: Mask) -> Floats | None:
    """(3,) the usual colour of the front of the face; None where it has no texture."""
    front = face & (figure.centres[:, 1] <= np.median(figure.centres[face, 1])) if face.any() else face
    colours = []
    for surface in np.unique(figure.surface[front]):
        rows = np.flatnonzero(front & (figure.surface == surface))
        texels = figure.texels(int(surface), figure.uvs[figure.triangles[rows]].mean(axis=1))
        if texels is not None:
            colours.append(texels[:, :3] / 255.0)
    return np.median(np.concatenate(colours), axis=0) if colours else None


def _has_paint(figure: Figure, rows: Indices, skin: Floats) -> Mask:
    """(n,) whether any texel of the triangles `rows` (n,) differs from the skin, at rest."""
    steps = [(a, b) for a in range(_STEPS + 1) for b in range(_STEPS + 1 - a)]
    weights = np.array([(a, b, _STEPS - a - b) for a, b in steps]) / _STEPS
    places = np.einsum("sc,ncx->nsx", weights, figure.uvs[figure.triangles[rows]])
    found = differs(figure, np.repeat(rows, len(weights)), places.reshape(-1, 2), skin)
    return np.asarray(found.reshape(len(rows), -1).any(axis=1))


def differs(figure: Figure, triangles: Indices, uvs: Floats, skin: Floats) -> Mask:
    """(n,) whether the texels of (n,) triangles at (n, 2) coordinates have another colour than the skin."""
    result = np.zeros(len(triangles), bool)
    for surface in np.unique(figure.surface[triangles]):
        own = np.flatnonzero(figure.surface[triangles] == surface)
        texels = figure.texels(int(surface), uvs[own])
        if texels is not None:
            result[own] = np.linalg.norm(texels[:, :3] / 255.0 - skin, axis=1) > SKIN_DISTANCE
    return result
