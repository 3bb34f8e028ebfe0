"""Takes source morphs apart into effects: groups are flattened, all vertices that one morph moves become one shape."""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.morphs import BoneEffect, Effect, Flip, Morph, PaintEffect, ShapeEffect, UVEffect
from blender_worker.character.turns import unit
from blender_worker.importers.gltf_surfaces import colour_effect, transform_effects
from blender_worker.importers.mmd_surfaces import MmdPaint
from farm.models.description import (
    BoneMorph,
    Character,
    Expression,
    GroupMorph,
    MaterialMorph,
    UVMorph,
    VertexMorph,
)

_MOST_DEPTH = 64
"""Groups inside groups."""
_MOST_STEPS = 30_000_000
"""Vertices (and other things) that all wanted morphs of a model may move together: groups of groups in a hostile file
would multiply without end."""
_STEP = 1000
"""What a morph costs besides its vertices, in vertices."""


def take_apart(
    character: Character,
    wanted: Sequence[int],
    world: NDArray[np.float32],
    uvs: tuple[NDArray[np.float32], NDArray[np.float32] | None],
    warnings: list[str],
) -> dict[int, Morph]:
    """The effects of every wanted source morph, by index.

    `world` (3, 3) leads from the file's axes to the world's, `uvs` are the first and second coordinates (n, 2) at rest, v
    from the top.
    """
    taker = _Taker(character, world, uvs)
    found = {}
    for index in wanted:
        source = character.morphs[index]
        found[index] = taker.morph([(index, 1.0)], frozenset())
        if not found[index].effects and not found[index].flips:
            warnings.append(f"Morph '{source.name}' ({source.kind}) changes nothing that a picture can show.")
        if taker.steps > _MOST_STEPS:
            warnings.append(f"Morph '{source.name}' is a group of too many morphs; the rest of them is left out.")
    return found


class _Taker:
    """Takes the morphs of one character apart; `steps` counts what that has cost."""

    def __init__(
        self,
        character: Character,
        world: NDArray[np.float32],
        uvs: tuple[NDArray[np.float32], NDArray[np.float32] | None],
    ) -> None:
        self._character, self._world, self._uvs = character, world, uvs
        self.steps = 0

    def morph(self, roots: Iterable[tuple[int, float]], seen: frozenset[int]) -> Morph:
        """One morph from several source morphs with their weights."""
        result = Morph()
        shape = np.zeros_like(self._character.positions)
        self._collect(roots, seen, shape, result)
        moved = np.flatnonzero(shape.any(axis=1)).astype(np.int32)
        if len(moved):
            offsets = np.ascontiguousarray(shape[moved] @ self._world.T)
            result.effects.insert(0, (ShapeEffect(moved, offsets), 1.0))
        return result

    def _collect(
        self,
        roots: Iterable[tuple[int, float]],
        seen: frozenset[int],
        shape: NDArray[np.float32],
        result: Morph,
    ) -> None:
        """Add the source morphs `roots` to `shape` and `result`; a group that contains itself is cut there.

        `shape` (n, 3) is how far all vertices move together, in the file's axes.
        """
        for index, weight in roots:
            morph = self._character.morphs[index]
            self.steps += _STEP + (len(morph.vertices) if isinstance(morph, VertexMorph) else 0)
            if self.steps > _MOST_STEPS:
                return
            match morph:
                case VertexMorph():
                    np.add.at(shape, morph.vertices, morph.offsets * np.float32(weight))
                case Expression():
                    self._add_targets(morph, weight, shape)
                    result.effects += [(effect, weight) for effect in self._expression_effects(morph)]
                case BoneMorph():
                    result.effects += [(effect, weight) for effect in self._bone_effects(morph)]
                case UVMorph(channel=0 | 1) if morph.channel == 0 or self._uvs[1] is not None:
                    result.effects.append((self._uv_effect(morph), weight))
                case MaterialMorph():
                    result.effects += [(effect, weight) for effect in self._paint_effects(morph)]
                case GroupMorph() if index not in seen and len(seen) < _MOST_DEPTH:
                    children = list(zip(morph.morphs.tolist(), morph.weights.tolist(), strict=True))
                    inside = seen | {index}
                    if morph.flip:
                        choices = [(self.morph([(child, 1.0)], inside), own) for child, own in children]
                        result.flips.append(Flip(choices))
                    else:
                        self._collect([(child, own * weight) for child, own in children], inside, shape, result)
                case _:
                    pass

    def _add_targets(self, morph: Expression, weight: float, shape: NDArray[np.float32]) -> None:
        for number, share in morph.targets:
            target = self._character.targets[number]
            self.steps += _STEP + len(target.vertices)
            if self.steps <= _MOST_STEPS:
                np.add.at(shape, target.vertices, target.offsets * np.float32(share * weight))

    def _expression_effects(self, morph: Expression) -> Iterator[Effect]:
        found = [colour_effect(self._character, bind) for bind in morph.colours]
        for bind in morph.transforms:
            found += transform_effects(self._character, bind, self._uvs)
        return (effect for effect in found if effect is not None)

    def _bone_effects(self, morph: BoneMorph) -> Iterator[BoneEffect]:
        """The bone effects in world axes; a mirror among the axes turns rotations the other way round."""
        hand = -1.0 if np.linalg.det(self._world) < 0 else 1.0
        rows = zip(morph.bones.tolist(), morph.translations @ self._world.T, morph.rotations, strict=True)
        for bone, move, turn in rows:
            x, y, z = (self._world @ turn[:3] * hand).tolist()
            right, back, up = move.tolist()
            yield BoneEffect(bone, (right, back, up), unit(x, y, z, float(turn[3])))

    def _uv_effect(self, morph: UVMorph) -> UVEffect:
        # v counts from the top in the file and from the bottom here.
        places, row = np.unique(morph.vertices, return_inverse=True)
        offsets = np.zeros((len(places), 2), np.float32)
        np.add.at(offsets, row, morph.offsets[:, :2] * np.array([1, -1], np.float32))
        return UVEffect(places.astype(np.int32), offsets, second=morph.channel == 1)

    def _paint_effects(self, morph: MaterialMorph) -> Iterator[PaintEffect]:
        for entry in morph.entries:
            materials = range(len(self._character.materials)) if entry.material is None else [entry.material]
            self.steps += _STEP * len(materials)
            for material in materials if self.steps <= _MOST_STEPS else ():
                yield PaintEffect(material, *MmdPaint.change(entry))
