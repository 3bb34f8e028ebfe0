"""Where outlines lie: a hull about each surface, whose back shows beside what it is about.

The hull is the surface pushed out along its normals. Two kinds of surface need more. At a hard edge, where a place has
several vertices with normals of their own, a hull pushed along these would tear, and its line be dashes. And a sheet has no
thickness that a hull could stand about: it is pushed out over its edge, and shows from where the sheet does.

A third is a surface that is open and seen from one side alone, as the inside of hair may be: who looks into it sees nothing
of it, but the hull's back as one dark blot. A file that asks for such an outline gets it; one that is our own is veiled.
"""

from collections.abc import Collection, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.actor import Run
from blender_worker.character.places import place_keys
from blender_worker.character.surface import Surface
from blender_worker.importers.directions import unit
from farm.models.corners import at_all_corners, corners_of

_NOTHING, _FIRM = 1e-6, 0.3
"""Lengths: of a normal that is none, and of a mean of normals that still points somewhere."""
_FOLDED = 1e-7
"""Of a surface's size: a side of a triangle that is no longer than this points nowhere."""


def hulled(
    runs: Sequence[Run],
    surfaces: Sequence[Surface],
    positions: NDArray[np.float32],
    normals: NDArray[np.float32],
    lined: Collection[int] = (),
) -> tuple[list[Run], NDArray[np.float32]]:
    """The runs, each with its hull, and (n, 3) as `Vertices.hulls`; `positions` and `normals` (n, 3) are the world's.

    `lined` are the surfaces whose outline the file does not ask for.
    """
    ways = normals.copy()
    units = unit(normals, _NOTHING)
    found = []
    for run in runs:
        hulled_run, is_open = _hulled(run, surfaces[run.surface].double_sided, positions, units, ways)
        veiled = is_open and run.surface in lined and not surfaces[run.surface].double_sided
        found.append(replace(hulled_run, veiled=veiled))
    return found, ways


def _hulled(
    run: Run,
    double_sided: bool,
    positions: NDArray[np.float32],
    units: NDArray[np.float32],
    ways: NDArray[np.float32],
) -> tuple[Run, bool]:
    """The run with its hull, and whether its surface has an edge; writes the vertices' ways into `ways`."""
    vertices = corners_of(run.triangles)
    _, place, count = np.unique(place_keys(positions[vertices]), return_inverse=True, return_counts=True)
    corners = place[np.searchsorted(vertices, run.triangles)]
    rim = _rim(corners, len(count))
    sheet = at_all_corners(rim, corners)
    thin = np.ones(len(count), bool)  # the places that only sheets have
    thin[corners[~sheet]] = False
    means = np.asarray(_summed(place, units[vertices], len(count)) / count[:, None], np.float32)
    thin |= (count > 1) & (np.linalg.norm(means, axis=1) <= _FIRM)
    if thin.any():
        middles = positions[run.triangles].mean(axis=1, dtype=np.float32)
        over = np.zeros_like(means)
        least = _FOLDED * float(np.ptp(positions[vertices], axis=0).max())
        for corner in range(3):
            away = unit(np.asarray(positions[run.triangles[:, corner]] - middles, np.float32), least)
            over += _summed(corners[:, corner], away, len(count))
        thin &= over.any(axis=1)
        means[thin] = unit(over, _NOTHING)[thin]
    chosen = ((count > 1) | thin)[place]
    ways[vertices[chosen]] = means[place[chosen]]
    if not sheet.any():
        return run, bool(rim.any())
    # A sheet's hull is seen from where the sheet is.
    kept = run.triangles if double_sided else run.triangles[~sheet]
    return replace(run, hull=np.concatenate([kept, run.triangles[sheet][:, ::-1]])), True


def _rim(corners: NDArray[np.intp], places: int) -> NDArray[np.bool_]:
    """(places,) which lie on an edge of the surface of (m, 3) triangles; of strips and flaps all corners do."""
    starts, ends = corners.T.ravel(), np.roll(corners, -1, axis=1).T.ravel()
    lines = np.sort(np.minimum(starts, ends) * places + np.maximum(starts, ends))
    again = lines[1:] == lines[:-1]
    once = lines[~(np.append(again, False) | np.insert(again, 0, False))]
    rim = np.zeros(places, bool)
    rim[once // places], rim[once % places] = True, True
    return rim


def _summed(place: NDArray[np.intp], vectors: NDArray[np.float32], count: int) -> NDArray[np.float32]:
    """(count, 3) the sums of (n, 3) vectors over each place (n,)."""
    sums = np.zeros((count, 3), np.float32)
    np.add.at(sums, place, vectors)
    return sums
