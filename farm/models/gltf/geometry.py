"""The meshes of a glTF file as one heap of vertices, each where the rest pose puts it. Source: glTF 2.0, sections 3.7 and 5.

A mesh on several nodes stands there once a node. Of a primitive's vertices only those are kept that a triangle uses.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from farm.errors import ModelFormatError
from farm.models.binary import finite
from farm.models.corners import at_any_corner
from farm.models.description import Floats, Ints
from farm.models.gltf.accessors import Accessors
from farm.models.gltf.arithmetic import (
    Doubles,
    Indices,
    applied,
    blended,
    bulge,
    cofactors,
    compacted,
    face_normals,
    smooth_normals,
    unit,
)
from farm.models.gltf.container import GEOMETRY_COMPRESSIONS, Gltf, compressed
from farm.models.gltf.nodes import Nodes
from farm.models.gltf.values import Json, entries, index, member, members

_MAX_PRIMITIVES = 2**10
_MAX_VERTICES = 2**20
_MAX_CORNERS = 3 * 2**21
_SETS = 2
"""Sets of four joints and weights a vertex."""
_LAYERS = 4
"""Texture coordinates a vertex."""
_DISAGREEMENT = 1e-6
"""Of the character's size: where two bones put a vertex no farther apart, they agree."""
_ROUNDING = 5e-7
"""By which matrices may differ that are one but for the 32 bits that the file has for each number."""
_BULGES = 0.1
_TRIANGLES, _STRIP, _FAN = 4, 5, 6


@dataclass(slots=True, eq=False)
class Primitive:
    """One primitive on one node; n vertices."""

    node: int
    material: int | None
    used: Indices
    """(n,) which of the file's vertices it uses, ascending."""
    count: int
    """How many the file has."""
    targets: Sequence[Json]
    triangles: Ints
    """(m, 3) indices into `used`."""
    linear: Doubles
    """(n or 1, 3, 3) from the file's offsets to those of the rest pose."""
    positions: Floats
    normals: Floats
    uvs: Floats
    """(layers, n, 2)"""
    colours: Floats | None
    joints: Ints
    weights: Floats
    alone: Floats | None
    """(n, k, 3) where each bone alone would put each vertex; None where there is one matrix for all."""
    first: int = 0
    """Index of its first vertex in the heap."""


@dataclass(frozen=True, slots=True)
class Heap:
    """The arrays of `Character`, and the primitives that they were made of."""

    primitives: tuple[Primitive, ...]
    positions: Floats
    normals: Floats
    uvs: Floats
    more_uvs: Floats | None
    colours: Floats | None
    joints: Ints
    weights: Floats
    bound: Floats | None
    unusable: int
    """Triangles left out because they name vertices that do not exist."""


class GeometryReader:
    """Reads the meshes of one file."""

    def __init__(self, gltf: Gltf, accessors: Accessors, nodes: Nodes) -> None:
        self._gltf = gltf
        self._accessors = accessors
        self._nodes = nodes
        self._meshes = members(gltf.content, "meshes")
        self._skins = members(gltf.content, "skins")
        self._palettes: dict[int, tuple[Ints, Doubles]] = {}
        self._primitives = self._vertices = self._corners = self._unusable = 0

    def read(self, hidden: set[int], coloured: Callable[[int | None], bool]) -> Heap:
        """The shown meshes but for those of the nodes `hidden`; `coloured` says which materials regard vertex colours.

        Raises ModelFormatError.
        """
        found: list[Primitive] = []
        for node in self._nodes.shown:
            mesh = self._nodes.meshes[node]
            if mesh is not None and node not in hidden:
                found += self._on_node(node, self._meshes[mesh], coloured)
        return _heap(found, self._unusable)

    def _on_node(self, node: int, mesh: Json, coloured: Callable[[int | None], bool]) -> list[Primitive]:
        skin = self._nodes.skins[node]
        if skin is None and not cofactors(self._nodes.worlds[node, None, :3, :3]).any():
            return []  # scaled to nothing, which is how some hide what they do not want
        found = []
        for primitive in members(mesh, "primitives"):
            self._primitives += 1
            self._limit(self._primitives, _MAX_PRIMITIVES, "primitives")
            placed = self._placed(node, skin, primitive, coloured)
            if placed is not None:
                found.append(placed)
        _face_outwards(found)
        for placed in found:
            if not placed.normals.any():
                placed.normals = smooth_normals(placed.positions, placed.triangles)
        return found

    def _limit(self, count: int, limit: int, what: str) -> None:
        if count > limit:
            raise ModelFormatError(f"The VRM has over {limit} {what}. Reduce it in an editor and export again.")

    def _placed(
        self, node: int, skin: int | None, primitive: Json, coloured: Callable[[int | None], bool]
    ) -> Primitive | None:
        """The primitive where its node or its skin puts it; None when it has no triangles."""
        attributes = member(primitive, "attributes")
        at = index(attributes.get("POSITION"), len(entries(self._gltf.content, "accessors")))
        if at is None:
            return None
        if not self._accessors.has_bytes(at):
            for extension in GEOMETRY_COMPRESSIONS:
                if extension in member(primitive, "extensions"):
                    raise compressed(extension)
        count = self._accessors.count(at)
        corners = self._triangles(primitive, count)
        corners = corners[~at_any_corner(self._accessors.lost(at), corners)]
        if not len(corners):
            return None
        used, triangles = compacted(corners, count)
        self._vertices += len(used)
        self._corners += corners.size
        self._limit(self._vertices, _MAX_VERTICES, "vertices")
        self._limit(self._corners, _MAX_CORNERS, "corners of triangles")

        def attribute(name: str, *widths: int) -> Floats | None:
            number = attributes.get(name)
            return self._accessors.floats(number, widths, count)[used] if number is not None else None

        points = self._accessors.floats(at, (3,), count)[used].astype(np.float64)
        slots, joints, weights, palette = self._bones(node, skin, attributes, count, used)
        matrices, alone = blended(palette, slots, weights, points)
        linear = matrices[:, :, :3]
        determinants = np.linalg.det(linear)
        mirrored = np.broadcast_to(determinants < 0, len(used))[triangles[:, 0]]
        triangles[mirrored] = triangles[mirrored][:, ::-1]
        normals = attribute("NORMAL", 3)
        if normals is None:
            normals = np.zeros((len(used), 3), np.float32)
        else:
            turned = applied(cofactors(linear) * np.where(determinants < 0, -1.0, 1.0)[:, None, None], normals)
            normals = unit(turned)
        uvs = [attribute(f"TEXCOORD_{layer}", 2) for layer in range(_LAYERS)]
        layers = max((layer + 1 for layer, uv in enumerate(uvs) if uv is not None), default=1)
        nothing = np.zeros((len(used), 2), np.float32)
        material = index(primitive.get("material"), len(entries(self._gltf.content, "materials")))
        colours = attribute("COLOR_0", 3, 4) if coloured(material) else None
        if colours is not None and colours.shape[1] == 3:
            colours = np.column_stack([colours, np.ones(len(used), np.float32)])
        return Primitive(
            node=node,
            material=material,
            used=used,
            count=count,
            targets=members(primitive, "targets"),
            triangles=triangles,
            linear=linear,
            positions=finite((applied(linear, points) + matrices[:, :, 3]).astype(np.float32)),
            normals=normals,
            uvs=np.stack([uv if uv is not None else nothing for uv in uvs[:layers]]),
            colours=colours,
            joints=joints,
            weights=weights.astype(np.float32),
            alone=finite(alone.astype(np.float32)) if alone is not None else None,
        )

    def _triangles(self, primitive: Json, count: int) -> Indices:
        """(m, 3) indices of the file's vertices."""
        mode = primitive.get("mode", _TRIANGLES)
        if mode not in (_TRIANGLES, _STRIP, _FAN):
            return np.empty((0, 3), np.int64)
        if primitive.get("indices") is None:
            self._limit(count, _MAX_VERTICES, "vertices")
            corners = np.arange(count)
        else:
            named = self._accessors.count(primitive["indices"])
            self._limit(self._corners + named, _MAX_CORNERS, "corners of triangles")
            corners = self._accessors.integers(primitive["indices"], 1)[:, 0]
        if mode == _TRIANGLES:
            triangles = corners[: len(corners) // 3 * 3].reshape(-1, 3)
        elif len(corners) < 3:
            return np.empty((0, 3), np.int64)
        elif mode == _STRIP:
            triangles = np.stack([corners[:-2], corners[1:-1], corners[2:]], axis=1)
            triangles[1::2] = triangles[1::2][:, [1, 0, 2]]
        else:
            triangles = np.stack([np.full(len(corners) - 2, corners[0]), corners[1:-1], corners[2:]], axis=1)
        if len(triangles) and (int(triangles.max()) >= count or int(triangles.min()) < 0):
            usable = ((triangles < count) & (triangles >= 0)).all(axis=1)
            self._unusable += int((~usable).sum())
            triangles = triangles[usable]
        return triangles

    def _bones(
        self, node: int, skin: int | None, attributes: Json, count: int, used: Indices
    ) -> tuple[Indices, Ints, Doubles, Doubles]:
        """(n, k) places in the palette, (n, k) bones, (n, k) weights, and the palette (j, 3, 4) of matrices."""
        if skin is None or attributes.get("JOINTS_0") is None or attributes.get("WEIGHTS_0") is None:
            slots = np.zeros((len(used), 4), np.int64)
            bones = np.tile(np.array([node, -1, -1, -1], np.int32), (len(used), 1))
            return slots, bones, np.tile([1.0, 0.0, 0.0, 0.0], (len(used), 1)), self._nodes.worlds[node, None, :3]
        joints, palette = self._palette(skin)
        sets = [
            number for number in range(_SETS) if f"JOINTS_{number}" in attributes and f"WEIGHTS_{number}" in attributes
        ]
        slots = np.hstack([self._accessors.integers(attributes[f"JOINTS_{s}"], 4, count)[used] for s in sets])
        given = np.hstack([self._accessors.floats(attributes[f"WEIGHTS_{s}"], (4,), count)[used] for s in sets])
        known = (slots >= 0) & (slots < len(joints))
        slots = np.where(known, slots, 0)
        weights: Doubles = np.where(known, given, 0).clip(0).astype(np.float64)
        total = weights.sum(axis=1)
        weights[total <= 0, 0] = 1.0  # no bone claims it: the first that is named has it
        weights /= np.where(total <= 0, 1.0, total)[:, None]
        return slots, np.where(weights > 0, joints[slots], -1).astype(np.int32), weights, palette

    def _palette(self, skin: int) -> tuple[Ints, Doubles]:
        """The nodes that a skin's joints are, and the matrix from the skin's space to the file's for each.

        One matrix stands for all where the rest pose is the pose that the skin was bound in, as it mostly is.
        """
        if skin not in self._palettes:
            entry = self._skins[skin]
            named = [index(joint, len(self._nodes.names)) for joint in entries(entry, "joints")]
            joints = np.array([joint if joint is not None else -1 for joint in named] or [-1], np.int32)
            inverse = np.tile(np.eye(4), (len(joints), 1, 1))
            number: Any = entry.get("inverseBindMatrices")
            if number is not None:
                given = self._accessors.floats(number, (16,)).reshape(-1, 4, 4).transpose(0, 2, 1)[: len(joints)]
                inverse[: len(given)] = given
            worlds = self._nodes.worlds if len(self._nodes.worlds) else np.eye(4)[None]
            palette = (worlds[joints.clip(0)] @ inverse)[:, :3]
            at_rest = bool(np.ptp(palette, axis=0).max() <= _ROUNDING)
            self._palettes[skin] = joints, palette.mean(axis=0, keepdims=True) if at_rest else palette
        return self._palettes[skin]


def _face_outwards(primitives: list[Primitive]) -> None:
    """Turn a mesh's triangles over when nearly all contradict the normals: some exporters mirror a mesh and forget that.

    Not so where the mesh bulges the way that its triangles face: then the normals are wrong, which is for the light alone.
    """
    known = [primitive for primitive in primitives if primitive.normals.any()]
    if not known:
        return
    agrees = [
        (face_normals(p.positions, p.triangles) * p.normals[p.triangles].sum(axis=1)).sum(axis=1) >= 0 for p in known
    ]
    if np.concatenate(agrees).mean() <= 0.1 and bulge([(p.positions, p.triangles) for p in known]) < _BULGES:
        for primitive in known:
            primitive.triangles = np.ascontiguousarray(primitive.triangles[:, ::-1])


def _heap(primitives: list[Primitive], unusable: int) -> Heap:
    """All primitives behind each other."""
    first = 0
    for primitive in primitives:
        primitive.first = first
        first += len(primitive.used)
    layers = max((len(primitive.uvs) for primitive in primitives), default=1)
    slots = max((primitive.joints.shape[1] for primitive in primitives), default=4)
    uvs = np.zeros((layers, first, 4), np.float32)
    joints, weights = np.full((first, slots), -1, np.int32), np.zeros((first, slots), np.float32)
    colours = np.ones((first, 4), np.float32)
    for p in primitives:
        rows = slice(p.first, p.first + len(p.used))
        uvs[: len(p.uvs), rows, :2] = p.uvs
        joints[rows, : p.joints.shape[1]] = p.joints
        weights[rows, : p.joints.shape[1]] = p.weights
        if p.colours is not None:
            colours[rows] = p.colours
    positions = np.concatenate([np.empty((0, 3), np.float32), *(p.positions for p in primitives)])
    return Heap(
        primitives=tuple(primitives),
        positions=positions,
        normals=np.concatenate([np.empty((0, 3), np.float32), *(p.normals for p in primitives)]),
        uvs=np.ascontiguousarray(uvs[0, :, :2]),
        more_uvs=uvs[1:] if layers > 1 else None,
        colours=colours if (colours != 1).any() else None,
        joints=joints,
        weights=weights,
        bound=_bound(primitives, positions, slots),
        unusable=unusable,
    )


def _bound(primitives: list[Primitive], positions: Floats, slots: int) -> Floats | None:
    """(n, k, 3) where each bone alone would put each vertex; None where they agree."""
    if all(primitive.alone is None for primitive in primitives):
        return None
    bound = np.repeat(positions[:, None], slots, axis=1)
    for p in primitives:
        if p.alone is not None:
            bound[p.first : p.first + len(p.used), : p.alone.shape[1]] = p.alone
    agreed = float(np.abs(bound - positions[:, None]).max()) <= _DISAGREEMENT * float(np.ptp(positions, axis=0).max())
    return None if agreed else bound
