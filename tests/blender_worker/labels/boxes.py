"""A character of boxes: an arm behind its back, a skirt over its knees, legs whose skin hangs on D bones (付与)."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from farm.models.description import Bone, BoneFlag, BoneMorph, Character, Inheritance
from farm.models.materials import MmdMaterial
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.morphs.panels import Panel
from tests.farm.models.made_files import material, small_character

type Place = tuple[float, float, float]

BONES: dict[str, tuple[Place, str]] = {
    "センター": ((0, 8, 0), ""),
    "下半身": ((0, 12, 0), "センター"),
    "スカート": ((0, 11, 0), "下半身"),
    "上半身": ((0, 12, 0), "センター"),
    "首": ((0, 16, 0), "上半身"),
    "頭": ((0, 16.6, 0), "首"),
    "左腕": ((1.9, 15.5, 0), "上半身"),
    "左ひじ": ((0.9, 13.5, 1.4), "左腕"),
    "左手首": ((-0.4, 12.4, 1.4), "左ひじ"),
    "右腕": ((-1.9, 15.5, 0), "上半身"),
    "右ひじ": ((-1.9, 13.2, 0), "右腕"),
    "右手首": ((-1.9, 11, 0), "右ひじ"),
    **{
        f"{side}{name}": ((sign, y, 0), f"{side}{above}" if above != "下半身" else above)
        for side, sign in (("左", 1.0), ("右", -1.0))
        for name, y, above in (
            ("足", 10.8, "下半身"),
            ("ひざ", 6.5, "足"),
            ("足首", 1.2, "ひざ"),
            ("足D", 10.8, "下半身"),
            ("ひざD", 6.5, "足D"),
            ("足首D", 1.2, "ひざD"),
        )
    },
}
"""Name to place and parent."""
BOXES: list[tuple[str, str, Place, Place]] = [
    ("skin", "頭", (-1.3, 16.6, -1.3), (1.3, 19.6, 1.3)),
    ("skin", "首", (-0.4, 15.8, -0.4), (0.4, 16.7, 0.4)),
    ("blue", "上半身", (-1.5, 11, -0.8), (1.5, 16, 0.8)),
    ("skin", "右腕", (-2.3, 13.2, -0.4), (-1.5, 15.8, 0.4)),
    ("skin", "右ひじ", (-2.3, 11, -0.4), (-1.5, 13.2, 0.4)),
    ("skin", "右手首", (-2.3, 10, -0.4), (-1.5, 11, 0.4)),
    ("blue", "左腕", (1.5, 13.2, -0.4), (2.2, 15.8, 1.8)),
    ("skin", "左ひじ", (-0.2, 12.0, 1.0), (1.5, 14.0, 1.8)),
    ("skin", "左手首", (-0.9, 12.0, 1.0), (-0.2, 12.8, 1.8)),
    ("red", "スカート", (-1.9, 5.5, -1.2), (1.9, 11, 1.2)),
    *[
        (colour, f"{side}{bone}", (sign - 0.4, low, -0.4), (sign + 0.4, high, 0.4))
        for side, sign in (("左", 1.0), ("右", -1.0))
        for colour, bone, low, high in (
            ("skin", "足D", 6.5, 10.8),
            ("skin", "ひざD", 1.2, 6.5),
            ("red", "足首D", 0, 1.2),
        )
    ],
]
"""Colour, bone, lowest and highest corner; y is up, -z in front."""
COLOURS = {"skin": (1.0, 0.85, 0.75), "blue": (0.2, 0.3, 0.8), "red": (0.7, 0.1, 0.1)}
_FACES = ((0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3))
MORPH = "姿勢"
TURNS: dict[str, Place] = {"右ひじ": (-50, 0, 0), "上半身": (0, 15, 0), "左足": (-30, 0, 0), "首": (0, 0, 10)}
"""What the morph turns: degrees about the file's axes, one each."""


def quaternion(turn: Place) -> tuple[float, float, float, float]:
    """A turn about one of the axes: x, y, z, w."""
    half = np.radians(turn) / 2
    x, y, z = np.sin(half).tolist()
    return x, y, z, float(np.prod(np.cos(half)))


def boxes() -> Character:
    """Its materials have no names that mean anything, and no textures: one for each colour."""
    names = list(BONES)
    shown = BoneFlag.ROTATABLE | BoneFlag.VISIBLE | BoneFlag.ENABLED
    bones = [
        Bone(name, "", place, names.index(above) if above else None, 0, shown) for name, (place, above) in BONES.items()
    ]
    for index, bone in enumerate(bones):
        if bone.name.endswith("D"):
            leader = Inheritance(names.index(bone.name.removesuffix("D")), 1.0)
            bones[index] = replace(bone, flags=shown | BoneFlag.INHERIT_ROTATION, inheritance=leader)
    positions: list[list[float]] = []
    normals: list[list[float]] = []
    holders: list[int] = []
    triangles: list[tuple[int, int, int]] = []
    materials: list[MmdMaterial] = []
    for number, (colour, rgb) in enumerate(COLOURS.items()):
        first = len(triangles)
        for own, holder, low, high in BOXES:
            if own == colour:
                corners = np.array([[(low, high)[i >> (2 - axis) & 1][axis] for axis in range(3)] for i in range(8)])
                middle = corners.mean(axis=0)
                for face in _FACES:
                    start = len(positions)
                    quad = corners[list(face)]
                    normal = quad.mean(axis=0) - middle
                    positions += quad.tolist()
                    normals += [(normal / np.linalg.norm(normal)).tolist()] * 4
                    holders += [names.index(holder)] * 4
                    triangles += [(start, start + 1, start + 2), (start, start + 2, start + 3)]
        base = material(f"材質{number}", first=first, triangles=len(triangles) - first)
        materials.append(replace(base, diffuse=(*rgb, 1.0), ambient=(0.0, 0.0, 0.0)))
    count = len(positions)
    turned = [names.index(name) for name in TURNS]
    return replace(
        small_character(),
        positions=np.array(positions, np.float32),
        normals=np.array(normals, np.float32),
        uvs=np.zeros((count, 2), np.float32),
        bone_indices=np.column_stack([holders, np.full((count, 3), -1)]).astype(np.int32),
        bone_weights=np.tile(np.array([1, 0, 0, 0], np.float32), (count, 1)),
        edge_scales=np.ones(count, np.float32),
        triangles=np.array(triangles, np.int32),
        materials=tuple(materials),
        bones=tuple(bones),
        morphs=(
            BoneMorph(
                MORPH,
                "",
                Panel.OTHER,
                np.array(turned, np.int32),
                np.zeros((len(turned), 3), np.float32),
                np.array([quaternion(turn) for turn in TURNS.values()], np.float32),
            ),
        ),
    )


def write_boxes(folder: Path) -> Path:
    """The character as a file."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "boxes.pmx"
    path.write_bytes(pmx_bytes(boxes()))
    return path
