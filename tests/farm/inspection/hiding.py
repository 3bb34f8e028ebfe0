"""Characters with morphs that move what nobody sees: twins of their features, inside the head."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from farm.models.description import Character, VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import Package, read_character, read_model

_DEPTH = 1.2
"""How far behind the face the twins are: behind its skin, before the back of the head."""


@dataclass(frozen=True)
class Hidden:
    """A morph that does to a twin what another one does to the face, and stands before it in the file."""

    name: str
    of: str


def with_hidden(character: Character, hidden: Sequence[Hidden], named: Mapping[str, str]) -> Character:
    """The character with these morphs in front of its own; `named` gives some of its own other names."""
    own = {morph.name: morph for morph in character.morphs if isinstance(morph, VertexMorph)}
    moved = np.unique(np.concatenate([own[each.of].vertices for each in hidden]))
    place = np.full(len(character.positions), -1, np.int32)
    place[moved] = len(character.positions) + np.arange(len(moved), dtype=np.int32)
    twins = place[character.triangles[(place[character.triangles] >= 0).all(axis=1)]]
    skin = next(material for material in character.mmd_materials if material.name == "顔")
    inside = replace(skin, name="中", first_triangle=len(character.triangles), triangle_count=len(twins))

    def longer(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, values[moved]])

    def renamed(name: str) -> str:
        return named.get(name, name)

    return replace(
        character,
        positions=np.concatenate(
            [character.positions, character.positions[moved] + np.array((0, 0, _DEPTH), np.float32)]
        ),
        normals=longer(character.normals),
        uvs=longer(character.uvs),
        bone_indices=longer(character.bone_indices),
        bone_weights=longer(character.bone_weights),
        edge_scales=longer(character.edge_scales),
        triangles=np.concatenate([character.triangles, twins]),
        materials=(*character.mmd_materials, inside),
        morphs=(
            *(
                replace(own[each.of], name=each.name, vertices=place[own[each.of].vertices].astype(np.int32))
                for each in hidden
            ),
            *(replace(morph, name=renamed(morph.name)) for morph in character.morphs),
        ),
    )


def hiding(mascots: Mapping[str, Path], folder: Path, hidden: Sequence[Hidden], named: Mapping[str, str]) -> Package:
    """momo, so, with all her textures, written to `folder`."""
    shutil.copytree(mascots["momo"].parent, folder)
    path = folder / mascots["momo"].name
    path.write_bytes(pmx_bytes(with_hidden(read_character(".pmx", path.read_bytes()), hidden, named)))
    return read_model(path)
