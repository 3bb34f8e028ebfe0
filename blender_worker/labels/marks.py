"""Landmarks, joints, boxes and the camera of one picture, as numbers."""

from collections.abc import Collection, Mapping
from functools import cache

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.ears import EARS
from blender_worker.anatomy.study import Anatomy
from blender_worker.camera import Camera
from blender_worker.character.actor import Actor, Pose
from blender_worker.labels.arrays import Labels
from blender_worker.labels.joints import JointFinder
from blender_worker.labels.places import PIXEL_DIGITS, places_of
from farm.labels import LANDMARKS, MOUTH, LabelName, Part
from farm.marks import Box, CameraLabel, LandmarkLabel, Marks

_BEHIND = 0.02
"""Share of the head's height that a visible landmark may lie behind what its pixel shows: lids and lips are round."""
_MATRIX_DIGITS = 9
_FACE = (Part.FACE, Part.EYE_LEFT, Part.EYE_RIGHT, Part.EYEBROW_LEFT, Part.EYEBROW_RIGHT, *MOUTH)
_POINTS = {**LANDMARKS, **EARS}


class Marker:
    """Finds the marks of one actor's pictures."""

    def __init__(self, actor: Actor, anatomy: Anatomy, size: int, labels: Collection[LabelName]) -> None:
        """`labels` are those that are asked for; of `farm.labels.MARKED` those among them."""
        self._actor, self._anatomy, self._size = actor, anatomy, size
        self._landmarked = LabelName.LANDMARKS in labels
        self._joints = JointFinder(actor, size) if LabelName.JOINTS in labels else None
        above = actor.rest.positions[:, 2] > actor.neck_position[2]
        self._head = np.flatnonzero((actor.vertices.turns > 0.5) & above)
        face = np.zeros(len(above), bool)
        for run, parts in zip(actor.runs, anatomy.triangles, strict=True):
            face[run.triangles[np.isin(parts, _FACE)]] = True
        self._face = np.flatnonzero(face)

    def mark(self, pose: Pose, camera: Camera, labels: Labels) -> Marks:
        """The marks of a picture of `pose`; `labels` are those of the same picture."""
        found = {
            name: (pose.positions[found.vertices] * found.weights[:, None]).sum(axis=0)
            for name, found in (self._anatomy.landmarks | self._anatomy.ears).items()
        }
        found["neck"] = np.array(pose.neck or self._actor.neck_position, np.float32)
        points = self._points(found, camera, labels)
        return Marks(
            landmarks={name: mark for name, mark in points.items() if name in LANDMARKS and self._landmarked},
            head_box=self._box(pose, self._head, camera),
            face_box=self._box(pose, self._face, camera),
            camera=self._camera(camera, pose),
            joints=self._joints.find(pose, camera, labels, points) if self._joints else None,
        )

    def _points(
        self, found: Mapping[str, NDArray[np.float32]], camera: Camera, labels: Labels
    ) -> dict[str, LandmarkLabel]:
        names = [name for name in _POINTS if name in found]
        points = np.stack([found[name] for name in names]).astype(np.float64)
        metres = self._actor.metres_per_unit
        behind = _BEHIND * self._actor.head_height * metres
        marks = {}
        for name, place in zip(names, places_of(points, camera, metres, self._size), strict=True):
            if place is None:
                continue
            seen = self._is_visible(_POINTS[name], place.x, place.y, place.point[2] - behind, labels)
            marks[name] = LandmarkLabel(x=place.x, y=place.y, point=place.point, visible=seen)
        return marks

    def _is_visible(self, parts: tuple[Part, ...], x: float, y: float, nearest: float, labels: Labels) -> bool:
        """Whether one of `parts` shows within a pixel of the point, and nothing nearer than `nearest` metres in it."""
        column, row = int(np.floor(x)), int(np.floor(y))
        if not (0 <= column < self._size and 0 <= row < self._size):
            return False
        around = np.s_[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        return bool((_member(parts)[labels.parts[around]] & (labels.depth[around] >= nearest)).any())

    def _box(self, pose: Pose, chosen: NDArray[np.intp], camera: Camera) -> Box | None:
        with np.errstate(all="ignore"):
            pixels = camera.project(pose.positions.take(chosen, axis=0), self._size)
        across = np.ascontiguousarray(pixels.T)
        if not np.isfinite(across).all():  # a morph takes some of it to where coordinates are no numbers
            across = across[:, np.isfinite(across).all(axis=0)]
        if not across.size:
            return None
        (left, top), (right, bottom) = (edge.clip(0, self._size).tolist() for edge in (across.min(1), across.max(1)))
        if left >= right or top >= bottom:
            return None
        return tuple(round(value, PIXEL_DIGITS) for value in (left, top, right, bottom))

    def _camera(self, camera: Camera, pose: Pose) -> CameraLabel:
        metres = self._actor.metres_per_unit
        half = self._size / 2
        if camera.orthographic:
            focal = self._size / (camera.height * metres)
        else:
            focal = half / float(np.tan(np.radians(camera.field_of_view) / 2))
        rotation = camera.axes() * ((1,), (-1,), (-1,))
        extrinsics = np.column_stack([rotation, -rotation @ camera.position() * metres])
        pivot = np.nan_to_num(np.array(pose.neck or self._actor.neck_position) * metres)
        return CameraLabel(
            intrinsics=((round(focal, 6), 0.0, half), (0.0, round(focal, 6), half), (0.0, 0.0, 1.0)),
            extrinsics=tuple(tuple(row) for row in np.round(extrinsics, _MATRIX_DIGITS).tolist()),
            orthographic=camera.orthographic,
            rotation_pivot=tuple(np.round(pivot, _MATRIX_DIGITS).tolist()),
        )


@cache
def _member(parts: tuple[Part, ...]) -> NDArray[np.bool_]:
    """For each part, whether it is one of `parts`."""
    return np.isin(np.arange(max(Part) + 1), parts)
