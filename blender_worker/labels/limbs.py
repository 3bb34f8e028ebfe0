"""What a picture of the neutral model shows of its body, and which movements of a body change it, in the frame asked for."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.study import Anatomy
from blender_worker.camera import Camera
from blender_worker.canvases.forward import ForwardCanvas
from blender_worker.character.actor import FRONT, Actor, Pose
from blender_worker.gpu.buffers import Geometry
from blender_worker.labels.arrays import LabelPass
from farm import pipe
from farm.bodies.limbs import limbs_lacking
from farm.poses import BASIS_LIGHT
from farm.styles.style import Style

_SIZE = 256
"""Side in pixels of the pictures that are compared, whatever size is asked for."""
_CHANGED, _FEWEST = 8, 4
"""Levels of 255 by which a pixel must change to be another one, and how many must."""
_OTHER, _LIMB = 1, 2
_FIRST_OF_LIMBS = ("leftUpperArm", "rightUpperArm", "leftUpperLeg", "rightUpperLeg")


def body_survey(actor: Actor, camera: Camera, geometry: Geometry) -> pipe.BodySurvey:
    """What the neutral model shows of its body."""
    limbs = np.array([*_of_limbs(actor), False])  # one more, which -1 reads
    of_vertex = limbs[actor.vertices.bones]
    parts = [np.where(of_vertex[run.triangles].all(axis=1), _LIMB, _OTHER).astype(np.uint8) for run in actor.runs]
    probe = LabelPass(actor, geometry, _SIZE)
    plain = [np.zeros(len(of_triangle), bool) for of_triangle in parts]
    probe.set_parts(Anatomy(parts, plain, (0.0, 0.0, 0.0), {}, {}))
    seen = np.bincount(probe.draw(actor.rest, actor.rest, camera).parts.ravel(), minlength=256)
    shown = int(seen[_OTHER] + seen[_LIMB])
    return pipe.BodySurvey(lacking=list(limbs_lacking(actor.joints)), limbs=int(seen[_LIMB]) / max(1, shown))


def _of_limbs(actor: Actor) -> list[bool]:
    """Of each bone, whether it is one of an arm or a leg, or hangs on one."""
    first = {actor.joints[name] for name in _FIRST_OF_LIMBS if name in actor.joints}
    known: dict[int, bool] = {-1: False}
    for start in range(len(actor.bones)):
        line: list[int] = []
        bone = start
        while bone not in known and bone not in line:
            line.append(bone)
            bone = actor.bones[bone].parent
        below = known.get(bone, False)  # parents that run in a circle end here
        for passed in reversed(line):
            below = known[passed] = below or passed in first
    return [known[bone] for bone in range(len(actor.bones))]


def unseen_bends(
    actor: Actor,
    camera: Camera,
    geometry: Geometry,
    styles: Sequence[Style],
    bends: Mapping[int, tuple[float, float]],
) -> list[int]:
    """The movements of a body that, as far as they go, change nothing of what `camera` shows of the neutral model."""
    canvas = ForwardCanvas(actor, geometry, styles, _SIZE, 1)

    def drawn(pose: Pose) -> NDArray[np.int16]:
        values = np.concatenate(canvas.draw(pose, camera, BASIS_LIGHT)).astype(np.uint16)
        values[..., :3] = values[..., :3] * values[..., 3:] // 255
        return values.astype(np.int16)

    neutral = drawn(actor.rest)
    unseen = []
    for number, ends in bends.items():
        pose = actor.pose({number: max(ends, key=abs)}, FRONT) if actor.morphs[number].effects else actor.rest
        changed = (np.abs(drawn(pose) - neutral) > _CHANGED).any(axis=-1)
        if np.count_nonzero(changed) < _FEWEST:
            unseen.append(number)
    return unseen
