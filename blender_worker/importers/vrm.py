"""Builds a VRM character in Blender with the VRM add-on (package ``bpy-vrm-format``) and describes it as an `Actor`.

The add-on turns VRM 0.x and 1.0 to look along -Y, as everything here does. Expressions are taken apart into shape keys,
colours and texture transforms. Source: VRM 0.0 and VRMC_vrm-1.0 specifications.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import HEAD_WEIGHT, head_height
from blender_worker.character.actor import Actor, BoneInfo, Look, Part, Run, Surface
from blender_worker.character.morphs import Effect, KeyEffect, Morph, PaintEffect, UVEffect
from blender_worker.character.ramps import Ramp, between
from blender_worker.character.textures import Budget, Texture, UnreadableTextureError, decode
from farm.errors import NoNeckBoneError, RenderError

_ADD_ON = "io_scene_vrm"
_ORDINARY_HEAD = 0.25
"""Metres; for a model of which nothing follows the head."""
_OUTLINE_COLOUR = (0.04, 0.022, 0.027)
"""Linear light; for the materials that bring none of their own."""
_PLAIN = (0.6, 0.6, 0.6, 1.0)
_PRESET_NAMES_1 = {
    "blink_left": "blinkLeft",
    "blink_right": "blinkRight",
    "look_up": "lookUp",
    "look_down": "lookDown",
    "look_left": "lookLeft",
    "look_right": "lookRight",
}
_COLOURS = slice(0, 4)
_OUTLINE_COLOURS = slice(4, 7)


def build(path: Path, wanted: Iterable[str]) -> Actor:
    """Import the file `path` into the present scene; `wanted` are the names of the source morphs that will be used.

    Raises NoNeckBoneError, or RenderError when the add-on cannot import the file.
    """
    objects = _import(path)
    armature = next((item for item in objects if item.type == "ARMATURE"), None)
    if armature is None:
        raise RenderError("Blender's VRM add-on found no character in the file. Export it as VRM again.")
    extension = armature.data.vrm_addon_extension
    human = extension.vrm1.humanoid.human_bones
    neck, head = human.neck.node.bone_name, human.head.node.bone_name
    if neck not in armature.data.bones:
        raise NoNeckBoneError("The VRM's neck bone does not exist in its armature. Assign it and export again.")
    warnings: list[str] = []
    wardrobe = _Wardrobe(warnings)
    cast = _Cast(armature, {neck} | {bone.name for bone in armature.data.bones[neck].children_recursive}, wardrobe)
    meshes = sorted((item for item in objects if item.type == "MESH" and _is_shown(item)), key=lambda item: item.name)
    for item in meshes:
        for modifier in [m for m in item.modifiers if m.type != "ARMATURE"]:
            item.modifiers.remove(modifier)  # outlines as geometry: ours are drawn
        cast.add(item)
    if not cast.runs:
        raise RenderError("The VRM holds no visible mesh. Export it again.")
    morphs = {name: _morph(name, extension, cast, meshes) for name in wanted}
    for name, morph in morphs.items():
        if not morph.effects:
            warnings.append(f"Expression '{name}' changes nothing that a picture can show.")
    _drop_unused_keys(meshes, morphs)
    neck_point = armature.matrix_world @ armature.data.bones[neck].head_local
    return Actor(
        armature=armature,
        neck=neck,
        parts=cast.parts,
        surfaces=wardrobe.surfaces,
        runs=sorted(cast.runs, key=lambda run: wardrobe.order(run.surface)),
        morphs=morphs,
        neck_position=(neck_point.x, neck_point.y, neck_point.z),
        head_height=cast.head_height(meshes, head, neck_point.z),
        metres_per_unit=1.0,
        bones=_bone_infos(armature, human),
        warnings=warnings,
    )


def _bone_infos(armature: bpy.types.Object, human: Any) -> list[BoneInfo]:
    """What is known of every bone."""
    order = {bone.name: index for index, bone in enumerate(armature.data.bones)}
    roles = {
        human.jaw.node.bone_name: "jaw",
        human.left_eye.node.bone_name: "leftEye",
        human.right_eye.node.bone_name: "rightEye",
        human.head.node.bone_name: "head",
        human.neck.node.bone_name: "neck",
    }
    found = []
    for bone in armature.data.bones:
        x, y, z = armature.matrix_world @ bone.head_local
        parent = order[bone.parent.name] if bone.parent else -1
        found.append(BoneInfo(bone.name, parent, (x, y, z), roles.get(bone.name, "")))
    return found


def _import(path: Path) -> list[bpy.types.Object]:
    if _ADD_ON not in bpy.context.preferences.addons:
        bpy.ops.preferences.addon_enable(module=_ADD_ON)
    before = set(bpy.data.objects)
    try:
        result = bpy.ops.import_scene.vrm(filepath=str(path))
    except RuntimeError as error:
        lines = [
            line.strip() for line in str(error).splitlines() if line.strip() and not line.startswith(("  ", "Location"))
        ]
        reason = next((line for line in reversed(lines) if not line.startswith("Traceback")), "no reason given")
        raise RenderError(f"Blender's VRM add-on could not import the file ({reason}). Export it again.") from error
    if "FINISHED" not in result:
        raise RenderError("Blender's VRM add-on could not import the file. Export it again.")
    return [item for item in bpy.data.objects if item not in before]


def _is_shown(item: bpy.types.Object) -> bool:
    return not item.hide_render and not item.hide_viewport and len(item.data.polygons) > 0


@dataclass(frozen=True, slots=True)
class _Transform:
    """A texture transform in glTF's coordinates (v from the top): uv times `scale` plus `offset`."""

    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)

    def apply(self, uvs: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, 2) Blender's coordinates (v from the bottom), transformed."""
        u, v = uvs[:, 0], 1 - uvs[:, 1]
        moved = np.column_stack([u * self.scale[0] + self.offset[0], 1 - (v * self.scale[1] + self.offset[1])])
        return np.ascontiguousarray(moved, dtype=np.float32)


class _VrmPaint:
    """A material's numbers, linear light: base colour (4), outline colour (3), outline width (1)."""

    def __init__(self, colour: Iterable[float], outline: float, outline_colour: Iterable[float]) -> None:
        self.values = np.array([*colour, *outline_colour, outline], np.float32)

    def look(self, values: NDArray[np.float32]) -> Look:
        """The look of such numbers."""
        r, g, b, a = values[_COLOURS].clip(0, 1).tolist()
        edge = values[_OUTLINE_COLOURS].clip(0, 1).tolist()
        return Look((r, g, b, a), (0.0, 0.0, 0.0), float(values[7]), (edge[0], edge[1], edge[2], 1.0))


def _ramp(toon: Any, base_colour: Iterable[float]) -> Ramp:
    """MToon's shade as a ramp: its shade colour against the base colour, and the place and softness of its edge."""
    red, green, blue = (
        min(1.0, shade / max(base, 1e-3))
        for shade, base in zip(list(toon.shade_color_factor)[:3], list(base_colour)[:3], strict=True)
    )
    # MToon: linearstep(-1 + toony, 1 - toony, cosine + shift); the ramp runs over cosines from -1 to 1 about its edge.
    softness = max(0.01, (1 - toon.shading_toony_factor) / 2)
    return between((red, green, blue), 0.5 - softness, 0.5 + softness)


class _Wardrobe:
    """The surfaces of the character: each material described once, each picture decoded once."""

    def __init__(self, warnings: list[str]) -> None:
        self.surfaces: list[Surface] = []
        self._transforms: list[_Transform] = []
        self._by_material: dict[str, int] = {}
        self._decoded: dict[str, Texture | None] = {}
        self._budget = Budget()
        self._warnings = warnings

    def surface(self, material: bpy.types.Material | None) -> int:
        """The number of the material's surface."""
        name = material.name if material is not None else ""
        if name not in self._by_material:
            self._by_material[name] = len(self.surfaces)
            surface, transform = self._describe(material)
            self.surfaces.append(surface)
            self._transforms.append(transform)
        return self._by_material[name]

    def find(self, material: bpy.types.Material | None) -> int | None:
        """The number of the material's surface, if anything is drawn with it."""
        return self._by_material.get(material.name) if material is not None else None

    def transform(self, surface: int) -> _Transform:
        """The texture transform at rest."""
        return self._transforms[surface]

    def order(self, surface: int) -> int:
        """Opaque surfaces are drawn first, then cut-out ones, then blended ones."""
        described = self.surfaces[surface]
        return 0 if described.opaque else 1 if described.cutoff is not None else 2

    def _describe(self, material: bpy.types.Material | None) -> tuple[Surface, _Transform]:
        if material is None:
            return Surface("none", _VrmPaint(_PLAIN, 1.0, _OUTLINE_COLOUR), None, True, opaque=True), _Transform()
        gltf = material.vrm_addon_extension.mtoon1
        if not gltf.enabled:
            return self._describe_plain(material), _Transform()
        toon = gltf.extensions.vrmc_materials_mtoon
        own_outline = toon.outline_width_mode != "none" and toon.outline_width_factor > 0
        edge = list(toon.outline_color_factor) if own_outline else _OUTLINE_COLOUR
        base = gltf.pbr_metallic_roughness
        move = base.base_color_texture.extensions.khr_texture_transform
        surface = Surface(
            name=material.name,
            paint=_VrmPaint(base.base_color_factor, 0.0 if gltf.alpha_mode == "BLEND" else 1.0, edge),
            texture=self._texture(base.base_color_texture.index.source),
            double_sided=gltf.double_sided,
            cutoff=gltf.alpha_cutoff if gltf.alpha_mode == "MASK" else None,
            opaque=gltf.alpha_mode == "OPAQUE",
            ramp=_ramp(toon, base.base_color_factor),
        )
        return surface, _Transform(tuple(move.scale), tuple(move.offset))

    def _describe_plain(self, material: bpy.types.Material) -> Surface:
        """A glTF material without MToon: colour and picture are found in the nodes that Blender's importer made."""
        colour, image, has_alpha = _PLAIN, None, False
        tree = material.node_tree
        shader = next((n for n in tree.nodes if n.type in ("BSDF_PRINCIPLED", "EMISSION")), None) if tree else None
        if shader is not None:
            base = shader.inputs.get("Base Color") or shader.inputs["Color"]
            alpha = shader.inputs.get("Alpha")
            image = _upstream_image(base)
            has_alpha = alpha is not None and bool(alpha.links)
            if image is None:
                colour = (*list(base.default_value)[:3], alpha.default_value if alpha is not None else 1.0)
            else:
                colour = (1.0, 1.0, 1.0, 1.0)
        return Surface(
            name=material.name,
            paint=_VrmPaint(colour, 0.0 if has_alpha else 1.0, _OUTLINE_COLOUR),
            texture=self._texture(image),
            double_sided=not material.use_backface_culling,
            opaque=not has_alpha,
        )

    def _texture(self, image: bpy.types.Image | None) -> Texture | None:
        """The decoded picture, or None where there is none that can be read."""
        if image is None:
            return None
        if image.name not in self._decoded:
            try:
                if image.packed_file is None:
                    raise UnreadableTextureError("it is not inside the file")
                self._decoded[image.name] = self._budget.take(decode(image.packed_file.data, image.name))
            except UnreadableTextureError as error:
                self._decoded[image.name] = None
                self._warnings.append(f"Texture '{image.name}' cannot be read ({error}); its material is drawn plain.")
        return self._decoded[image.name]


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


class _Cast:
    """The mesh objects, described part by part."""

    def __init__(self, armature: bpy.types.Object, turning: set[str], wardrobe: _Wardrobe) -> None:
        self._armature = armature
        self._turning = turning
        self.wardrobe = wardrobe
        self.parts: list[Part] = []
        self.runs: list[Run] = []
        self._plain_uvs: list[NDArray[np.float32]] = []

    def add(self, item: bpy.types.Object) -> None:
        """Describe one mesh object: a corner's vertex, UV, normal and surface, each combination once."""
        mesh = item.data
        mesh.calc_loop_triangles()
        count, triangle_count = len(mesh.loops), len(mesh.loop_triangles)
        vertex = np.empty(count, np.int32)
        mesh.loops.foreach_get("vertex_index", vertex)
        uv = np.zeros((count, 2), np.float32)
        if mesh.uv_layers:
            mesh.uv_layers[0].uv.foreach_get("vector", flat := np.empty(count * 2, np.float32))
            uv = flat.reshape(-1, 2)
        mesh.corner_normals.foreach_get("vector", flat := np.empty(count * 3, np.float32))
        normal = flat.reshape(-1, 3) @ np.linalg.inv(np.array(item.matrix_world, np.float32)[:3, :3])
        loops = np.empty(triangle_count * 3, np.int32)
        slots = np.empty(triangle_count, np.int32)
        mesh.loop_triangles.foreach_get("loops", loops)
        mesh.loop_triangles.foreach_get("material_index", slots)
        surfaces = {
            slot: self.wardrobe.surface(mesh.materials[slot] if slot < len(mesh.materials) else None)
            for slot in np.unique(slots).tolist()
        }
        surface_of = np.zeros(count, np.float32)
        surface_of[loops] = np.repeat([surfaces[slot] for slot in slots.tolist()], 3)
        corners = np.column_stack([vertex.astype(np.float32), uv, np.round(normal, 3), surface_of])
        _, first, corner_to_drawn = np.unique(corners, axis=0, return_index=True, return_inverse=True)
        plain, drawn_surface = uv[first], surface_of[first].astype(np.int32)
        moved = plain.copy()
        for surface in surfaces.values():
            rows = drawn_surface == surface
            moved[rows] = self.wardrobe.transform(surface).apply(plain[rows])
        turns = self._turns(item, self._turning)
        part = Part(
            object=item,
            vertices=np.ascontiguousarray(vertex[first]),
            normals=np.ascontiguousarray(normal[first], dtype=np.float32),
            uvs=np.ascontiguousarray(moved),
            turns=np.ascontiguousarray(turns[vertex[first]]),
            outlines=np.ones(len(first), np.float32),
            bones=self._owners(item)[vertex[first]],
        )
        drawn = corner_to_drawn.reshape(-1)[loops].reshape(-1, 3).astype(np.int32)
        drawn = _face_outwards(mesh, part, drawn)
        for slot, surface in surfaces.items():
            self.runs.append(Run(len(self.parts), surface, np.ascontiguousarray(drawn[slots == slot])))
        self.parts.append(part)
        self._plain_uvs.append(plain)

    def _turns(self, item: bpy.types.Object, bones: set[str]) -> NDArray[np.float32]:
        """(n,) how far each vertex follows `bones`: by its weights, or wholly when the object hangs on one of them."""
        if item.parent is self._armature and item.parent_type == "BONE":
            return np.full(len(item.data.vertices), float(item.parent_bone in bones), np.float32)
        groups = {group.index for group in item.vertex_groups if group.name in bones}
        chosen = np.zeros(len(item.data.vertices), np.float32)
        total = np.zeros(len(item.data.vertices), np.float32)
        for index, vertex in enumerate(item.data.vertices):
            for entry in vertex.groups:
                total[index] += entry.weight
                if entry.group in groups:
                    chosen[index] += entry.weight
        return np.divide(chosen, total, out=np.zeros_like(chosen), where=total > 1e-6).clip(0, 1)

    def _owners(self, item: bpy.types.Object) -> NDArray[np.int32]:
        """(n,) index in the armature of the bone that has the largest share of each vertex; -1 for none."""
        order = {bone.name: index for index, bone in enumerate(self._armature.data.bones)}
        if item.parent is self._armature and item.parent_type == "BONE":
            return np.full(len(item.data.vertices), order.get(item.parent_bone, -1), np.int32)
        bone_of = {group.index: order.get(group.name, -1) for group in item.vertex_groups}
        found = np.full(len(item.data.vertices), -1, np.int32)
        for index, vertex in enumerate(item.data.vertices):
            largest = max(vertex.groups, key=lambda entry: entry.weight, default=None)
            if largest is not None and largest.weight > 0:
                found[index] = bone_of.get(largest.group, -1)
        return found

    def head_height(self, meshes: list[bpy.types.Object], head: str, neck_z: float) -> float:
        """The height over the neck of all vertices that follow the head bone, or else the neck."""

        def heights(bones: set[str]) -> NDArray[np.float32]:
            found = []
            for item in meshes:
                item.data.vertices.foreach_get("co", flat := np.empty(len(item.data.vertices) * 3, np.float32))
                world = np.array(item.matrix_world, np.float32)
                z = (flat.reshape(-1, 3) @ world[:3, :3].T + world[:3, 3])[:, 2] - np.float32(neck_z)
                found.append(z[self._turns(item, bones) > HEAD_WEIGHT])
            return np.concatenate(found)

        followed = [{head}, self._turning] if head in self._armature.data.bones else [self._turning]
        return head_height((heights(bones) for bones in followed), _ORDINARY_HEAD)

    def transform_effects(self, surface: int, target: _Transform) -> Iterator[Effect]:
        """The effects that take a surface's texture coordinates from rest to `target` at weight 1."""
        for number, part in enumerate(self.parts):
            runs = [run.triangles for run in self.runs if (run.part, run.surface) == (number, surface)]
            if runs:
                vertices = np.unique(np.concatenate(runs)).astype(np.int32)
                offsets = target.apply(self._plain_uvs[number][vertices]) - part.uvs[vertices]
                yield UVEffect(number, vertices, np.ascontiguousarray(offsets))


def _face_outwards(mesh: bpy.types.Mesh, part: Part, triangles: NDArray[np.int32]) -> NDArray[np.int32]:
    """Turn all triangles over when nearly all contradict the normals: some exporters mirror a mesh and forget that."""
    mesh.vertices.foreach_get("co", flat := np.empty(len(mesh.vertices) * 3, np.float32))
    points = (flat.reshape(-1, 3) @ np.array(part.object.matrix_world, np.float32)[:3, :3].T)[part.vertices]
    a, b, c = (points[triangles[:, i]] for i in range(3))
    agrees = (np.cross(b - a, c - a) * part.normals[triangles].sum(axis=1)).sum(axis=1) >= 0
    return triangles if agrees.mean() > 0.1 else np.ascontiguousarray(triangles[:, ::-1])


def _morph(name: str, extension: Any, cast: _Cast, meshes: list[bpy.types.Object]) -> Morph:
    """What the source morph does: an expression, or, in a file without expressions, the shape keys of that name."""
    if extension.spec_version == "1.0":
        effects = list(_effects_1(name, extension.vrm1.expressions, cast))
    else:
        effects = list(_effects_0(name, extension.vrm0.blend_shape_master.blend_shape_groups, cast))
    if not effects:
        for item in meshes:
            keys = item.data.shape_keys
            if keys is not None and name in keys.key_blocks:
                effects.append(KeyEffect(keys.key_blocks[name], 1.0))
    return Morph([(effect, 1.0) for effect in effects])


def _key_effect(object_name: str, key_name: str, weight: float) -> Iterator[Effect]:
    item = bpy.data.objects.get(object_name)
    keys = item.data.shape_keys if item is not None and item.type == "MESH" else None
    if keys is not None and key_name in keys.key_blocks:
        yield KeyEffect(keys.key_blocks[key_name], weight)


def _paint_effect(cast: _Cast, surface: int, place: slice, target: Iterable[float]) -> Effect:
    """A change of some of a surface's numbers to `target` at weight 1."""
    values = cast.wardrobe.surfaces[surface].paint.values
    plus = np.zeros_like(values)
    numbers = np.array(list(target), np.float32)[: place.stop - place.start]
    plus[place] = numbers - values[place]
    return PaintEffect(surface, np.ones_like(values), plus)


def _effects_1(name: str, expressions: Any, cast: _Cast) -> Iterator[Effect]:
    presets = expressions.preset.name_to_expression_dict()
    named = {_PRESET_NAMES_1.get(preset, preset): entry for preset, entry in presets.items()}
    for entry in expressions.custom:
        named.setdefault(entry.custom_name, entry)
    if name not in named:
        return
    entry = named[name]
    for bind in entry.morph_target_binds:
        yield from _key_effect(bind.node.mesh_object_name, bind.index, bind.weight)
    for bind in entry.material_color_binds:
        surface = cast.wardrobe.find(bind.material)
        place = {"color": _COLOURS, "outlineColor": _OUTLINE_COLOURS}.get(bind.type)
        if surface is not None and place is not None:
            yield _paint_effect(cast, surface, place, bind.target_value)
    for bind in entry.texture_transform_binds:
        surface = cast.wardrobe.find(bind.material)
        if surface is not None:
            yield from cast.transform_effects(surface, _Transform(tuple(bind.scale), tuple(bind.offset)))


def _effects_0(name: str, groups: Any, cast: _Cast) -> Iterator[Effect]:
    def group_name(group: Any) -> str:
        return str(group.name if group.preset_name == "unknown" else group.preset_name)

    group = next((group for group in groups if group_name(group) == name), None)
    if group is None:
        return
    for bind in group.binds:
        yield from _key_effect(bind.mesh.mesh_object_name, bind.index, bind.weight)
    for value in group.material_values:
        surface = cast.wardrobe.find(value.material)
        target = [number.value for number in value.target_value]
        if surface is None or len(target) < 4:
            continue
        if value.property_name == "_Color":
            yield _paint_effect(cast, surface, _COLOURS, target)
        elif value.property_name == "_OutlineColor":
            yield _paint_effect(cast, surface, _OUTLINE_COLOURS, target)
        elif value.property_name == "_MainTex_ST":
            # Unity counts v from the bottom: v' = v sy + oy becomes, from the top, v sy + (1 - sy - oy).
            scale_x, scale_y, offset_x, offset_y = target[:4]
            yield from cast.transform_effects(
                surface, _Transform((scale_x, scale_y), (offset_x, 1 - scale_y - offset_y))
            )


def _drop_unused_keys(meshes: list[bpy.types.Object], morphs: dict[str, Morph]) -> None:
    """Remove the shape keys that no wanted morph drives: each costs time in every pose."""
    used = {
        (effect.key.id_data.name, effect.key.name)
        for morph in morphs.values()
        for effect, _ in morph.effects
        if isinstance(effect, KeyEffect)
    }
    named: dict[str, list[tuple[str, str, float] | Effect]] = {
        name: [
            (effect.key.id_data.name, effect.key.name, effect.factor) if isinstance(effect, KeyEffect) else effect
            for effect, _ in morph.effects
        ]
        for name, morph in morphs.items()
    }
    blocks: dict[str, bpy.types.Key] = {}
    for item in meshes:
        keys = item.data.shape_keys
        if keys is None:
            continue
        for name in [block.name for block in keys.key_blocks[1:]]:
            if (keys.name, name) not in used:
                item.shape_key_remove(keys.key_blocks[name])
        blocks[keys.name] = keys
    # Removing keys moves the others in memory, so they are looked up again.
    for name, effects in named.items():
        morphs[name].effects = [
            (
                KeyEffect(blocks[effect[0]].key_blocks[effect[1]], effect[2]) if isinstance(effect, tuple) else effect,
                1.0,
            )
            for effect in effects
        ]
