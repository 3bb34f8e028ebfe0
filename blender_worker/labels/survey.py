"""Measures what a picture of the neutral model would show; `farm.dataset.usability` judges it."""

import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.character.actor import Actor, Pose
from blender_worker.labels.arrays import LabelPass
from farm.pipe import Survey

_FRONT = (0.0, 0.0, 0.0)
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
    rest = actor.pose({}, _FRONT)
    seen_neutral = labels.draw(rest, rest, camera, _SEEN_THROUGH)
    depth = seen_neutral.depth / actor.metres_per_unit
    head = [part.turns > 0.5 for part in actor.parts]
    face = _face(actor, rest, head)
    points, turning = np.concatenate(rest.positions), np.concatenate(head)
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
        normals = np.concatenate([part.normals for part in actor.parts])
        facing = float(-normals[face, 1].mean())
    return Survey(
        coverage=float((seen_neutral.parts > 0).mean()),
        head_box=(float(left), float(top), float(right), float(bottom)),
        head_vertices=int(turning.sum()),
        head_inside=float(inside[turning].mean()) if turning.any() else 0.0,
        face_vertices=int(face.sum()),
        face_visible=visible,
        face_facing=facing,
    )


def _face(actor: Actor, rest: Pose, head: list[NDArray[np.bool_]]) -> NDArray[np.bool_]:
    """(all vertices,) whether an annotated morph moves the vertex, on the head."""
    moved = [np.zeros(len(mask), bool) for mask in head]
    for name in actor.morphs:
        for number, positions in enumerate(actor.pose({name: 1.0}, _FRONT).positions):
            distance = np.abs(positions - rest.positions[number]).max(axis=1)
            moved[number] |= distance > _MOVED * actor.head_height
    return np.concatenate([one & other for one, other in zip(moved, head, strict=True)])
