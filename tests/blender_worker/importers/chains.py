"""Which vertices one bone alone holds."""

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.actor import Actor


def chain_of(actor: Actor, name: str) -> NDArray[np.bool_]:
    """(n,) the vertices that the bone of this name moves rigidly, as a joint of the actor's skeleton."""
    bone = next(index for index, each in enumerate(actor.bones) if each.name == name)
    joint = next(number for number, each in enumerate(actor.skeleton.joints) if each.bone == bone)
    held = np.zeros(len(actor.vertices.positions), bool)
    held[actor.skin._rigid[joint]] = True
    return held
