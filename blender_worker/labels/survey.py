"""Measures what a picture of the neutral model shows, and which morphs change it; `farm.dataset.usability` judges it."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.study import Anatomy
from blender_worker.camera import Camera, frame
from blender_worker.canvases.forward import ForwardCanvas
from blender_worker.character.actor import FRONT, Actor, Pose
from blender_worker.gpu.buffers import Geometry
from blender_worker.labels.arrays import LabelPass
from blender_worker.labels.comparing import FEWEST, SIZE, changed, looks
from blender_worker.labels.limbs import body_survey, unseen_bends
from farm import pipe
from farm.cameras import CameraSpec
from farm.models.corners import at_all_corners, at_any_corner, corners_of
from farm.styles import STYLES
from farm.styles.style import Style

_ON_HEAD = 0.5
"""Share of the neck's rotation from which a vertex is one of the head's."""
_MOVED = 1e-3
"""Share of the head's height by which a morph must move a vertex to make it one of the face's."""
_SEEN_THROUGH = 0.75
"""Alpha under which a surface hides nothing: visors, glasses."""
_NOTHING, _SOUND, _BARE = 0, 1, 2
"""Parts of the picture of what lacks a texture: what does not turn with the head, too, is nothing; from _BARE on each
absent texture has a number."""

_EYES = {"leftEye": 1, "rightEye": 2}
_LEAST_IRIS, _FEWEST_IRIS = 0.35, 16
"""Share of an eye's pixels that a turn must leave: lids may cover half of an iris that looks up. Pixels to begin with."""
_FLAT = STYLES["flat"]
_EDGE = 2
"""Pixels by which the filter and the rounding of a triangle's corners may carry a change beyond it."""
type _Box = tuple[int, int, int, int]
"""Left, top, right, bottom in pixels of the picture."""
_EVERYWHERE: _Box = (0, 0, SIZE, SIZE)


@dataclass(frozen=True, slots=True)
class Finding:
    """What a survey found."""

    survey: pipe.Survey
    unseen: list[int]
    """The morphs, by their index, that at weight 1 change nothing in the neutral picture, whatever the cause."""


def head_camera(actor: Actor) -> Camera:
    """The camera of a survey: the paper's, whatever frame is asked for."""
    return frame(CameraSpec(), actor.neck_position, actor.head_height, actor.rest.positions)


def survey(
    actor: Actor,
    camera: Camera,
    labels: LabelPass,
    geometry: Geometry,
    styles: Sequence[Style],
    bends: Mapping[int, tuple[float, float]],
    of_body: bool,
) -> Finding:
    """Draw the neutral model, and once more for every morph, and measure.

    `camera` is the one that looks straight ahead in the frame that is asked for; `geometry` must keep what `head_camera`
    sees. `styles` are those that are asked for: what none of them shows is unseen.
    `bends` are movements of a body, which are looked at in the frame that is asked for; `of_body` measures the body, too.
    """
    head = actor.vertices.turns > _ON_HEAD
    coverage = float((labels.draw(actor.rest, actor.rest, camera, _SEEN_THROUGH).parts > 0).mean())
    screen = camera.project(actor.rest.positions, 1)
    box = (0.0, 0.0, 0.0, 0.0)
    if head.any():
        (left, top), (right, bottom) = screen[head].min(axis=0).tolist(), screen[head].max(axis=0).tolist()
        box = left, top, right, bottom
    comparison = _Comparison(actor, geometry, head, styles)
    unseen = sorted([*comparison.unseen(bends), *unseen_bends(actor, camera, geometry, styles, bends)])
    bare, texture = _bare(actor, geometry, head)
    return Finding(
        pipe.Survey(
            coverage=coverage,
            head_box=box,
            head_vertices=int(head.sum()),
            head_inside=float(((screen[head] >= 0) & (screen[head] < 1)).all(axis=1).mean()) if head.any() else 0.0,
            face_vertices=int(comparison.face.sum()),
            face_changed=None if bends else comparison.share,  # poses of a body ask for no face
            face_ahead=comparison.ahead,
            bare=bare,
            bare_texture=texture,
            body=body_survey(actor, camera, geometry) if of_body else None,
        ),
        unseen,
    )


def _apart(one: _Box, other: _Box) -> bool:
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


class _Comparison:
    """The neutral picture, and what morphs change in it."""

    def __init__(self, actor: Actor, geometry: Geometry, head: NDArray[np.bool_], styles: Sequence[Style]) -> None:
        self._actor, self._head, self._styles = actor, head, styles
        self._camera = head_camera(actor)
        # Flat first: it is the cheapest, and nearly always shows what any style shows.
        self._geometry = geometry
        self._canvas = ForwardCanvas(actor, geometry, [_FLAT], SIZE, 1)
        self._neutral = looks(self._canvas, actor.rest, self._camera)
        self._changed = np.zeros((SIZE, SIZE), bool)
        self._triangles = np.concatenate([np.zeros((0, 3), np.int32), *(run.triangles for run in actor.runs)])
        self.face = np.zeros(len(head), bool)
        """(n,) the vertices on the head that the morphs moved so far."""
        self._depths: list[NDArray[np.float32]] = []

    @cached_property
    def _irises(self) -> "_Irises":
        return _Irises(self._actor, self._geometry)

    def unseen(self, others: Collection[int]) -> list[int]:
        """The morphs but for `others` that at weight 1 change nothing in the picture.

        Morphs that act at different places of the picture are drawn together: a handful of draws tells of two dozen.
        """
        pages: list[tuple[NDArray[np.float32], list[tuple[int, _Box]]]] = []
        unseen, hidden = [], []
        rest = self._actor.rest
        for index in self._actor.morphs:
            if index in others or index in self._actor.extras:
                continue
            pose = self._actor.pose({index: 1.0}, FRONT)
            moved = self._moved(pose)
            if index not in self._actor.movements:
                self._note(pose, moved)
            if index in self._actor.movements:
                if not (moved.any() and self._shows(pose, [(index, _EVERYWHERE)])):
                    unseen.append(index)
                elif not self._irises.stay(index):
                    hidden.append(index)
            elif pose.uvs is not None or pose.looks != rest.looks:
                if not self._shows(pose, [(index, _EVERYWHERE)]):
                    unseen.append(index)
            elif not moved.any():
                unseen.append(index)
            else:
                box = self._reach(pose, moved)
                offsets = pose.positions - rest.positions
                for page, (sum_of_offsets, held) in enumerate(pages):
                    if all(_apart(box, other) for _, other in held):
                        pages[page] = sum_of_offsets + offsets, [*held, (index, box)]
                        break
                else:
                    pages.append((offsets, [(index, box)]))
        for offsets, held in pages:
            shown = self._shows(replace(rest, positions=rest.positions + offsets), held)
            unseen += [index for index, _ in held if index not in shown]
        return sorted([*self._in_no_style(unseen), *hidden])

    def _in_no_style(self, unseen: list[int]) -> list[int]:
        """Those of the morphs that flat colours do not show which no other style shows: a white face has shades."""
        others = [style for style in self._styles if style != _FLAT]
        if not unseen or not others:
            return unseen
        flat = self._canvas, self._neutral
        self._canvas = ForwardCanvas(self._actor, self._geometry, others, SIZE, 1)
        self._neutral = looks(self._canvas, self._actor.rest, self._camera)
        poses = {index: self._actor.pose({index: 1.0}, FRONT) for index in unseen}
        dark = [index for index, pose in poses.items() if not self._shows(pose, [(index, _EVERYWHERE)])]
        self._canvas, self._neutral = flat
        return dark

    def _moved(self, pose: Pose) -> NDArray[np.bool_]:
        """(n,) the vertices that a morph moves by anything that could be seen."""
        rest = self._actor.rest
        offsets = np.abs(pose.positions - rest.positions)
        x, y, z = offsets.T
        return np.asarray(np.maximum(np.maximum(x, y), z) > _MOVED * self._actor.head_height)

    def _note(self, pose: Pose, moved: NDArray[np.bool_]) -> None:
        """What a morph moves on the head is the face's."""
        on_head = moved & self._head
        self.face |= on_head
        self._depths.append(pose.positions[on_head, 1])

    def _reach(self, pose: Pose, moved: NDArray[np.bool_]) -> _Box:
        """Where in the picture a change of these vertices can show: the triangles that have one, before and after."""
        touched = corners_of(self._triangles[at_any_corner(moved, self._triangles)])
        if not len(touched):
            return 0, 0, 0, 0
        places = [self._camera.project(at.positions[touched], SIZE) for at in (pose, self._actor.rest)]
        low = np.floor(np.min([place.min(axis=0) for place in places], axis=0) - _EDGE).clip(0, SIZE)
        high = np.ceil(np.max([place.max(axis=0) for place in places], axis=0) + _EDGE).clip(0, SIZE)
        return int(low[0]), int(low[1]), int(high[0]), int(high[1])

    def _shows(self, pose: Pose, held: list[tuple[int, _Box]]) -> set[int]:
        """Which of the morphs, each within its box, change the picture in this pose."""
        other = changed(looks(self._canvas, pose, self._camera), self._neutral).reshape(-1, SIZE, SIZE).any(axis=0)
        if not self._actor.movements & {index for index, _ in held}:
            self._changed |= other
        return {
            index
            for index, (left, top, right, bottom) in held
            if int(np.count_nonzero(other[top:bottom, left:right])) >= FEWEST
        }

    @property
    def share(self) -> float | None:
        """Of the covered pixels in the head's box, how many the morphs changed; None without morphs."""
        if self._actor.morphs.keys() <= self._actor.movements:
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


class _Irises:
    """What eye bones hold, seen while they turn: an iris that goes behind the white looks nowhere."""

    def __init__(self, actor: Actor, geometry: Geometry) -> None:
        self._actor = actor
        eyes = np.array([_EYES.get(bone.role, 0) for bone in actor.bones] + [0])  # one more, which -1 reads
        held = eyes[actor.vertices.bones]
        parts = [
            np.where((held[run.triangles] == held[run.triangles[:, :1]]).all(axis=1), held[run.triangles[:, 0]], 0)
            for run in actor.runs
        ]
        self._probe = LabelPass(actor, geometry, SIZE)
        plain = [np.zeros(len(of_triangle), bool) for of_triangle in parts]
        numbers = [(of_triangle + _SOUND).astype(np.uint8) for of_triangle in parts]
        self._probe.set_parts(Anatomy(numbers, plain, (0.0, 0.0, 0.0), {}, {}))
        self._rest = self._seen(actor.rest)

    def stay(self, index: int) -> bool:
        """Whether a movement, at 1 and at -1, leaves enough of each eye to be seen; one that was hardly seen counts not."""
        poses = (self._actor.pose({index: value}, FRONT) for value in (1.0, -1.0))
        least = np.where(self._rest >= _FEWEST_IRIS, _LEAST_IRIS * self._rest, 0)
        return all(bool((self._seen(pose) >= least).all()) for pose in poses)

    def _seen(self, pose: Pose) -> NDArray[np.int64]:
        """(2,) pixels of what the left and the right eye's bone holds."""
        parts = self._probe.draw(pose, pose, head_camera(self._actor), _SEEN_THROUGH).parts
        return np.bincount(parts.ravel(), minlength=256)[_SOUND + 1 : _SOUND + 3]


def _bare(actor: Actor, geometry: Geometry, head: NDArray[np.bool_]) -> tuple[float, str]:
    """The share of the head's pixels that lack the texture which their material names, and the name that most lack."""
    names = sorted({actor.surfaces[run.surface].absent for run in actor.runs} - {""})[: 255 - _BARE]
    if not names:
        return 0.0, ""
    parts = []
    for run in actor.runs:
        absent = actor.surfaces[run.surface].absent
        number = _BARE + names.index(absent) if absent in names else _SOUND
        parts.append(np.where(at_all_corners(head, run.triangles), number, _NOTHING).astype(np.uint8))
    probe = LabelPass(actor, geometry, SIZE)
    plain = [np.zeros(len(of_triangle), bool) for of_triangle in parts]
    probe.set_parts(Anatomy(parts, plain, (0.0, 0.0, 0.0), {}, {}))
    seen = probe.draw(actor.rest, actor.rest, head_camera(actor), _SEEN_THROUGH).parts
    counts = np.bincount(seen.ravel(), minlength=_BARE + len(names))[_SOUND:]
    lacking = counts[_BARE - _SOUND :]
    return int(lacking.sum()) / max(1, int(counts.sum())), names[int(lacking.argmax())] if lacking.any() else ""
