"""A character of any number of vertices: the mascot Nagi, again and again, one in the other."""

from dataclasses import replace
from pathlib import Path

import numpy as np

from farm.mascots import write_mascots
from farm.models.description import Character, VertexMorph
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from farm.models.vrm.writer import vrm_bytes
from farm.morphs.panels import Panel

_MOVED = 800
"""Vertices of each morph that is added."""


def write_enlarged(folder: Path, vertices: int, morphs: int = 0) -> list[Path]:
    """Nagi with so many vertices (at least her own) and morphs (at least her own), as PMX and as VRM."""
    path = write_mascots(folder)[0]
    large = _enlarged(read_character(".pmx", path.read_bytes()), vertices, morphs)
    path.write_bytes(pmx_bytes(large))
    pictures = {index: (path.parent / picture).read_bytes() for index, picture in enumerate(large.textures)}
    vrm = path.with_suffix(".vrm")
    vrm.write_bytes(vrm_bytes(replace(large, embedded=pictures)))
    return [path, vrm]


def _enlarged(character: Character, vertices: int, morphs: int) -> Character:
    """Copies of the character lie where it lies, under one more material, without the triangles that were cut."""
    own = len(character.positions)
    copies = -(-vertices // own)

    def repeated(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values] * copies)[:vertices]

    added = np.concatenate([character.triangles + own * copy for copy in range(1, copies)])
    added = added[(added < vertices).all(axis=1)]
    more = VertexMorph("", "", Panel.OTHER, np.arange(_MOVED, dtype=np.int32), np.zeros((_MOVED, 3), np.float32))
    first = character.materials[0]
    return replace(
        character,
        positions=repeated(character.positions),
        normals=repeated(character.normals),
        uvs=repeated(character.uvs),
        bone_indices=repeated(character.bone_indices),
        bone_weights=repeated(character.bone_weights),
        edge_scales=repeated(character.edge_scales),
        triangles=np.concatenate([character.triangles, added]),
        materials=(
            *character.materials,
            replace(first, first_triangle=len(character.triangles), triangle_count=len(added)),
        ),
        morphs=(*character.morphs, *(replace(more, name=f"more {n}") for n in range(morphs - len(character.morphs)))),
    )
