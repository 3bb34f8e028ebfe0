"""Builds a VRM character in Blender with the VRM add-on (package ``bpy-vrm-format``) and describes it as an `Actor`.

The add-on turns VRM 0.x and 1.0 to look along -Y, as everything here does. Colours that it keeps are linear; surfaces
hold sRGB.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_worker.actor import Actor, KeyShare, Part, Run, Surface
from blender_worker.textures import Texture, UnreadableTextureError, decode
from farm.errors import NoNeckBoneError, RenderError

_ADD_ON = "io_scene_vrm"
_HEAD_WEIGHT = 0.5
_HEAD_PERCENTILE = 99
_OUTLINE_COLOUR = (0.22, 0.16, 0.18, 1.0)
"""For the materials that bring none of their own."""
_PRESET_NAMES_1 = {"blink_left": "blinkLeft", "blink_right": "blinkRight", "look_up": "lookUp", "look_down": "lookDown",
                   "look_left": "lookLeft", "look_right": "lookRight"}  # fmt: skip


class _Textures:
    """The pictures inside the file, each decoded once."""

    def __init__(self, warnings: list[str]) -> None:
        self._decoded: dict[str, Texture | None] = {}
        self._warnings = warnings

    def get(self, image: bpy.types.Image | None) -> Texture | None:
        """The decoded picture, or None where there is none that can be read."""
        if image is None:
            return None
        if image.name not in self._decoded:
            self._decoded[image.name] = self._decode(image)
        return self._decoded[image.name]

    def _decode(self, image: bpy.types.Image) -> Texture | None:
        try:
            if image.packed_file is None:
                raise UnreadableTextureError("it is not inside the file")
            return decode(image.packed_file.data, image.name)
        except UnreadableTextureError as error:
            self._warnings.append(f"Texture '{image.name}' cannot be read ({error}); its material is drawn plain.")
            return None


def build(path: Path, wanted: Iterable[str]) -> Actor:
    """Import the file `path` into the present scene; `wanted` are the names of the expressions that will be used.

    Raises NoNeckBoneError, or RenderError when the add-on cannot import the file.
    """
    if _ADD_ON not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module=_ADD_ON)
    before = set(bpy.data.objects)
    try:
        result = bpy.ops.import_scene.vrm(filepath=str(path))
    except RuntimeError as error:
        raise RenderError(f"Blender's VRM add-on could not import the file: {error}. Export it again.") from error
    objects = [item for item in bpy.data.objects if item not in before]
    armature = next((item for item in objects if item.type == "ARMATURE"), None)
    if "FINISHED" not in result or armature is None:
        raise RenderError("Blender's VRM add-on found no character in the file. Export it as VRM again.")
    extension = armature.data.vrm_addon_extension
    human = extension.vrm1.humanoid.human_bones
    neck, head = human.neck.node.bone_name, human.head.node.bone_name
    if neck not in armature.data.bones:
        raise NoNeckBoneError("The VRM's neck bone does not exist in its armature. Assign it and export again.")
    turning = {neck} | {bone.name for bone in armature.data.bones[neck].children_recursive}
    meshes = sorted((item for item in objects if item.type == "MESH" and _is_shown(item)), key=lambda item: item.name)
    warnings: list[str] = []
    textures = _Textures(warnings)
    parts: list[Part] = []
    runs: list[Run] = []
    head_tops: list[NDArray[np.float32]] = []
    neck_point = armature.matrix_world @ armature.data.bones[neck].head_local
    for item in meshes:
        for modifier in [m for m in item.modifiers if m.type != "ARMATURE"]:
            item.modifiers.remove(modifier)  # outlines as geometry: ours are drawn
        part, part_runs = _describe(item, len(parts), armature, turning, textures)
        heights = _heights(item, armature, {head}, turning, neck_point.z)
        parts.append(part)
        runs.extend(part_runs)
        head_tops.append(heights)
    if not runs:
        raise RenderError("The VRM holds no visible mesh. Export it again.")
    runs.sort(key=lambda run: 0 if run.surface.opaque else 1 if run.surface.cutoff is not None else 2)
    morphs = _bind_expressions(extension, wanted)
    _drop_unused_keys(meshes, morphs)
    tops = np.concatenate(head_tops)
    return Actor(
        armature=armature,
        neck=neck,
        parts=parts,
        runs=runs,
        morphs=morphs,
        neck_position=(neck_point.x, neck_point.y, neck_point.z),
        head_height=max(1e-3, float(np.percentile(tops, _HEAD_PERCENTILE)) if len(tops) else 0.25),
        warnings=warnings,
    )


def _is_shown(item: bpy.types.Object) -> bool:
    return not item.hide_render and not item.hide_viewport and len(item.data.polygons) > 0


def _describe(
    item: bpy.types.Object, number: int, armature: bpy.types.Object, turning: set[str], textures: _Textures
) -> tuple[Part, list[Run]]:
    """One mesh object as drawn vertices (a corner's vertex, UV and normal, each combination once) and runs."""
    mesh = item.data
    mesh.calc_loop_triangles()
    count = len(mesh.loops)
    vertex = np.empty(count, np.int32)
    mesh.loops.foreach_get("vertex_index", vertex)
    uv = np.zeros((count, 2), np.float32)
    if mesh.uv_layers:
        mesh.uv_layers[0].uv.foreach_get("vector", flat := np.empty(count * 2, np.float32))
        uv = flat.reshape(-1, 2)
    mesh.corner_normals.foreach_get("vector", flat := np.empty(count * 3, np.float32))
    normal = flat.reshape(-1, 3) @ np.linalg.inv(np.array(item.matrix_world, np.float32)[:3, :3])
    corners = np.column_stack([vertex.astype(np.float32), uv, np.round(normal, 3)])
    _, first, corner_to_drawn = np.unique(corners, axis=0, return_index=True, return_inverse=True)
    turns = _turns(item, armature, turning)
    part = Part(
        object=item,
        vertices=np.ascontiguousarray(vertex[first]),
        normals=np.ascontiguousarray(normal[first], dtype=np.float32),
        uvs=np.ascontiguousarray(uv[first]),
        turns=np.ascontiguousarray(turns[vertex[first]]),
        outlines=np.ones(len(first), np.float32),
    )
    triangle_count = len(mesh.loop_triangles)
    loops = np.empty(triangle_count * 3, np.int32)
    materials = np.empty(triangle_count, np.int32)
    mesh.loop_triangles.foreach_get("loops", loops)
    mesh.loop_triangles.foreach_get("material_index", materials)
    drawn = corner_to_drawn.reshape(-1)[loops].reshape(-1, 3).astype(np.int32)
    drawn = _face_outwards(mesh, part, drawn)
    runs = []
    for slot in np.unique(materials).tolist():
        material = mesh.materials[slot] if slot < len(mesh.materials) else None
        runs.append(Run(number, _surface(material, textures), np.ascontiguousarray(drawn[materials == slot])))
    return part, runs


def _face_outwards(mesh: bpy.types.Mesh, part: Part, triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Turn all triangles over when nearly all contradict the normals: some exporters mirror a mesh and forget that."""
    mesh.vertices.foreach_get("co", flat := np.empty(len(mesh.vertices) * 3, np.float32))
    points = (flat.reshape(-1, 3) @ np.array(part.object.matrix_world, np.float32)[:3, :3].T)[part.vertices]
    a, b, c = (points[triangles[:, i]] for i in range(3))
    agrees = (np.cross(b - a, c - a) * part.normals[triangles].sum(axis=1)).sum(axis=1) >= 0
    return triangles if agrees.mean() > 0.1 else np.ascontiguousarray(triangles[:, ::-1])


def _weights(item: bpy.types.Object, bones: set[str]) -> NDArray[np.float32]:
    """(n,) the share of each vertex's weight that lies on `bones`."""
    groups = {group.index for group in item.vertex_groups if group.name in bones}
    chosen = np.zeros(len(item.data.vertices), np.float32)
    total = np.zeros(len(item.data.vertices), np.float32)
    for index, vertex in enumerate(item.data.vertices):
        for entry in vertex.groups:
            total[index] += entry.weight
            if entry.group in groups:
                chosen[index] += entry.weight
    return np.divide(chosen, total, out=np.zeros_like(chosen), where=total > 1e-6).clip(0, 1)


def _turns(item: bpy.types.Object, armature: bpy.types.Object, bones: set[str]) -> NDArray[np.float32]:
    """(n,) how far each vertex follows `bones`: by its weights, or wholly when the object hangs on one of them."""
    if item.parent is armature and item.parent_type == "BONE":
        return np.full(len(item.data.vertices), float(item.parent_bone in bones), np.float32)
    return _weights(item, bones)


def _heights(
    item: bpy.types.Object, armature: bpy.types.Object, head: set[str], turning: set[str], neck_z: float
) -> NDArray[np.float32]:
    """Heights over the neck of the vertices that follow the head bone (or, where none does, all that turn)."""
    item.data.vertices.foreach_get("co", flat := np.empty(len(item.data.vertices) * 3, np.float32))
    world = np.array(item.matrix_world, np.float32)
    z = (flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])[:, 2] - np.float32(neck_z)
    follows = _turns(item, armature, head) > _HEAD_WEIGHT
    return z[follows if follows.any() else _turns(item, armature, turning) > _HEAD_WEIGHT]


def _to_srgb(colour: Iterable[float]) -> tuple[float, ...]:
    return tuple(12.92 * c if c <= 0.0031308 else 1.055 * c ** (1 / 2.4) - 0.055 for c in colour)


def _surface(material: bpy.types.Material | None, textures: _Textures) -> Surface:
    if material is None:
        return Surface("none", (0.8, 0.8, 0.8, 1.0), None, True, 1.0, _OUTLINE_COLOUR, opaque=True)
    gltf = material.vrm_addon_extension.mtoon1
    if not gltf.enabled:
        return _plain_surface(material, textures)
    colour = list(gltf.pbr_metallic_roughness.base_color_factor)
    r, g, b = _to_srgb(colour[:3])
    toon = gltf.extensions.vrmc_materials_mtoon
    edge = _OUTLINE_COLOUR
    if toon.outline_width_mode != "none" and toon.outline_width_factor > 0:
        edge_r, edge_g, edge_b = _to_srgb(toon.outline_color_factor)
        edge = (edge_r, edge_g, edge_b, 1.0)
    return Surface(
        name=material.name,
        colour=(r, g, b, colour[3]),
        texture=textures.get(gltf.pbr_metallic_roughness.base_color_texture.index.source),
        double_sided=gltf.double_sided,
        outline=0.0 if gltf.alpha_mode == "BLEND" else 1.0,
        outline_colour=edge,
        cutoff=gltf.alpha_cutoff if gltf.alpha_mode == "MASK" else None,
        opaque=gltf.alpha_mode == "OPAQUE",
    )


def _plain_surface(material: bpy.types.Material, textures: _Textures) -> Surface:
    """A glTF material without MToon: its colour and picture are found in the nodes that Blender's importer made."""
    colour, image, has_alpha = (0.8, 0.8, 0.8, 1.0), None, False
    tree = material.node_tree
    shader = next((n for n in tree.nodes if n.type in ("BSDF_PRINCIPLED", "EMISSION")), None) if tree else None
    if shader is not None:
        base = shader.inputs.get("Base Color") or shader.inputs["Color"]
        r, g, b = _to_srgb(list(base.default_value)[:3])
        alpha = shader.inputs.get("Alpha")
        colour = (r, g, b, alpha.default_value if alpha is not None else 1.0)
        image = _upstream_image(base)
        has_alpha = alpha is not None and bool(alpha.links)
        if image is not None:
            colour = (1.0, 1.0, 1.0, 1.0)
    return Surface(
        name=material.name,
        colour=colour,
        texture=textures.get(image),
        double_sided=not material.use_backface_culling,
        outline=0.0 if has_alpha else 1.0,
        outline_colour=_OUTLINE_COLOUR,
        opaque=not has_alpha,
    )


def _upstream_image(socket: bpy.types.NodeSocket) -> bpy.types.Image | None:
    """The first picture that feeds `socket`, through whatever nodes."""
    waiting, seen = [link.from_node for link in socket.links], set()
    while waiting:
        node = waiting.pop(0)
        if node in seen:
            continue
        seen.add(node)
        if node.type == "TEX_IMAGE" and node.image is not None:
            return node.image
        waiting += [link.from_node for entry in node.inputs for link in entry.links]
    return None


def _expressions(extension: Any) -> dict[str, list[tuple[str, str, float]]]:
    """Expression to its (object, shape key, weight) binds, under the names that `farm.models.vrm` lists."""
    found: dict[str, list[tuple[str, str, float]]] = {}
    if extension.spec_version == "1.0":
        expressions = extension.vrm1.expressions
        presets = expressions.preset.name_to_expression_dict()
        named = [(_PRESET_NAMES_1.get(name, name), entry) for name, entry in presets.items()]
        named += [(entry.custom_name, entry) for entry in expressions.custom]
        for name, entry in named:
            found.setdefault(name, [(b.node.mesh_object_name, b.index, b.weight) for b in entry.morph_target_binds])
    else:
        for group in extension.vrm0.blend_shape_master.blend_shape_groups:
            name = group.name if group.preset_name == "unknown" else group.preset_name
            found.setdefault(name, [(b.mesh.mesh_object_name, b.index, b.weight) for b in group.binds])
    return found


def _bind_expressions(extension: Any, wanted: Iterable[str]) -> dict[str, list[KeyShare]]:
    expressions = _expressions(extension)
    morphs: dict[str, list[KeyShare]] = {}
    for name in wanted:
        shares = []
        for object_name, key_name, weight in expressions.get(name, []):
            item = bpy.data.objects.get(object_name)
            keys = item.data.shape_keys if item is not None else None
            if keys is not None and key_name in keys.key_blocks:
                shares.append(KeyShare(keys.key_blocks[key_name], weight))
        morphs[name] = shares
    return morphs


def _drop_unused_keys(meshes: list[bpy.types.Object], morphs: dict[str, list[KeyShare]]) -> None:
    """Remove the shape keys that no wanted expression drives: each costs time in every pose."""
    used = {(share.key.id_data, share.key.name) for shares in morphs.values() for share in shares}
    places = {name: [(share.key.id_data, share.key.name, share.factor) for share in shares]
              for name, shares in morphs.items()}  # fmt: skip
    for item in meshes:
        keys = item.data.shape_keys
        if keys is None:
            continue
        for name in [block.name for block in keys.key_blocks[1:]]:
            if (keys, name) not in used:
                item.shape_key_remove(keys.key_blocks[name])
    # Removing keys moves the others in memory, so they are looked up again.
    for name, shares in places.items():
        morphs[name] = [KeyShare(keys.key_blocks[key], factor) for keys, key, factor in shares]
