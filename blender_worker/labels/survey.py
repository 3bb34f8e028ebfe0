"""Measures what a picture of the neutral model shows, and which morphs change it; `farm.dataset.usability` judges it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera, frame
from blender_worker.canvases.forward import ForwardCanvas
from blender_worker.character.actor import FRONT, Actor, Pose
from blender_worker.gpu.buffers import Geometry
from blender_worker.labels.arrays import LabelPass
from farm import pipe
from farm.poses import BASIS_LIGHT
from farm.spec import CameraSpec
from farm.styles import STYLES

SIZE = 256
"""Side in pixels of the pictures that are compared, whatever size is asked for: what is seen is the model's own."""
_ON_HEAD = 0.5
"""Share of the neck's rotation from which a vertex is one of the head's."""
_MOVED = 1e-3
"""Share of the head's height by which a morph must move a vertex to make it one of the face's."""
_SEEN_THROUGH = 0.75
"""Alpha under which a surface hides nothing: visors, glasses."""
_CHANGED = 8
"""Levels of 255, of alpha or of a colour times alpha, by which a pixel must change to be another one."""
_FEWEST = 4
"""Pixels that must change. A brow that moves by a pixel changes dozens; rounding none."""
_NOTHING, _SOUND, _BARE = 0, 1, 2
"""Parts of the picture of what lacks a texture: what does not turn with the head, too, is nothing; from _BARE on each
absent texture has a number."""


@dataclass(frozen=True, slots=True)
class Finding:
    """What a survey found."""

    survey: pipe.Survey
    unseen: list[int]
    """The morphs, by their index, that at weight 1 change nothing in the neutral picture, whatever the cause."""


def head_camera(actor: Actor) -> Camera:
    """The camera of a survey: the paper's, whatever frame is asked for."""
    return frame(CameraSpec(), actor.neck_position, actor.head_height, actor.rest.positions)


def survey(actor: Actor, camera: Camera, labels: LabelPass, geometry: Geometry) -> Finding:
    """Draw the neutral model, and once more for every morph, and measure.

    `camera` is the one that looks straight ahead in the frame that is asked for; `geometry` must keep what `head_camera`
    sees.
    """
    head = actor.vertices.turns > _ON_HEAD
    coverage = float((labels.draw(actor.rest, actor.rest, camera, _SEEN_THROUGH).parts > 0).mean())
    screen = camera.project(actor.rest.positions, 1)
    box = (0.0, 0.0, 0.0, 0.0)
    if head.any():
        (left, top), (right, bottom) = screen[head].min(axis=0).tolist(), screen[head].max(axis=0).tolist()
        box = left, top, right, bottom
    comparison = _Comparison(actor, geometry, head)
    unseen = [index for index in actor.morphs if not comparison.shows(index)]
    bare, texture = _bare(actor, geometry, head)
    return Finding(
        pipe.Survey(
            coverage=coverage,
            head_box=box,
            head_vertices=int(head.sum()),
            head_inside=float(((screen[head] >= 0) & (screen[head] < 1)).all(axis=1).mean()) if head.any() else 0.0,
            face_vertices=int(comparison.face.sum()),
            face_changed=comparison.share,
            face_ahead=comparison.ahead,
            bare=bare,
            bare_texture=texture,
        ),
        unseen,
    )


class _Comparison:
    """The neutral picture, and what morphs change in it."""

    def __init__(self, actor: Actor, geometry: Geometry, head: NDArray[np.bool_]) -> None:
        self._actor, self._head = actor, head
        self._camera = head_camera(actor)
        # Flat: every style shows what this one shows, and light does not move with a morph.
        self._canvas = ForwardCanvas(actor, geometry, [STYLES["flat"]], SIZE, 1)
        self._neutral = self._draw(actor.rest)
        self._changed = np.zeros((SIZE, SIZE), bool)
        self.face = np.zeros(len(head), bool)
        """(n,) the vertices on the head that the morphs moved so far."""
        self._depths: list[NDArray[np.float32]] = []

    def _draw(self, pose: Pose) -> NDArray[np.int16]:
        """(SIZE, SIZE, 4), colours times alpha."""
        (picture,) = self._canvas.draw(pose, self._camera, BASIS_LIGHT)
        values = picture.astype(np.uint16)
        values[..., :3] = values[..., :3] * values[..., 3:] // 255
        return values.astype(np.int16)

    def shows(self, index: int) -> bool:
        """Whether this morph at weight 1 changes the picture."""
        pose, rest = self._actor.pose({index: 1.0}, FRONT), self._actor.rest
        far = (pose.positions != rest.positions).any(axis=1)
        far[far] = np.abs(pose.positions[far] - rest.positions[far]).max(axis=1) > _MOVED * self._actor.head_height
        moved = far & self._head
        self.face |= moved
        self._depths.append(pose.positions[moved, 1])
        if not far.any() and pose.uvs is None and pose.looks == rest.looks:
            return False
        changed = (np.abs(self._draw(pose) - self._neutral) > _CHANGED).any(axis=-1)
        self._changed |= changed
        return int(np.count_nonzero(changed)) >= _FEWEST

    @property
    def share(self) -> float | None:
        """Of the covered pixels in the head's box, how many the morphs changed; None without morphs."""
        if not self._actor.morphs:
            return None
        if not self._head.any():
            return 0.0
        places = self._camera.project(self._actor.rest.positions[self._head], SIZE)
        left, top = np.floor(places.min(axis=0)).clip(0, SIZE).astype(int).tolist()
        right, bottom = np.ceil(places.max(axis=0)).clip(0, SIZE).astype(int).tolist()
        within = np.s_[top:bottom, left:right]
        covered = int(np.count_nonzero(self._neutral[within][..., 3]))
        return int(np.count_nonzero(self._changed[within])) / max(1, covered)

    @property
    def ahead(self) -> float | None:
        """How far what the morphs moved lies before the head's middle, in head heights; None when they moved nothing."""
        if not self.face.any():
            return None
        depths = np.concatenate(self._depths)
        middle = self._actor.rest.positions[self._head, 1].mean()
        return float((middle - depths.mean()) / self._actor.head_height)


def _bare(actor: Actor, geometry: Geometry, head: NDArray[np.bool_]) -> tuple[float, str]:
    """The share of the head's pixels that lack the texture which their material names, and the name that most lack."""
    names = sorted({actor.surfaces[run.surface].absent for run in actor.runs} - {""})[: 255 - _BARE]
    if not names:
        return 0.0, ""
    parts = []
    for run in actor.runs:
        absent = actor.surfaces[run.surface].absent
        number = _BARE + names.index(absent) if absent in names else _SOUND
        parts.append(np.where(head[run.triangles].all(axis=1), number, _NOTHING).astype(np.uint8))
    probe = LabelPass(actor, geometry, SIZE)
    probe.set_parts(parts)
    seen = probe.draw(actor.rest, actor.rest, head_camera(actor), _SEEN_THROUGH).parts
    counts = np.bincount(seen.ravel(), minlength=_BARE + len(names))[_SOUND:]
    lacking = counts[_BARE - _SOUND :]
    return int(lacking.sum()) / max(1, int(counts.sum())), names[int(lacking.argmax())] if lacking.any() else ""
