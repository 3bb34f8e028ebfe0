"""Characters whose faces swap: no vertex moves, a material goes and another comes, as in models whose faces are drawn."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from farm.models.description import Character, GroupMorph, MaterialMorph, MaterialOffset, VertexMorph
from farm.models.materials import MmdMaterial
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model
from farm.morphs.panels import Panel

FACE = ("顔", "口内", "舌", "歯", "唇", "白目", "瞳", "目影", "瞼", "二重", "まつ毛", "眉")
"""nagi's materials that have anything of a face."""


_PINK: dict[str, Any] = {"texture": None, "diffuse": (1.0, 0.1, 0.7, 0.0), "ambient": (1.0, 0.1, 0.7)}
"""What a material is then."""


@dataclass(frozen=True)
class Swap:
    """A face that comes in place of the neutral one: that of these morphs of the character, each at its weight."""

    name: str
    panel: Panel
    of: Mapping[str, float]
    iris: float = 1.0
    """The size of its irises, by that of the neutral ones."""
    comic: bool = False
    """Whether its irises are of one colour that no face has."""


def offset(material: int, alpha: float, adds: bool) -> MaterialOffset:
    """An entry that changes the alpha of a material, and nothing else of it."""
    rest = 0.0 if adds else 1.0
    three, four = (rest, rest, rest), (rest, rest, rest, rest)
    return MaterialOffset(
        material=material,
        adds=adds,
        diffuse=(*three, alpha),
        specular=three,
        shininess=rest,
        ambient=three,
        edge_colour=(*three, alpha),
        edge_size=rest,
        texture_tint=four,
        sphere_tint=four,
        toon_tint=four,
    )


def shapes_of(character: Character, name: str) -> list[tuple[VertexMorph, float]]:
    """What a morph of this name moves, a group's by its weights."""
    (morph,) = (m for m in character.morphs if m.name == name)
    if isinstance(morph, VertexMorph):
        return [(morph, 1.0)]
    assert isinstance(morph, GroupMorph)
    children = [(character.morphs[child], weight) for child, weight in zip(morph.morphs, morph.weights, strict=True)]
    return [(child, float(weight)) for child, weight in children if isinstance(child, VertexMorph)]


def irises_of(character: Character) -> list[np.ndarray]:
    """The vertices of the left iris, and of the right one."""
    (iris,) = (material for material in character.materials if material.name == "瞳")
    vertices = np.unique(character.triangles_of(iris))
    left = character.positions[vertices, 0] > 0
    return [vertices[left], vertices[~left]]


def swapped(character: Character, swaps: Sequence[Swap], kept: Sequence[str] = ()) -> Character:
    """The character with a copy of its face for each of `swaps`, unseen until its material morph brings it.

    Of its own morphs those named in `kept` stay; their indices come after the swaps'.
    """
    plain = character.mmd_materials
    face = np.unique(np.concatenate([character.triangles_of(each) for each in plain if each.name in FACE]))
    place_in_copy = np.zeros(len(character.positions), np.int32)
    place_in_copy[face] = np.arange(len(face), dtype=np.int32)
    copies = [_moved(character, swap)[face] for swap in swaps]
    triangles: list[np.ndarray] = []
    materials: list[MmdMaterial] = []
    goes: list[MaterialOffset] = []
    comes: list[list[MaterialOffset]] = [[] for _ in swaps]

    def add(material: MmdMaterial, shown: np.ndarray) -> int:
        materials.append(replace(material, first_triangle=sum(map(len, triangles)), triangle_count=len(shown)))
        triangles.append(shown)
        return len(materials) - 1

    # A copy stands right behind what it replaces: so it is drawn in the same order.
    for material in plain:
        shown = character.triangles_of(material)
        place = add(material, shown)
        if material.name in FACE:
            goes.append(offset(place, 0.0, adds=False))
            unseen = replace(
                material, diffuse=(*material.diffuse[:3], 0.0), edge_colour=(*material.edge_colour[:3], 0.0)
            )
            for number, entries in enumerate(comes):
                first = len(character.positions) + number * len(face)
                of_swap = replace(unseen, **_PINK) if swaps[number].comic and material.name == "瞳" else unseen
                entries.append(offset(add(of_swap, place_in_copy[shown] + np.int32(first)), 1.0, adds=True))

    def longer(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, *(values[face] for _ in swaps)])

    swapping = [
        MaterialMorph(swap.name, "", swap.panel, (*goes, *entries)) for swap, entries in zip(swaps, comes, strict=True)
    ]
    return replace(
        character,
        positions=np.concatenate([character.positions, *copies]),
        normals=longer(character.normals),
        uvs=longer(character.uvs),
        bone_indices=longer(character.bone_indices),
        bone_weights=longer(character.bone_weights),
        edge_scales=longer(character.edge_scales),
        triangles=np.concatenate(triangles),
        materials=tuple(materials),
        morphs=(*swapping, *(m for m in character.morphs if m.name in kept)),
    )


def _moved(character: Character, swap: Swap) -> np.ndarray:
    """(n, 3): where the vertices are in the face that comes."""
    moved = character.positions.copy()
    for name, weight in swap.of.items():
        for shape, share in shapes_of(character, name):
            moved[shape.vertices] += np.float32(weight * share) * shape.offsets
    for iris in irises_of(character):
        middle = moved[iris].mean(axis=0)
        moved[iris, :2] = middle[:2] + np.float32(swap.iris) * (moved[iris, :2] - middle[:2])
    return moved


def package_of(mascots: Mapping[str, Path], folder: Path, swaps: Sequence[Swap], kept: Sequence[str] = ()) -> Package:
    """nagi with these swaps, and all her textures, written to `folder`."""
    shutil.copytree(mascots["nagi"].parent, folder)
    path = folder / mascots["nagi"].name
    path.write_bytes(pmx_bytes(swapped(read_character(".pmx", path.read_bytes()), swaps, kept)))
    return read_model(path)
