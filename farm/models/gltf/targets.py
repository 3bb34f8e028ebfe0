"""The morph targets of a glTF file, read when something asks for them. Source: glTF 2.0, section 3.7.2.2."""

from collections.abc import Iterator

import numpy as np

from farm.errors import ModelFormatError
from farm.models.description import MorphTarget
from farm.models.gltf.accessors import Accessors
from farm.models.gltf.arithmetic import applied
from farm.models.gltf.geometry import Heap, Primitive
from farm.models.gltf.nodes import Nodes
from farm.models.gltf.values import Json, entries, member, members, text

_MAX_OFFSETS = 2**23
_MAX_LOOKUPS = 2**18
"""Of targets, by all expressions together, and of primitives for them: a file of a few MiB can bind every mesh of every
node again and again. Real ones ask some thousand times."""
_STANDSTILL = 1e-7
"""Of the character's size: a vertex that moves no farther stands still."""


class Targets:
    """The targets of the meshes that are shown."""

    def __init__(self, content: Json, accessors: Accessors, nodes: Nodes, heap: Heap) -> None:
        self.found: list[MorphTarget] = []
        """Those that were asked for and move something."""
        self._accessors = accessors
        self._meshes = members(content, "meshes")
        self._mesh_of = nodes.meshes
        self._by_node: dict[int, list[Primitive]] = {}
        for primitive in heap.primitives:
            self._by_node.setdefault(primitive.node, []).append(primitive)
        self._nodes_of: dict[int, list[int]] = {}
        for node in self._by_node:
            mesh = nodes.meshes[node]
            if mesh is not None:
                self._nodes_of.setdefault(mesh, []).append(node)
        self._known: dict[tuple[int, int], int | None] = {}
        self._names: dict[int, list[str]] = {}
        self._smallest = _STANDSTILL * float(np.ptp(heap.positions, axis=0).max()) if len(heap.positions) else 0.0
        self._left = _MAX_OFFSETS
        self._lookups = 0

    def nodes_of(self, mesh: int) -> list[int]:
        """The shown nodes that have the mesh."""
        return self._nodes_of.get(mesh, [])

    def named(self) -> Iterator[tuple[str, int, int]]:
        """(name, node, number) of every target that has a name, mesh by mesh."""
        for mesh, nodes in sorted(self._nodes_of.items()):
            for number, name in enumerate(self._names_of(mesh)):
                if name:
                    yield from ((name, node, number) for node in nodes)

    def find(self, node: int, number: int) -> int | None:
        """The index in `found` of a node's target; None when there is none or it moves nothing.

        Raises ModelFormatError when the file is damaged there, or asks too often.
        """
        self._count(1)
        if (node, number) not in self._known:
            self._count(len(self._by_node.get(node, ())))
            target = self._read(node, number)
            self._known[node, number] = len(self.found) if target is not None else None
            if target is not None:
                self.found.append(target)
        return self._known[node, number]

    def _count(self, lookups: int) -> None:
        self._lookups += lookups
        if self._lookups > _MAX_LOOKUPS:
            raise ModelFormatError(
                f"The VRM's expressions ask for morph targets more than {_MAX_LOOKUPS} times. Reduce their binds in an "
                "editor and export again."
            )

    def _names_of(self, mesh: int) -> list[str]:
        """The targets' names; exporters write them in the mesh's or the first primitive's extras."""
        if mesh not in self._names:
            holders = [self._meshes[mesh], *members(self._meshes[mesh], "primitives")]
            given: list[object] = next(
                (names for holder in holders if (names := entries(member(holder, "extras"), "targetNames"))), []
            )
            self._names[mesh] = [text(name) for name in given]
        return self._names[mesh]

    def _read(self, node: int, number: int) -> MorphTarget | None:
        vertices, offsets = [np.empty(0, np.int32)], [np.empty((0, 3), np.float32)]
        for primitive in self._by_node.get(node, []):
            if not 0 <= number < len(primitive.targets) or "POSITION" not in primitive.targets[number]:
                continue
            rows = self._accessors.rows(primitive.targets[number]["POSITION"], 3, primitive.count)
            if not len(rows.places):
                continue
            self._left -= len(rows.places)
            if self._left < 0:
                raise ModelFormatError(
                    f"The VRM's morph targets move over {_MAX_OFFSETS} vertices together. Reduce it in an editor and export "
                    "again."
                )
            places = np.searchsorted(primitive.used, rows.places).clip(0, len(primitive.used) - 1)
            is_used = primitive.used[places] == rows.places
            places, values = places[is_used], rows.values[is_used]
            moves = applied(primitive.linear if len(primitive.linear) == 1 else primitive.linear[places], values)
            moving = np.abs(moves).max(axis=1, initial=0) > self._smallest
            vertices.append((places[moving] + primitive.first).astype(np.int32))
            offsets.append(moves[moving].astype(np.float32))
        moved = np.concatenate(vertices)
        if not len(moved):
            return None
        mesh = self._mesh_of[node]
        names = self._names_of(mesh) if mesh is not None else []
        return MorphTarget(names[number] if number < len(names) else "", node, number, moved, np.concatenate(offsets))
