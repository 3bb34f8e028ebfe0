"""Builds a PMX or PMD character in Blender.

Only what a pose can move becomes a bone or a shape key: all other bones stand still, so the weights of a still bone go
to its nearest moving ancestor, which gives the same positions at a fraction of the cost.
Axes: Blender (x, y, z) = file (x, z, y), scale 1; the character looks along -Y.
"""

from collections.abc import Iterable
from pathlib import Path

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_worker.actor import Actor, KeyShare, Part, Run, Surface
from blender_worker.textures import Texture, UnreadableTextureError, decode
from farm.models.description import Bone, Character, GroupMorph, Material, MaterialFlag, VertexMorph
from farm.models.skeleton import find_neck_and_head

_HEAD_WEIGHT = 0.5
_HEAD_PERCENTILE = 99
_ROOT = "still"


def build(character: Character, textures: dict[int, Path], wanted: Iterable[str]) -> Actor:
    """Put `character` into the present scene.

    `textures` maps texture indices to files; `wanted` are the names of the source morphs that will be used. Raises
    NoNeckBoneError. What could not be honoured is in the actor's warnings.
    """
    joints = find_neck_and_head([bone.name for bone in character.bones])
    names = [bone.name for bone in character.bones]
    neck, head = names.index(joints.neck), names.index(joints.head)
    warnings: list[str] = []
    armature = _build_armature(character.bones[neck])
    mesh_object = _build_mesh(character)
    turns = _moved_weights(character, neck)
    _bind(mesh_object, armature, joints.neck, turns)
    morphs = _build_shape_keys(mesh_object, character, wanted, warnings)
    part = Part(
        object=mesh_object,
        vertices=np.arange(len(character.positions), dtype=np.int32),
        normals=_to_blender(character.normals),
        uvs=np.ascontiguousarray(character.uvs * np.float32([1, -1]) + np.float32([0, 1])),
        turns=turns,
        outlines=character.edge_scales,
    )
    loaded = _load_textures(character, textures, warnings)
    runs = [
        Run(0, _surface(material, loaded), _triangles(character, material))
        for material in character.materials
        if material.triangle_count
    ]
    x, y, z = character.bones[neck].position
    return Actor(
        armature=armature,
        neck=joints.neck,
        parts=[part],
        runs=runs,
        morphs=morphs,
        neck_position=(x, z, y),
        head_height=_head_height(character, head, neck, turns),
        warnings=warnings,
    )


def _to_blender(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(vectors[:, [0, 2, 1]])


def _build_armature(neck: Bone) -> bpy.types.Object:
    """An armature with a bone that stands still and the neck as its child; tails only give the bones a length."""
    data = bpy.data.armatures.new("armature")
    armature = bpy.data.objects.new("armature", data)
    bpy.context.scene.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    root = data.edit_bones.new(_ROOT)
    root.head, root.tail = (0, 0, 0), (0, 0, 1)
    x, y, z = neck.position
    bone = data.edit_bones.new(neck.name)
    bone.head, bone.tail = (x, z, y), (x, z, y + 1)
    bone.parent = root
    bpy.ops.object.mode_set(mode="OBJECT")
    return armature


def _build_mesh(character: Character) -> bpy.types.Object:
    """The mesh with the file's vertices in the file's order; triangles are turned over, as the axes change hands."""
    triangles = character.triangles[:, ::-1]
    mesh = bpy.data.meshes.new("character")
    mesh.vertices.add(len(character.positions))
    mesh.attributes["position"].data.foreach_set("vector", _to_blender(character.positions).ravel())
    mesh.loops.add(triangles.size)
    mesh.loops.foreach_set("vertex_index", np.ascontiguousarray(triangles).ravel())
    mesh.polygons.add(len(triangles))
    mesh.polygons.foreach_set("loop_start", np.arange(0, triangles.size, 3, dtype=np.int32))
    mesh.update(calc_edges=False)
    mesh_object = bpy.data.objects.new("character", mesh)
    bpy.context.scene.collection.objects.link(mesh_object)
    return mesh_object


def _moved_weights(character: Character, neck: int) -> NDArray[np.float32]:
    """(n,) the share of each vertex's weight that lies on the neck and the bones below it, in [0, 1]."""
    below = np.zeros(len(character.bones) + 1, bool)  # one more, so that index -1 (no bone) reads False
    below[neck] = True
    changed = True
    while changed:  # parents may stand after their children in the file
        changed = False
        for index, bone in enumerate(character.bones):
            if not below[index] and bone.parent is not None and below[bone.parent]:
                below[index] = changed = True
    weights = np.where(character.bone_indices >= 0, character.bone_weights, 0)
    total = weights.sum(axis=1)
    moved = (weights * below[character.bone_indices]).sum(axis=1)
    return np.divide(moved, total, out=np.zeros_like(moved), where=total > 1e-6).clip(0, 1).astype(np.float32)


def _bind(mesh_object: bpy.types.Object, armature: bpy.types.Object, neck: str, turns: NDArray[np.float32]) -> None:
    """Weight the vertices to the two bones; vertices of equal weight are added together."""
    still, moving = mesh_object.vertex_groups.new(name=_ROOT), mesh_object.vertex_groups.new(name=neck)
    values, where = np.unique(turns, return_inverse=True)
    order = np.argsort(where, kind="stable")
    for value, rows in zip(values.tolist(), np.split(order, np.flatnonzero(np.diff(where[order])) + 1), strict=True):
        vertices = rows.tolist()
        if value > 0:
            moving.add(vertices, value, "REPLACE")
        if value < 1:
            still.add(vertices, 1 - value, "REPLACE")
    modifier = mesh_object.modifiers.new("armature", "ARMATURE")
    modifier.object = armature
    mesh_object.parent = armature


def _flatten(character: Character, index: int, factor: float, seen: frozenset[int]) -> list[tuple[VertexMorph, float]]:
    """The vertex morphs behind morph `index`, with their factors; a group that contains itself is cut there."""
    morph = character.morphs[index]
    if isinstance(morph, VertexMorph):
        return [(morph, factor)]
    if isinstance(morph, GroupMorph) and index not in seen:
        return [
            part
            for child, weight in zip(morph.morphs.tolist(), morph.weights.tolist(), strict=True)
            for part in _flatten(character, child, factor * weight, seen | {index})
        ]
    return []


def _build_shape_keys(
    mesh_object: bpy.types.Object, character: Character, wanted: Iterable[str], warnings: list[str]
) -> dict[str, list[KeyShare]]:
    """One shape key for each wanted source morph, groups summed up."""
    rest = _to_blender(character.positions)
    index_of: dict[str, int] = {}
    for index, morph in enumerate(character.morphs):
        index_of.setdefault(morph.name, index)
    mesh_object.shape_key_add(name="rest", from_mix=False)
    keys: dict[str, list[KeyShare]] = {}
    for name in wanted:
        shape = rest.copy()
        moves = _flatten(character, index_of[name], 1.0, frozenset())
        for morph, factor in moves:
            np.add.at(shape, morph.vertices, _to_blender(morph.offsets) * np.float32(factor))
        if not moves:
            kind = character.morphs[index_of[name]].kind
            warnings.append(f"Morph '{name}' is a {kind} morph, which this version does not draw; it shows no effect.")
        key = mesh_object.shape_key_add(name=name, from_mix=False)
        key.points.foreach_set("co", shape.ravel())
        keys[name] = [KeyShare(key, 1.0)]
    return keys


def _load_textures(character: Character, paths: dict[int, Path], warnings: list[str]) -> dict[int, Texture]:
    used = sorted({m.texture for m in character.materials if m.texture is not None})
    loaded: dict[int, Texture] = {}
    for index in used:
        if index not in paths:
            continue  # absent: the inventory has warned
        try:
            loaded[index] = decode(paths[index].read_bytes(), character.textures[index])
        except UnreadableTextureError as error:
            warnings.append(
                f"Texture '{character.textures[index]}' cannot be read ({error}); its material is drawn plain."
            )
    return loaded


def _surface(material: Material, loaded: dict[int, Texture]) -> Surface:
    edge = material.edge_size if material.flags & MaterialFlag.EDGE else 0.0
    return Surface(
        name=material.name,
        colour=_seen_colour(material),
        texture=loaded.get(material.texture) if material.texture is not None else None,
        double_sided=bool(material.flags & MaterialFlag.DOUBLE_SIDED),
        outline=max(0.0, edge),
        outline_colour=material.edge_colour,
    )


def _seen_colour(material: Material) -> tuple[float, float, float, float]:
    """The colour that MikuMikuDance shows under its default light: diffuse times 0.6 plus ambient, no brighter than 1."""
    rgb = [min(1.0, max(0.0, d * 0.6 + a)) for d, a in zip(material.diffuse[:3], material.ambient, strict=True)]
    return rgb[0], rgb[1], rgb[2], min(1.0, max(0.0, material.diffuse[3]))


def _triangles(character: Character, material: Material) -> NDArray[np.int32]:
    rows = slice(material.first_triangle, material.first_triangle + material.triangle_count)
    return np.ascontiguousarray(character.triangles[rows, ::-1])


def _head_height(character: Character, head: int, neck: int, turns: NDArray[np.float32]) -> float:
    """The 99th percentile of the height of the head's vertices over the neck bone."""
    weight = np.where(character.bone_indices == head, character.bone_weights, 0).sum(axis=1)
    heights = character.positions[:, 1] - np.float32(character.bones[neck].position[1])
    for chosen in (weight > _HEAD_WEIGHT, turns > _HEAD_WEIGHT, heights > 0):
        if chosen.any() and (top := float(np.percentile(heights[chosen], _HEAD_PERCENTILE))) > 0:
            return top
    return max(1e-3, float(np.ptp(character.positions[:, 1])) / 8 if len(character.positions) else 1.0)
