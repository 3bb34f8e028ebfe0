"""Measures what a picture of the neutral model would show; `farm.dataset.usability` judges it."""

import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.character.actor import FRONT, Actor
from blender_worker.labels.arrays import LabelPass
from farm.pipe import Survey

_ON_HEAD = 0.5
"""Share of the neck's rotation from which a vertex is one of the head's."""
_MOVED = 1e-3
"""Share of the head's height by which a morph must move a vertex to make it one of the face's."""
_SEEN_THROUGH = 0.75
"""Alpha under which a surface hides nothing: visors, glasses."""
_CLOSE = 0.03
"""Share of the head's height by which a vertex may lie behind the surface that is seen: lids and lips have a thickness."""


def survey(actor: Actor, camera: Camera, labels: LabelPass) -> Survey:
    """Draw the neutral model once and measure it.

    The face is the set of vertices that the annotated morphs move on the head; without such morphs it is unknown.
    """
    seen_neutral = labels.draw(actor.rest, actor.rest, camera, _SEEN_THROUGH)
    depth = seen_neutral.depth / actor.metres_per_unit
    points, turning = actor.rest.positions, actor.vertices.turns > _ON_HEAD
    face = _moved(actor) & turning
    size = len(depth)
    screen = camera.project(points, size)
    inside = ((screen >= 0) & (screen < size)).all(axis=1)
    left, top, right, bottom = (0.0, 0.0, 0.0, 0.0)
    if turning.any():
        (left, top), (right, bottom) = screen[turning].min(axis=0) / size, screen[turning].max(axis=0) / size
    visible = facing = None
    if face.any():
        seen = face & inside
        columns, rows = screen[seen].astype(int).T
        surface = depth[rows, columns]
        own = camera.distance_to(points[seen])
        # A depth of 0 is a pixel where only the edge of something is: nothing hides what is there.
        shown = (own <= surface + _CLOSE * actor.head_height) | (surface == 0)
        visible = float(shown.sum() / face.sum())
        facing = float(-actor.vertices.normals[face, 1].mean())
    return Survey(
        coverage=float((seen_neutral.parts > 0).mean()),
        head_box=(float(left), float(top), float(right), float(bottom)),
        head_vertices=int(turning.sum()),
        head_inside=float(inside[turning].mean()) if turning.any() else 0.0,
        face_vertices=int(face.sum()),
        face_visible=visible,
        face_facing=facing,
    )


def _moved(actor: Actor) -> NDArray[np.bool_]:
    """(n,) whether an annotated morph moves the vertex."""
    moved = np.zeros(len(actor.rest.positions), bool)
    for index in actor.morphs:
        distance = np.abs(actor.pose({index: 1.0}, FRONT).positions - actor.rest.positions).max(axis=1)
        moved |= distance > _MOVED * actor.head_height
    return moved
