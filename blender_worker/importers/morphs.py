"""What the wanted source morphs do to a character: movement, and with it paint and texture coordinates."""

from collections.abc import Callable, Iterator, Sequence
from functools import cache

import numpy as np
from numpy.typing import NDArray

from blender_worker.importers.gltf_surfaces import colour_effect, transform_effects, vertices_of
from blender_worker.importers.mmd_surfaces import MmdPaint
from farm.models.description import Character, Expression, MaterialMorph, UVMorph
from farm.models.description import Morph as SourceMorph
from farm.models.posing.morphs import Effect, Morph, PaintEffect, UVEffect
from farm.models.posing.taking import MOST_STEPS, Taker

type Coordinates = tuple[NDArray[np.float32], NDArray[np.float32] | None]


def take_apart(
    character: Character, wanted: Sequence[int], world: NDArray[np.float32], uvs: Coordinates, warnings: list[str]
) -> dict[int, Morph]:
    """The effects of every wanted source morph, by index.

    `world` (3, 3) leads from the file's axes to the world's, `uvs` are the first and second coordinates (n, 2) at rest, v
    from the top.
    """
    taker = Taker(character, world, _looks(character, uvs))
    found = {}
    for index in wanted:
        source = character.morphs[index]
        found[index] = taker.morph(index)
        if not found[index].effects and not found[index].flips:
            warnings.append(f"Morph '{source.name}' ({source.kind}) changes nothing that a picture can show.")
        if taker.steps > MOST_STEPS:
            warnings.append(f"Morph '{source.name}' is a group of too many morphs; the rest of them is left out.")
    return found


def _looks(character: Character, uvs: Coordinates) -> Callable[[SourceMorph], Iterator[Effect]]:
    """What a morph of `character`, no group, does to paint and texture coordinates."""

    @cache  # any number of binds may name one material, and looking its triangles through takes as long as they are many
    def dressed(material: int) -> NDArray[np.int32]:
        return vertices_of(character, character.materials[material])

    def looks(morph: SourceMorph) -> Iterator[Effect]:
        match morph:
            case Expression():
                found = (colour_effect(character, bind) for bind in morph.colours)
                yield from (effect for effect in found if effect is not None)
                for transform in morph.transforms:
                    yield from transform_effects(character, transform, dressed(transform.material), uvs)
            case UVMorph(channel=0 | 1) if morph.channel == 0 or uvs[1] is not None:
                yield _uv_effect(morph)
            case MaterialMorph():
                for entry in morph.entries:
                    materials = range(len(character.materials)) if entry.material is None else [entry.material]
                    for material in materials:
                        yield PaintEffect(material, *MmdPaint.change(entry))
            case _:
                pass

    return looks


def _uv_effect(morph: UVMorph) -> UVEffect:
    # v counts from the top in the file and from the bottom here.
    places, row = np.unique(morph.vertices, return_inverse=True)
    offsets = np.zeros((len(places), 2), np.float32)
    np.add.at(offsets, row, morph.offsets[:, :2] * np.array([1, -1], np.float32))
    return UVEffect(places.astype(np.int32), offsets, second=morph.channel == 1)
