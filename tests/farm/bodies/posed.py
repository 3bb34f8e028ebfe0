"""Characters that stand and take poses of the body, as drawing has it: where their joints are."""

from collections.abc import Mapping
from functools import cache
from pathlib import Path

import numpy as np

from blender_worker.character.actor import Actor
from blender_worker.importers.build import build
from farm.models.description import Character
from farm.models.package import read_character
from farm.models.posing.bends import Frames
from farm.models.posing.morphs import BoneEffect, combine
from farm.models.posing.turns import NO_TURN
from farm.spaces.limbs import RestPose
from farm.spaces.space import space_named

SPACE = space_named("body-34")
HUMANOIDS = (
    "yw_test_model/yw_test_model.pmx",
    "gene/Gene_light.pmx",
    "gene/Gene.pmd",
    "uka/MS_Uka.pmx",
    "vrm_256_ryuunoko_v0/npc.vrm",
    "vrm_cool_loops_v0/cool_loops.vrm",
    "vrm_godette/Godette_vrm_v4.vrm",
)


@cache
def character_at(path: Path) -> Character:
    """The character in a file."""
    return read_character(path.suffix, path.read_bytes())


@cache
def body_at(path: Path, rest: RestPose = RestPose.A) -> "Body":
    """The character in a file, standing so."""
    return Body(character_at(path), rest)


class Body:
    """One character that can play the space's movements."""

    def __init__(self, character: Character, rest: RestPose) -> None:
        moves = {number: movement.moves for number, movement in SPACE.movements.items()}
        self.actor: Actor = build(character, {}, [], None, moves, rest=rest)
        self.names = {bone.name: index for index, bone in reversed(list(enumerate(self.actor.bones)))}

    def weights(self, values: Mapping[str, float]) -> dict[int, float]:
        """Entries and their values as what shots call them; in the space's order, as samples have them."""
        keys = {key.places[0]: key.name for key in SPACE.keys.values() if len(key.places) == 1}
        return {
            SPACE.movement_of[keys[place]]: values[entry]
            for place, entry in enumerate(SPACE.entries)
            if entry in values and place in keys
        }

    def frames(self, values: Mapping[str, float]) -> Frames:
        """Where the joints go."""
        actor = self.actor
        stands = [(BoneEffect(bone, (0.0, 0.0, 0.0), turn), 1.0) for bone, turn in actor.stance.items()]
        played = [part for number, value in self.weights(values).items() for part in actor.morphs[number].at(value)]
        return actor.skeleton.pose(combine([*stands, *played]).bones, NO_TURN)

    def turn(self, values: Mapping[str, float], bone: int) -> np.ndarray:
        """(3, 3) how a bone that moves is turned against the world."""
        (number,) = (number for number, joint in enumerate(self.actor.skeleton.joints) if joint.bone == bone)
        return np.asarray(self.frames(values).turns[number], np.float64)

    def heads(self, values: Mapping[str, float]) -> np.ndarray:
        """(bones, 3) where each bone begins."""
        frames, bones = self.frames(values), self.actor.bones
        place = {joint.bone: number for number, joint in enumerate(self.actor.skeleton.joints)}
        found = np.array([bone.head for bone in bones])
        for index in range(len(bones)):
            walk = index
            while walk >= 0 and walk not in place:
                walk = bones[walk].parent
            if walk >= 0:
                number = place[walk]
                found[index] = frames.turns[number] @ found[index] + frames.moves[number]
        return found

    def joint(self, name: str, values: Mapping[str, float]) -> np.ndarray:
        """(3,) where a humanoid bone begins."""
        return np.asarray(self.heads(values)[self.actor.joints[name]])

    def way(self, start: str, end: str, values: Mapping[str, float]) -> np.ndarray:
        """(3,) the direction from one humanoid bone to another, of length 1."""
        heads = self.heads(values)
        way = heads[self.actor.joints[end]] - heads[self.actor.joints[start]]
        return np.asarray(way / np.linalg.norm(way))
