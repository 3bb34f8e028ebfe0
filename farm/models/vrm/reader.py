"""Reads VRM 0.x and 1.0 into a `Character`: binary glTF 2.0 with an extension that says what is a face.

Sources: glTF 2.0; VRM 0.0 and VRMC_vrm-1.0 specifications.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from farm.errors import ModelFormatError, NoNeckBoneError
from farm.models.description import VRM_0, VRM_1, Axes, Character, Expression, Ints
from farm.models.gltf.accessors import Accessors
from farm.models.gltf.container import Gltf, read_glb
from farm.models.gltf.geometry import GeometryReader, Heap
from farm.models.gltf.materials import read_material
from farm.models.gltf.nodes import Nodes, read_nodes
from farm.models.gltf.targets import Targets
from farm.models.gltf.textures import Textures
from farm.models.gltf.values import Json, entries, index, member, members, text, whole
from farm.models.materials import GltfMaterial, Shading
from farm.models.vrm.expressions import BoundMaterials, read_expressions_0, read_expressions_1, read_shape_keys
from farm.models.vrm.materials_0 import read_material_0

_FIRST_PERSON = "firstpersononly"
"""What the wearer alone sees, such as a body without its head; every other mark leaves a mesh in others' view."""


@dataclass(frozen=True, slots=True)
class _Version:
    """Where the two versions of VRM differ."""

    name: str
    axes: Axes
    extension: str
    bones: Callable[[Json, int], dict[str, int]]
    hidden: Callable[[Json, Nodes], set[int]]


def read_vrm(data: bytes) -> Character:
    """Read the bytes of a .vrm file.

    Raises ModelFormatError, ModelTruncatedError or NoNeckBoneError.
    """
    gltf = read_glb(data)
    version = next((v for v in _VERSIONS if v.extension in member(gltf.content, "extensions")), None)
    if version is None:
        raise ModelFormatError(
            "This glTF file has no VRM extension, so it says neither which bone is the neck nor which shapes are "
            "expressions. Export it as VRM."
        )
    vrm = member(member(gltf.content, "extensions"), version.extension)
    nodes = read_nodes(gltf.content)
    humanoid = _with_neck(version.bones(member(vrm, "humanoid"), len(nodes.names)))
    accessors, textures = Accessors(gltf), Textures(gltf)
    described = _materials(gltf, vrm, textures)
    heap = GeometryReader(gltf, accessors, nodes).read(
        version.hidden(member(vrm, "firstPerson"), nodes),
        lambda material: material is None or described[material].shading is not Shading.MTOON,
    )
    _turn_over(described, heap)
    bound_materials, triangles = _dressed(described, heap, textures)
    targets = Targets(gltf.content, accessors, nodes, heap)
    if version is _VERSION_1:
        expressions = list(read_expressions_1(member(vrm, "expressions"), targets, bound_materials))
    else:
        expressions = list(read_expressions_0(member(vrm, "blendShapeMaster"), targets, bound_materials))
    played = tuple(expression for expression, _ in expressions)
    morphs = played if any(expression.shown for expression in played) else read_shape_keys(targets)
    meta = member(vrm, "meta")
    return Character(
        format=f"VRM {version.name}",
        name=text(meta.get("title")) or text(meta.get("name")),
        name_en="",
        comment=text(meta.get("author")) or ", ".join(map(text, entries(meta, "authors"))),
        comment_en="",
        positions=heap.positions,
        normals=heap.normals,
        uvs=heap.uvs,
        bone_indices=heap.joints,
        bone_weights=heap.weights,
        edge_scales=np.ones(len(heap.positions), np.float32),
        triangles=triangles,
        textures=textures.names,
        materials=tuple(bound_materials.materials),
        bones=nodes.bones(),
        morphs=morphs,
        warnings=(*_notes(nodes, heap, expressions), *textures.warnings),
        axes=version.axes,
        licence={text(key): _said(value) for key, value in meta.items() if _said(value)},
        meshes=len(members(gltf.content, "meshes")),
        more_uvs=heap.more_uvs,
        colours=heap.colours,
        bound=heap.bound,
        humanoid=humanoid,
        targets=tuple(targets.found),
        embedded=textures.embedded,
    )


def _bones_1(humanoid: Json, nodes: int) -> dict[str, int]:
    bones = member(humanoid, "humanBones")
    found = {text(bone): index(member(bones, bone).get("node"), nodes) for bone in bones}
    return {bone: node for bone, node in found.items() if node is not None}


def _bones_0(humanoid: Json, nodes: int) -> dict[str, int]:
    found: dict[str, int] = {}
    for entry in members(humanoid, "humanBones"):
        node = index(entry.get("node"), nodes)
        if node is not None:
            found.setdefault(text(entry.get("bone")), node)
    return found


def _with_neck(humanoid: dict[str, int]) -> dict[str, int]:
    """The humanoid, the neck and the head standing for each other. Raises NoNeckBoneError without both."""
    neck, head = humanoid.get("neck"), humanoid.get("head")
    either = neck if neck is not None else head
    if either is None:
        raise NoNeckBoneError(
            "The VRM's humanoid has neither a neck nor a head bone, so neither the camera nor the head's rotation has a "
            "place. Assign the bone 'neck' in the VRM exporter and export again."
        )
    return humanoid | {"neck": either, "head": head if head is not None else either}


def _hidden_1(first_person: Json, nodes: Nodes) -> set[int]:
    return {
        node
        for entry in members(first_person, "meshAnnotations")
        if text(entry.get("type")).lower() == _FIRST_PERSON and (node := whole(entry.get("node"))) is not None
    }


def _hidden_0(first_person: Json, nodes: Nodes) -> set[int]:
    meshes = {
        whole(entry.get("mesh"))
        for entry in members(first_person, "meshAnnotations")
        if text(entry.get("firstPersonFlag")).lower() == _FIRST_PERSON
    }
    return {node for node, mesh in enumerate(nodes.meshes) if mesh is not None and mesh in meshes}


_VERSION_1 = _Version("1.0", VRM_1, "VRMC_vrm", _bones_1, _hidden_1)
_VERSIONS = (_VERSION_1, _Version("0.x", VRM_0, "VRM", _bones_0, _hidden_0))
"""A file that is both is read as the newer."""


def _materials(gltf: Gltf, vrm: Json, textures: Textures) -> list[GltfMaterial]:
    """The file's materials in its own order."""
    properties = members(vrm, "materialProperties")
    found = []
    for place, entry in enumerate(members(gltf.content, "materials")):
        material = read_material(entry, textures)
        found.append(read_material_0(properties[place], material, textures) if place < len(properties) else material)
    return found


def _turn_over(described: Sequence[GltfMaterial], heap: Heap) -> None:
    """Turn what shows its back inside out: its triangles, and its normals, which the light meets from there."""
    for primitive in heap.primitives:
        if primitive.material is not None and described[primitive.material].inside_out:
            primitive.triangles = np.ascontiguousarray(primitive.triangles[:, ::-1])
            heap.normals[primitive.first : primitive.first + len(primitive.used)] *= -1


def _dressed(described: Sequence[GltfMaterial], heap: Heap, textures: Textures) -> tuple[BoundMaterials, Ints]:
    """The materials in the order of drawing, and the triangles (m, 3) in runs that follow them."""
    runs: dict[int | None, list[Ints]] = {}
    for primitive in heap.primitives:
        runs.setdefault(primitive.material, []).append(primitive.triangles + np.int32(primitive.first))
    plain = read_material({}, textures)
    of = {material: described[material] if material is not None else plain for material in runs}
    order = sorted(runs, key=lambda material: of[material].queue)  # a stable sort: else by first use
    materials: list[GltfMaterial] = []
    places: dict[int, int] = {}
    first = 0
    for material in [*order, *(place for place in range(len(described)) if place not in runs)]:
        if material is not None:
            places[material] = len(materials)
        count = sum(map(len, runs.get(material, [])))
        known = of.get(material) or described[material or 0]
        materials.append(replace(known, first_triangle=first, triangle_count=count))
        first += count
    triangles = [np.empty((0, 3), np.int32), *(run for material in order for run in runs[material])]
    return BoundMaterials(materials, places), np.concatenate(triangles)


def _notes(nodes: Nodes, heap: Heap, expressions: Iterable[tuple[Expression, bool]]) -> list[str]:
    """What had to be mended or ignored, a sentence each."""
    notes = []
    if nodes.mended:
        notes.append(
            "The VRM's nodes are no tree: some stand below two others, or below themselves. They are taken apart."
        )
    if heap.unusable:
        notes.append(f"{heap.unusable} triangles name vertices that do not exist; they are left out.")
    notes += [
        f"Expression '{expression.name}' changes nothing that a picture can show."
        for expression, meant in expressions
        if meant and not expression.shown
    ]
    return notes


def _said(value: Any) -> str:
    """A field of the meta as text: texts, true and false, and lists of texts; nothing for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(text(item) for item in value if text(item))
    return text(value)
