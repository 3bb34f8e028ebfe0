"""Characters whose faces swap: no vertex moves, a material goes and another comes, as in models whose faces are drawn."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from farm.models.description import Character, GroupMorph, MaterialMorph, MaterialOffset, VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model
from farm.morphs.panels import Panel


@dataclass(frozen=True)
class Swap:
    """A face that comes in place of the neutral one: that of these morphs of the character, each at its weight."""

    name: str
    panel: Panel
    of: Mapping[str, float]
    iris: float = 1.0
    """The size of its irises, by that of the neutral ones."""


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
    """The character with a copy of itself for each of `swaps`, unseen until its material morph brings it.

    Of its own morphs those named in `kept` stay; their indices come after the swaps'.
    """
    count, plain = len(character.positions), character.mmd_materials
    positions, triangles, materials, morphs = [character.positions], [character.triangles], list(plain), []
    for number, swap in enumerate(swaps, 1):
        copy = character.positions.copy()
        for name, weight in swap.of.items():
            for shape, share in shapes_of(character, name):
                copy[shape.vertices] += np.float32(weight * share) * shape.offsets
        for iris in irises_of(character):
            middle = copy[iris].mean(axis=0)
            copy[iris, :2] = middle[:2] + np.float32(swap.iris) * (copy[iris, :2] - middle[:2])
        positions.append(copy)
        triangles.append(character.triangles + np.int32(number * count))
        first = number * len(plain)
        for material in plain:
            alpha = (*material.diffuse[:3], 0.0)
            begin = material.first_triangle + number * len(character.triangles)
            edge = (*material.edge_colour[:3], 0.0)
            materials.append(replace(material, diffuse=alpha, edge_colour=edge, first_triangle=begin))
        comes = [offset(first + place, 1.0, adds=True) for place in range(len(plain))]
        goes = [offset(place, 0.0, adds=False) for place in range(len(plain))]
        morphs.append(MaterialMorph(swap.name, "", swap.panel, (*goes, *comes)))
    times = 1 + len(swaps)

    def again(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values] * times)

    return replace(
        character,
        positions=np.concatenate(positions),
        normals=again(character.normals),
        uvs=again(character.uvs),
        bone_indices=again(character.bone_indices),
        bone_weights=again(character.bone_weights),
        edge_scales=again(character.edge_scales),
        triangles=np.concatenate(triangles),
        materials=tuple(materials),
        morphs=(*morphs, *(m for m in character.morphs if m.name in kept)),
    )


def package_of(mascots: Mapping[str, Path], folder: Path, swaps: Sequence[Swap], kept: Sequence[str] = ()) -> Package:
    """nagi with these swaps, and all her textures, written to `folder`."""
    shutil.copytree(mascots["nagi"].parent, folder)
    path = folder / mascots["nagi"].name
    path.write_bytes(pmx_bytes(swapped(read_character(".pmx", path.read_bytes()), swaps, kept)))
    return read_model(path)
