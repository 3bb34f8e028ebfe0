"""A whole body made by code: the mascot Momo with arms and legs of boxes, whose legs follow by 付与 as many models' do."""

from dataclasses import replace

import numpy as np

from farm.models.description import Bone, BoneFlag, Character, Inheritance
from tests.support.characters import mascot

ARM_DEGREES = 52.0
"""Below the level, as no other character at hand rests."""
_SHOWN = BoneFlag.ROTATABLE | BoneFlag.VISIBLE | BoneFlag.ENABLED
_CORNERS = np.array([[x, y, z] for x in (-1, 1) for y in (0, 1) for z in (-1, 1)], np.float64)
_FACES = np.array(
    [[0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1], [2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4],
     [1, 5, 7], [1, 7, 3]], np.int32,
)  # fmt: skip
"""Seen from both sides, so whichever way round they go does not matter."""


def momo_with_limbs() -> Character:
    """The mascot with a humanoid's arms and legs, and IK bones that hold nothing."""
    made = replace(mascot("momo"), morphs=())
    for japanese, side in (("左", 1.0), ("右", -1.0)):
        along = np.array([side * np.cos(np.radians(ARM_DEGREES)), -np.sin(np.radians(ARM_DEGREES)), 0.0])
        shoulder = np.array([side * 1.0, 12.6, 0.2])
        above: str = f"{japanese}肩"
        for number, name in enumerate(("腕", "ひじ", "手首")):
            made = _bone(made, japanese + name, above, shoulder + along * 2.2 * number)
            made = _box(
                made, japanese + name, shoulder + along * 2.2 * number, along * (2.2 if number < 2 else 1.0), 0.35
            )
            above = japanese + name
        above = "センター"
        for name, height, length in (("足", 8.5, 4.0), ("ひざ", 4.5, 4.0), ("足首", 0.5, 0.0)):
            at = np.array([side * 0.9, height, 0.0])
            made = _bone(made, japanese + name, above, at)
            made = _bone(
                made,
                f"{japanese}{name}D",
                f"{above}D" if number_of(made, f"{above}D") >= 0 else above,
                at,
                japanese + name,
            )
            way = np.array([0, -length, 0]) if length else np.array([0, 0, -1.4])
            made = _box(made, f"{japanese}{name}D", at, way, 0.45)
            above = japanese + name
        made = _bone(made, f"{japanese}足ＩＫ", "センター", np.array([side * 0.9, 0.5, 0.0]))
    return made


def number_of(character: Character, name: str) -> int:
    """The bone's index; -1 for none."""
    return next((index for index, bone in enumerate(character.bones) if bone.name == name), -1)


def _bone(character: Character, name: str, above: str, at: np.ndarray, leader: str = "") -> Character:
    x, y, z = at.tolist()
    bone = Bone(name, "", (x, y, z), number_of(character, above), 0, _SHOWN, tail_offset=(0.0, -1.0, 0.0))
    if leader:
        follows = Inheritance(number_of(character, leader), 1.0)
        bone = replace(bone, layer=1, flags=_SHOWN | BoneFlag.INHERIT_ROTATION, inheritance=follows)
    return replace(character, bones=(*character.bones, bone))


def _box(character: Character, bone: str, start: np.ndarray, way: np.ndarray, half: float) -> Character:
    """The character with a box from `start` along `way`, which the bone holds alone."""
    across = np.cross(way, [0, 0, 1.0]) if abs(way[2]) < 0.5 * np.linalg.norm(way) else np.cross(way, [1.0, 0, 0])
    across /= np.linalg.norm(across)
    up = np.cross(across, way / np.linalg.norm(way))
    corners = start + _CORNERS[:, :1] * across * half + _CORNERS[:, 1:2] * way + _CORNERS[:, 2:] * up * half
    first, count = len(character.positions), len(corners)

    def longer(values: np.ndarray, row: list[float]) -> np.ndarray:
        return np.concatenate([values, np.tile(np.array(row, values.dtype), (count, *[1] * (values.ndim - 1)))])

    box = replace(
        character.materials[0],
        name=f"box of {bone}",
        first_triangle=len(character.triangles),
        triangle_count=len(_FACES),
    )
    middle = corners.mean(axis=0)
    outwards = (corners - middle) / np.linalg.norm(corners - middle, axis=1, keepdims=True)
    return replace(
        character,
        positions=np.concatenate([character.positions, corners.astype(np.float32)]),
        normals=np.concatenate([character.normals, outwards.astype(np.float32)]),
        uvs=longer(character.uvs, [0.5, 0.5]),
        bone_indices=longer(character.bone_indices, [number_of(character, bone), -1, -1, -1]),
        bone_weights=longer(character.bone_weights, [1.0, 0, 0, 0]),
        edge_scales=np.concatenate([character.edge_scales, np.ones(count, character.edge_scales.dtype)]),
        triangles=np.concatenate([character.triangles, _FACES + np.int32(first)]),
        materials=(*character.materials, box),
    )
