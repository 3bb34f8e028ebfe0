"""Poses a character by a motion, as drawing does: where its vertices and bones are."""

from collections.abc import Mapping

import numpy as np

from farm.models.description import Character
from farm.models.posing.armature import Armature
from farm.models.posing.bends import Frames
from farm.models.posing.morphs import ShapeEffect, combine
from farm.models.posing.skeleton import Skeleton
from farm.models.posing.taking import Taker
from farm.models.posing.turns import NO_TURN
from farm.models.skeleton import turning_bones
from farm.motion.description import Motion
from farm.motion.retargeting import Retargeted


class Stage:
    """One motion on one character."""

    def __init__(self, motion: Motion, character: Character, annotation: Mapping[str, int] | None = None) -> None:
        self.retargeted = Retargeted(motion, character, annotation or {})
        self._world = np.array(character.axes.to_world, np.float32)
        self._rest = (character.positions @ self._world.T).astype(np.float32)
        armature = Armature(character, turning_bones(character)[0], self._world)
        self._skeleton: Skeleton
        self._skeleton, self._skin = armature.bind(self.retargeted.moved, self._rest)
        self._morphs = {index: Taker(character, self._world).morph(index) for index in self.retargeted.played}
        self._heads = np.array([armature.place_of(bone) for bone in range(len(character.bones))])
        self._character = character

    def positions(self, seconds: float) -> np.ndarray:
        """(n, 3) the vertices in world axes."""
        (moment,) = self.retargeted.at(np.array([seconds]))
        positions = self._rest.copy()
        parts = [part for index, weight in moment.weights.items() for part in self._morphs[index].at(weight)]
        combined = combine(parts)
        assert all(isinstance(shape, ShapeEffect) for shape, _ in combined.shapes)
        for shape, strength in combined.shapes:
            positions[shape.vertices] += shape.offsets * np.float32(strength)
        self._skin.take(positions, self._skeleton.pose(moment.bones, NO_TURN))
        return positions

    def _frames(self, seconds: float) -> Frames:
        (moment,) = self.retargeted.at(np.array([seconds]))
        return self._skeleton.pose(moment.bones, NO_TURN)

    def turn(self, seconds: float, bone: int) -> np.ndarray:
        """(3, 3) how far a bone that moves is turned against the world."""
        (joint,) = (number for number, joint in enumerate(self._skeleton.joints) if joint.bone == bone)
        return np.asarray(self._frames(seconds).turns[joint], np.float64)

    def heads(self, seconds: float) -> np.ndarray:
        """(bones, 3) the heads of all bones in world axes."""
        frames = self._frames(seconds)
        places = {joint.bone: number for number, joint in enumerate(self._skeleton.joints)}
        found = self._heads.copy()
        for bone in range(len(found)):
            walk: int | None = bone
            while walk is not None and walk not in places:
                walk = self._character.bones[walk].parent
            if walk is not None:
                joint = places[walk]
                found[bone] = frames.turns[joint] @ found[bone] + frames.moves[joint]
        return found
