"""The mascots with other hair, hats and ears: what the measure of a head has to see through."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from farm.models.description import Character

type Change = Callable[[Character], Character]
_SIDES, _RINGS = 24, 40


def _bone(character: Character, name: str) -> int:
    return next(index for index, bone in enumerate(character.bones) if bone.name == name)


def _with_bone(character: Character, name: str, parent: str) -> Character:
    above = _bone(character, parent)
    added = replace(character.bones[above], name=name, name_en=name, parent=above, tail_bone=None)
    return replace(character, bones=(*character.bones, added))


def hair_on(parent: str, share: float = 1.0) -> Change:
    """Hair hangs on a bone of its own below `parent`: all of it, or only this share of it, from below."""

    def change(character: Character) -> Character:
        hair = np.zeros(len(character.positions), bool)
        for material in character.mmd_materials:
            if "hair" in material.name_en:
                hair[character.triangles[material.first_triangle :][: material.triangle_count]] = True
        heights = character.positions[:, 1]
        moved = hair & (heights <= np.quantile(heights[hair], share))
        bones, weights = character.bone_indices.copy(), character.bone_weights.copy()
        bones[moved], weights[moved] = (len(character.bones), -1, -1, -1), (1, 0, 0, 0)
        return replace(_with_bone(character, "髪", parent), bone_indices=bones, bone_weights=weights)

    return change


def cones(*places: tuple[float, float, float, float, float], held_by: str = "頭", in_hair: bool = False) -> Change:
    """Cones about (x, bottom, height, radius at the bottom, radius at the top) in the file's units are put on.

    A bone of their own below the head holds them unless `held_by` says which; their material is their own or the hair's.
    """

    def change(character: Character) -> Character:
        if held_by not in [bone.name for bone in character.bones]:
            character = _with_bone(character, held_by, "頭")
        points, triangles = _cones(places, len(character.positions))
        *others, hair, brows = character.mmd_materials
        assert (hair.name, brows.name) == ("髪", "眉")
        kept = character.triangles[: brows.first_triangle], character.triangles[brows.first_triangle :]
        brows = replace(brows, first_triangle=brows.first_triangle + len(triangles))
        if in_hair:
            materials = (*others, replace(hair, triangle_count=hair.triangle_count + len(triangles)), brows)
        else:
            worn = replace(hair, name="帽子", name_en="hat", first_triangle=len(kept[0]), triangle_count=len(triangles))
            materials = (*others, hair, worn, brows)
        count = len(points)
        holder, whole = np.array([_bone(character, held_by), -1, -1, -1], np.int32), np.array([1, 0, 0, 0], np.float32)
        return replace(
            character,
            positions=np.concatenate([character.positions, points]),
            normals=np.concatenate([character.normals, np.tile(np.array([0, 0, -1], np.float32), (count, 1))]),
            uvs=np.concatenate([character.uvs, np.zeros((count, 2), np.float32)]),
            bone_indices=np.concatenate([character.bone_indices, np.tile(holder, (count, 1))]),
            bone_weights=np.concatenate([character.bone_weights, np.tile(whole, (count, 1))]),
            edge_scales=np.concatenate([character.edge_scales, np.ones(count, np.float32)]),
            triangles=np.concatenate([kept[0], triangles, kept[1]]),
            materials=materials,
        )

    return change


def _cones(places: tuple[tuple[float, float, float, float, float], ...], first: int) -> tuple[np.ndarray, np.ndarray]:
    """Vertices (n, 3), and triangles (m, 3) whose vertices are counted from `first`."""
    ways = np.linspace(0, 2 * np.pi, _SIDES, endpoint=False)
    ring = np.column_stack([np.cos(ways), np.zeros(_SIDES), np.sin(ways)])
    up = np.linspace(0, 1, _RINGS)[:, None, None]
    points, triangles = [], []
    for number, (x, bottom, height, below, above) in enumerate(places):
        middle = np.array([x, bottom, 0.0]) + up * np.array([0.0, height, 0.0])
        points.append((middle + ring * (below + (above - below) * up)).reshape(-1, 3))
        grid = first + number * _SIDES * _RINGS + np.arange(_SIDES * _RINGS).reshape(_RINGS, _SIDES)
        low, high = grid[:-1], grid[1:]
        a, b, c, d = (one.ravel() for one in (low, np.roll(low, -1, 1), high, np.roll(high, -1, 1)))
        triangles += [np.column_stack([a, c, b]), np.column_stack([b, c, d])]
    return np.concatenate(points).astype(np.float32), np.concatenate(triangles).astype(np.int32)


def both(*changes: Change) -> Change:
    """One change after the other."""

    def change(character: Character) -> Character:
        for each in changes:
            character = each(character)
        return character

    return change


EARS = ((0.9, 16.8, 1.6, 0.45, 0.02), (-0.9, 16.8, 1.6, 0.45, 0.02))
TAILS = ((2.6, 11.0, 6.5, 0.5, 0.5), (-2.6, 11.0, 6.5, 0.5, 0.5))
TOP_HAT = ((0.0, 16.6, 0.1, 2.4, 2.4), (0.0, 16.6, 4.0, 1.5, 1.5))
WITCH_HAT = ((0.0, 16.5, 0.1, 2.8, 2.8), (0.0, 16.5, 5.0, 1.8, 0.02))
CHANGES: dict[str, Change] = {
    "hair on a bone of the neck": hair_on("首"),
    "hair on a bone of the head": hair_on("頭"),
    "the lower half of the hair on a bone of the head": hair_on("頭", 0.5),
    "nearly all hair on a bone of the head": hair_on("頭", 0.97),
    "ears in the hair's material": cones(*EARS, in_hair=True),
    "ears": cones(*EARS),
    "ears on bones of their own": cones(*EARS, held_by="耳", in_hair=True),
    "hair and ears on bones of their own": both(hair_on("頭"), cones(*EARS, held_by="髪", in_hair=True)),
    "tails": cones(*TAILS, in_hair=True),
    "tails on bones of their own": both(hair_on("首"), cones(*TAILS, held_by="髪", in_hair=True)),
    "a top hat": cones(*TOP_HAT),
    "a witch's hat": cones(*WITCH_HAT),
    "a witch's hat over hair on a bone of its own": both(hair_on("頭"), cones(*WITCH_HAT)),
    "a horn": cones((0.0, 16.8, 3.0, 0.3, 0.02), in_hair=True),
}
"""What changes nothing about how high the head is."""
