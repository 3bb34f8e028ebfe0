"""Characters whose head is held otherwise at rest than straight ahead."""

from dataclasses import replace

import numpy as np

from farm.models.description import Character, VertexMorph
from farm.models.skeleton import turning_bones
from farm.poses import rotation_matrix


def with_head_held(character: Character, degrees: tuple[float, float, float], about: str = "head") -> Character:
    """The character with its head rotated about world X, Y, Z at the bone `about`, "neck" or "head".

    What hangs on that bone goes along: vertices by their share, bones, and the offsets of vertex morphs.
    """
    neck, head, _ = turning_bones(character)
    pivot = neck if about == "neck" else head
    held = _below(character, pivot)
    world = np.array(character.axes.to_world)
    turn = (world.T @ rotation_matrix(degrees) @ world).astype(np.float32)
    start = np.array(character.bones[pivot].position, np.float32)
    share = (character.bone_weights * held[character.bone_indices]).sum(axis=1, keepdims=True)

    def turned(values: np.ndarray, by: np.ndarray) -> np.ndarray:
        return np.asarray(values + by * (values @ turn.T - values), np.float32)

    bones = []
    for index, bone in enumerate(character.bones):
        x, y, z = ((np.array(bone.position) - start) @ turn.T + start).tolist()
        bones.append(replace(bone, position=(x, y, z)) if held[index] else bone)
    morphs = [
        replace(morph, offsets=turned(morph.offsets, share[morph.vertices]))
        if isinstance(morph, VertexMorph)
        else morph
        for morph in character.morphs
    ]
    return replace(
        character,
        positions=turned(character.positions - start, share) + start,
        normals=turned(character.normals, share),
        bones=tuple(bones),
        morphs=tuple(morphs),
    )


def _below(character: Character, pivot: int) -> np.ndarray:
    """(bones + 1,) which bones hang on `pivot`, itself one of them; the last, which -1 reads, does not."""
    held = np.zeros(len(character.bones) + 1, bool)
    held[pivot] = True
    for _ in character.bones:
        for index, bone in enumerate(character.bones):
            held[index] |= bone.parent is not None and held[bone.parent]
    return held
