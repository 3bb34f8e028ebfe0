"""What a picture of the neutral model shows of its body, and which movements of a body change it, in the frame asked for."""

from collections.abc import Mapping, Sequence

import numpy as np

from blender_worker.anatomy.study import Anatomy
from blender_worker.camera import Camera
from blender_worker.canvases.forward import ForwardCanvas
from blender_worker.character.actor import FRONT, Actor
from blender_worker.gpu.buffers import Geometry
from blender_worker.labels.arrays import LabelPass
from blender_worker.labels.comparing import FEWEST, SIZE, changed, looks
from farm import pipe
from farm.bodies.limbs import limbs_lacking
from farm.models.ancestry import inherited
from farm.models.corners import at_all_corners
from farm.styles.style import Style

_OTHER, _LIMB = 1, 2
_FIRST_OF_LIMBS = ("leftUpperArm", "rightUpperArm", "leftUpperLeg", "rightUpperLeg")


def body_survey(actor: Actor, camera: Camera, geometry: Geometry) -> pipe.BodySurvey:
    """What the neutral model shows of its body."""
    limbs = np.array([*_of_limbs(actor), False])  # one more, which -1 reads
    of_vertex = limbs[actor.vertices.bones]
    parts = [np.where(at_all_corners(of_vertex, run.triangles), _LIMB, _OTHER).astype(np.uint8) for run in actor.runs]
    probe = LabelPass(actor, geometry, SIZE)
    plain = [np.zeros(len(of_triangle), bool) for of_triangle in parts]
    probe.set_parts(Anatomy(parts, plain, (0.0, 0.0, 0.0), {}, {}))
    seen = np.bincount(probe.draw(actor.rest, actor.rest, camera).parts.ravel(), minlength=256)
    shown = int(seen[_OTHER] + seen[_LIMB])
    return pipe.BodySurvey(lacking=list(limbs_lacking(actor.joints)), limbs=int(seen[_LIMB]) / max(1, shown))


def _of_limbs(actor: Actor) -> list[bool]:
    """Of each bone, whether it is one of an arm or a leg, or hangs on one."""
    first = {actor.joints[name] for name in _FIRST_OF_LIMBS if name in actor.joints}
    return inherited([bone.parent for bone in actor.bones], dict.fromkeys(first, True), False)


def unseen_bends(
    actor: Actor,
    camera: Camera,
    geometry: Geometry,
    styles: Sequence[Style],
    bends: Mapping[int, tuple[float, float]],
) -> list[int]:
    """The movements of a body that, as far as they go, change nothing of what `camera` shows of the neutral model."""
    if not bends:
        return []
    canvas = ForwardCanvas(actor, geometry, styles, SIZE, 1)
    neutral = looks(canvas, actor.rest, camera)
    unseen = []
    for number, ends in bends.items():
        pose = actor.pose({number: max(ends, key=abs)}, FRONT) if actor.morphs[number].effects else actor.rest
        if np.count_nonzero(changed(looks(canvas, pose, camera), neutral)) < FEWEST:
            unseen.append(number)
    return unseen
