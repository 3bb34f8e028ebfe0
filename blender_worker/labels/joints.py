"""The joints of the body in one picture: where each is, and whether the picture shows what it moves there."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import Camera
from blender_worker.character.actor import Actor, Pose
from blender_worker.labels.arrays import Labels
from blender_worker.labels.places import Place, places_of
from blender_worker.labels.sight import Sight
from farm.joints import COCO_JOINTS, HUMANOID_JOINTS, neighbours
from farm.labels import Part
from farm.marks import Box, JointLabel, Joints, LandmarkLabel
from farm.occluders import CHARACTER

_REACH = 1.0
"""Head heights by which what shows may lie before or behind a joint that is seen: sleeves and skirts are wide."""
_EYE_REACH = 0.2
"""The same for eyes: the back of the head is nearer than a sleeve's end."""
_SAME = 0.005
"""Head heights within which two depths are the same surface's."""
_ABSENT = JointLabel(x=0.0, y=0.0, point=None, visibility=0)
_OF_FACE = {
    "nose": "nose",
    "left_eye": "iris_left",
    "right_eye": "iris_right",
    "left_ear": "ear_left",
    "right_ear": "ear_right",
}
"""COCO's joints that are points of the face, by the face's names."""
_EYES = {"leftEye": "iris_left", "rightEye": "iris_right"}
"""Hair before an eye turns with the head as the face does: whether these are seen is what their landmark says."""


class JointFinder:
    """Finds the joints of one actor's pictures."""

    def __init__(self, actor: Actor, size: int) -> None:
        self._actor, self._size = actor, size
        self._triangles = np.concatenate([np.zeros((0, 3), np.int32), *(run.triangles for run in actor.runs)])
        carriers = np.append(actor.carriers, np.int16(-1))  # one more, which -1 reads
        self._carriers = carriers[actor.vertices.bones][self._triangles]
        """(m, 3) the humanoid's bone that moves each corner of each triangle."""
        near = neighbours()
        self._near = {name: np.array([one in near[name] for one in HUMANOID_JOINTS] + [False]) for name in near}
        """For each joint, which bones move what may lie before it; the last is none of them, which -1 reads."""

    def find(self, pose: Pose, camera: Camera, labels: Labels, face: Mapping[str, LandmarkLabel]) -> Joints:
        """The joints of a picture of `pose`; `labels` are those of the same picture, `face` the points of its face."""
        actor = self._actor
        heads = actor.heads_in(pose, list(actor.joints.values()))
        places = dict(zip(actor.joints, places_of(heads, camera, actor.metres_per_unit, self._size), strict=True))
        sight = Sight(pose.positions, self._triangles, camera, actor.metres_per_unit, self._size)
        humanoid = dict.fromkeys(HUMANOID_JOINTS, _ABSENT)
        for name, place in places.items():
            if place is None:
                continue
            mark = face.get(_EYES.get(name, ""))
            seen = mark.visible if mark is not None else self._is_seen(name, place, labels, sight)
            humanoid[name] = JointLabel(x=place.x, y=place.y, point=place.point, visibility=2 if seen else 1)
        coco = {name: humanoid.get(bone, _ABSENT) for name, bone in COCO_JOINTS.items()}
        for name, own in _OF_FACE.items():
            if own in face:
                mark = face[own]
                coco[name] = JointLabel(x=mark.x, y=mark.y, point=mark.point, visibility=2 if mark.visible else 1)
        return Joints(box=_box(labels.parts), coco=coco, humanoid=humanoid)

    def _is_seen(self, name: str, place: Place, labels: Labels, sight: Sight) -> bool:
        """Whether the pixel of a joint shows what its bone or a neighbour of it moves, and near it."""
        column, row = int(np.floor(place.x)), int(np.floor(place.y))
        if not (0 <= column < self._size and 0 <= row < self._size):
            return False
        head = self._actor.head_height * self._actor.metres_per_unit
        depth = float(labels.depth[row, column])
        reach = _EYE_REACH if name in _EYES else _REACH
        if labels.occlusion[row, column] > CHARACTER:
            return False  # a mask is as near as the skin beneath
        if depth <= 0 or abs(depth - place.point[2]) > reach * head:
            return False
        shown = sight.at(column, row, depth, _SAME * head)
        return bool(self._near[name][self._carriers[shown]].any())


def _box(parts: NDArray[np.uint8]) -> Box | None:
    """About all pixels that show the character."""
    rows, columns = (np.flatnonzero((parts != Part.BACKGROUND).any(axis=axis)) for axis in (1, 0))
    if not len(rows):
        return None
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)
