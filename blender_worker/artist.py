"""Draws the shots of one model: poses the actor, and has it drawn and labelled."""

import time
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.study import study
from blender_worker.camera import Camera, frame
from blender_worker.canvases.canvas import open_canvas
from blender_worker.character.actor import FRONT, Actor, Pose
from blender_worker.clip import Clip
from blender_worker.gpu.buffers import Geometry
from blender_worker.labels.arrays import LabelPass
from blender_worker.labels.marks import Marker
from blender_worker.labels.survey import head_camera, survey
from blender_worker.occluders.wardrobe import Wardrobe, wardrobe
from farm import pipe
from farm.cameras import Framing
from farm.labels import ARRAYS, MARKED, LabelName
from farm.marks import Marks
from farm.models.posing.morphs import Vector
from farm.occluders import OccluderName
from farm.spaces.limbs import RestPose
from farm.styles import STYLES

_FEW_VIEWS = 16
"""Up to so many, what none of them sees is not drawn at all."""
_POSES = 2
"""Poses that are kept: a sample's two partitions, which all its views and the label flow use; two frames of a clip."""


@dataclass(frozen=True, slots=True)
class Drawing:
    """One shot, drawn."""

    pictures: list[NDArray[np.uint8]]
    """(size, size, 4) for each style."""
    arrays: list[NDArray[np.generic]]
    """The asked-for labels of `farm.labels.ARRAYS`, in that order."""
    marks: Marks | None
    seconds: dict[str, float]
    """By stage: evaluate, draw, label."""


class Artist:
    """Draws one actor as one request asks. Let go of it before the scene is emptied."""

    def __init__(self, actor: Actor, request: pipe.Render, clip: Clip | None = None) -> None:
        """`clip` has the bones of shots that are its frames."""
        self._actor, self._request, self._clip = actor, request, clip
        self._camera = _framed(actor, request, clip is not None)
        styles = [STYLES[name] for name in request.styles]
        views = {self._camera, head_camera(actor), *(self._seen_from(shot) for shot in request.shots)}
        large = request.size * request.supersample
        geometry = Geometry(actor, self._camera, large, views if len(views) <= _FEW_VIEWS else None)
        self._labels = LabelPass(actor, geometry, request.size)
        # Of the bare character: what hides a face makes nothing unusable, and no morph unseen.
        found = survey(actor, self._camera, self._labels, geometry, styles, request.bends, _asks_of_body(request))
        self.survey = found.survey
        """What the neutral picture shows."""
        self.unseen = found.unseen
        """The morphs that change nothing in it."""
        self.part_rules: dict[str, str] = {}
        """How each material's part was decided, when labels are asked for."""
        self._marker: Marker | None = None
        self._wardrobe: Wardrobe | None = None
        if request.labels or request.occluders:
            anatomy = study(actor, request.annotation, LabelName.LAYERS in request.labels)
            self.part_rules = anatomy.rules if request.labels else {}
            if set(MARKED) & set(request.labels):
                self._marker = Marker(actor, anatomy, request.size, request.labels)
            if request.occluders:
                self._wardrobe = wardrobe(actor, anatomy, request.occluders)
                self._actor = actor = self._wardrobe.actor
                geometry = Geometry(actor, self._camera, large, views if len(views) <= _FEW_VIEWS else None)
                self._labels = LabelPass(actor, geometry, request.size)
                self._labels.set_parts(self._wardrobe.anatomy, self._wardrobe.codes)
            else:
                self._labels.set_parts(anatomy)
        self._canvas = open_canvas(
            request.canvas, actor, geometry, styles, request.size, request.supersample, request.final_samples
        )
        self._poses: dict[tuple[tuple[tuple[int, float], ...], Vector, int | None], Pose] = {}

    @property
    def unworn(self) -> list[OccluderName]:
        """What of the occluders that are asked for the character cannot wear."""
        return [] if self._wardrobe is None else self._wardrobe.unworn

    def draw(self, shot: pipe.Shot) -> Drawing:
        """Draw one shot."""
        clock = [time.perf_counter()]
        pose = self._pose(shot.weights, shot.rotation, shot.frame)
        elsewhere = shot.weights if shot.other_weights is None else shot.other_weights
        other = pose
        if shot.flows_to is not None:
            other = self._pose(elsewhere, FRONT, shot.flows_to)
        elif shot.other_rotation is not None:
            other = self._pose(elsewhere, shot.other_rotation)
        if self._wardrobe is not None:
            pose, other = (self._wardrobe.put_on(each, shot.view.occluder) for each in (pose, other))
        clock.append(time.perf_counter())
        camera = self._seen_from(shot)
        pictures = self._canvas.draw(pose, camera, shot.light)
        clock.append(time.perf_counter())
        arrays, marks = self._label(pose, other, camera)
        clock.append(time.perf_counter())
        seconds = dict(zip(("evaluate", "draw", "label"), np.diff(clock).tolist(), strict=True))
        return Drawing(pictures, arrays, marks, seconds)

    def _seen_from(self, shot: pipe.Shot) -> Camera:
        return self._camera.seen_from(shot.view.yaw, shot.view.elevation)

    def _label(self, pose: Pose, other: Pose, camera: Camera) -> tuple[list[NDArray[np.generic]], Marks | None]:
        if not self._request.labels:
            return [], None
        labels = self._labels.draw(pose, other, camera)
        arrays = [getattr(labels, name.value) for name in ARRAYS if name in self._request.labels]
        return arrays, self._marker.mark(pose, camera, labels) if self._marker else None

    def _pose(self, weights: dict[int, float], rotation: Vector, frame: int | None = None) -> Pose:
        key = tuple(sorted(weights.items())), rotation, frame
        if key not in self._poses:
            while len(self._poses) >= _POSES:
                del self._poses[next(iter(self._poses))]
            bones = None if frame is None or self._clip is None else self._clip.bones(frame)
            self._poses[key] = self._actor.pose(weights, rotation, bones)
        return self._poses[key]


def _asks_of_body(request: pipe.Render) -> bool:
    return bool(request.bends) or request.rest_pose is not RestPose.FILE


def _framed(actor: Actor, request: pipe.Render, moves: bool) -> Camera:
    """The request's camera; a frame of a body that is posed, made to stand or seen from all around holds all of it, that of
    one that `moves` has room for limbs."""
    spec = request.camera
    held = spec.framing is Framing.BODY and (_asks_of_body(request) or spec.around > 0)
    body = actor.reached(request.bends) if held else actor.rest.positions
    return frame(spec, actor.neck_position, actor.head_height, body, held, moves)
