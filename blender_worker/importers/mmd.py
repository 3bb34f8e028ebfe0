"""Builds a PMX or PMD character in Blender.

Only what a pose can move becomes a bone or a shape key: all other bones stand still, so the weights of a still bone go
to its nearest moving ancestor, which gives the same positions at a fraction of the cost.
Axes: Blender (x, y, z) = file (x, z, y), scale 1; the character looks along -Y.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import bpy
import numpy as np
from mathutils import Quaternion, Vector
from numpy.typing import NDArray

from blender_worker.camera import HEAD_WEIGHT, head_height
from blender_worker.character.actor import Actor, BoneInfo, Follower, Look, Part, Run, Surface
from blender_worker.character.morphs import BoneEffect, Flip, KeyEffect, Morph, PaintEffect, UVEffect
from blender_worker.character.ramps import from_toon, two_tone
from blender_worker.character.textures import Budget, Texture, UnreadableTextureError, decode, linear_of
from farm.models.description import (
    BoneFlag,
    BoneMorph,
    Character,
    GroupMorph,
    MaterialMorph,
    MaterialOffset,
    UVMorph,
    VertexMorph,
)
from farm.models.materials import MaterialFlag, MmdMaterial, SphereMode
from farm.models.skeleton import locate_neck_and_head
from farm.morphs.names import normalise
from farm.styles.surface import SphereBlend

METRES_PER_UNIT = 0.08
"""MikuMikuDance's own convention: a person of 1.6 m is 20 units high."""
_ROOT = "still"
_ROLES = {
    "左目": "leftEye",
    "左瞳": "leftEye",
    "eye_l": "leftEye",
    "eye.l": "leftEye",
    "lefteye": "leftEye",
    "右目": "rightEye",
    "右瞳": "rightEye",
    "eye_r": "rightEye",
    "eye.r": "rightEye",
    "righteye": "rightEye",
    "あご": "jaw",
    "顎": "jaw",
    "下あご": "jaw",
    "下顎": "jaw",
    "jaw": "jaw",
}
"""Bones by their names after NFKC."""
_MAX_MOVING = 512
"""Bones that can move; no character's morphs need more, and each costs memory for every vertex."""
_MAX_DEPTH = 64
"""Groups inside groups."""
_MAX_STEPS = 100_000_000
"""Vertices (and other things) that all wanted morphs of a model may move together: groups of groups in a hostile file
would multiply without end."""
_KEY_RANGE = 10.0
"""Group morphs may drive a morph beyond 1 and below 0; Blender allows up to this."""


def build(character: Character, textures: dict[int, Path], wanted: Iterable[str]) -> Actor:
    """Put `character` into the present scene.

    `textures` maps texture indices to files; `wanted` are the names of the source morphs that will be used. Raises
    NoNeckBoneError. What could not be honoured is in the actor's warnings.
    """
    neck, head, _ = locate_neck_and_head(character.bones)
    warnings: list[str] = []
    mesh_object = _build_mesh(character)
    morphs = _Morphs(character, mesh_object).build(wanted, warnings)
    skeleton = _Skeleton.of(character, neck, _moved_by(morphs.values()))
    armature = skeleton.build_armature()
    skeleton.bind(mesh_object, armature)
    turns = _turns(character, neck)
    part = Part(
        object=mesh_object,
        vertices=np.arange(len(character.positions), dtype=np.int32),
        normals=_to_blender(character.normals),
        uvs=np.ascontiguousarray(character.uvs * np.float32([1, -1]) + np.float32([0, 1])),
        turns=turns,
        outlines=character.edge_scales,
        bones=_owners(character),
    )
    loaded = _load_textures(character, textures, warnings)
    x, y, z = character.bones[neck].position
    return Actor(
        armature=armature,
        neck=skeleton.bone_names[neck],
        parts=[part],
        surfaces=[_surface(material, loaded) for material in character.materials],
        runs=[
            Run(0, index, _triangles(character, material))
            for index, material in enumerate(character.materials)
            if material.triangle_count
        ],
        morphs=morphs,
        neck_position=(x, z, y),
        head_height=_head_height(character, head, neck, turns),
        metres_per_unit=METRES_PER_UNIT,
        bones=_bone_infos(character, neck, head),
        followers=skeleton.followers,
        warnings=warnings,
    )


def _to_blender(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(vectors[:, [0, 2, 1]])


def _unique_name(index: int) -> str:
    """A bone's name in Blender: files give several bones one name, or none, and Blender cuts names off."""
    return f"bone-{index}"


@dataclass(slots=True)
class _Skeleton:
    """The bones that can move, each under its nearest ancestor that can."""

    character: Character
    moving: list[int]
    """Bone indices, in the file's order."""
    followers: list[Follower]

    @staticmethod
    def of(character: Character, neck: int, moved: set[int]) -> "_Skeleton":
        """The neck, the bones that morphs move, and all that follow one of these (付与), directly or not."""
        moving = {neck, *sorted(moved)[:_MAX_MOVING]}
        chain = [index for index, bone in enumerate(character.bones) if bone.inheritance is not None]
        chain.sort(key=lambda index: (character.bones[index].layer, index))
        grew = True
        while grew:
            grew = False
            for index in chain:
                inheritance = character.bones[index].inheritance
                if (
                    len(moving) < _MAX_MOVING
                    and index not in moving
                    and inheritance is not None
                    and inheritance.parent in moving
                ):
                    moving.add(index)
                    grew = True
        followers = []
        for index in chain:
            bone = character.bones[index]
            if index in moving and bone.inheritance is not None and bone.inheritance.parent in moving:
                followers.append(
                    Follower(
                        bone=_unique_name(index),
                        leader=_unique_name(bone.inheritance.parent),
                        ratio=bone.inheritance.ratio,
                        turns=bool(bone.flags & BoneFlag.INHERIT_ROTATION),
                        moves=bool(bone.flags & BoneFlag.INHERIT_TRANSLATION),
                    )
                )
        return _Skeleton(character, sorted(moving), followers)

    @property
    def bone_names(self) -> dict[int, str]:
        """Blender's names of the moving bones."""
        return {index: _unique_name(index) for index in self.moving}

    def _nearest(self, index: int | None) -> int | None:
        """`index` or its nearest ancestor that moves; None for the bone that stands still."""
        moving, passed = set(self.moving), set()
        while index is not None and index not in moving:
            if index in passed:
                return None  # parents that run in a circle
            passed.add(index)
            index = self.character.bones[index].parent
        return index

    def _all_nearest(self) -> list[int | None]:
        """`_nearest` for every bone, each chain walked once."""
        children: dict[int | None, list[int]] = {}
        for index, bone in enumerate(self.character.bones):
            children.setdefault(bone.parent, []).append(index)
        found: list[int | None] = [None] * len(self.character.bones)
        moving = set(self.moving)
        waiting = [(index, index) for index in self.moving]
        while waiting:
            index, owner = waiting.pop()
            found[index] = owner
            waiting += [(child, owner) for child in children.get(index, []) if child not in moving]
        return found

    def build_armature(self) -> bpy.types.Object:
        """The armature; all bones point upwards, as only their heads matter."""
        data = bpy.data.armatures.new("armature")
        armature = bpy.data.objects.new("armature", data)
        bpy.context.scene.collection.objects.link(armature)
        bpy.context.view_layer.objects.active = armature
        bpy.ops.object.mode_set(mode="EDIT")
        root = data.edit_bones.new(_ROOT)
        root.head, root.tail = (0, 0, 0), (0, 0, 1)
        made = {None: root}
        for index in self.moving:
            x, y, z = self.character.bones[index].position
            bone = made[index] = data.edit_bones.new(_unique_name(index))
            bone.head, bone.tail = (x, z, y), (x, z, y + 1)
        for index in self.moving:
            parent = self._nearest(self.character.bones[index].parent)
            if parent != index and not self._is_below(parent, index):
                made[index].parent = made[parent]
        bpy.ops.object.mode_set(mode="OBJECT")
        return armature

    def _is_below(self, index: int | None, ancestor: int) -> bool:
        """Whether `index` hangs under `ancestor`: only in a damaged file, whose parents run in a circle."""
        for _ in range(len(self.character.bones)):
            if index is None:
                return False
            index = self.character.bones[index].parent
            if index == ancestor:
                return True
        return True

    def bind(self, mesh_object: bpy.types.Object, armature: bpy.types.Object) -> None:
        """Weight the vertices to the moving bones; vertices of equal weight are added together."""
        character = self.character
        count = len(character.positions)
        column = {index: place for place, index in enumerate(self.moving)}
        still = len(self.moving)
        nearest = self._all_nearest()
        place = np.array([still if n is None else column[n] for n in nearest] + [still])  # the last is for index -1
        used = np.where(character.bone_indices >= 0, character.bone_weights, 0)
        shares = np.zeros((count, still + 1), np.float32)
        for slot in range(4):
            np.add.at(shares, (np.arange(count), place[character.bone_indices[:, slot]]), used[:, slot])
        total = shares.sum(axis=1, keepdims=True)
        shares = np.divide(shares, total, out=np.zeros_like(shares), where=np.abs(total) > 1e-6)
        shares[np.abs(total[:, 0]) <= 1e-6, still] = 1
        names = [_unique_name(index) for index in self.moving] + [_ROOT]
        for number, name in enumerate(names):
            group = mesh_object.vertex_groups.new(name=name)
            values, where = np.unique(shares[:, number], return_inverse=True)
            order = np.argsort(where, kind="stable")
            runs = np.split(order, np.flatnonzero(np.diff(where[order])) + 1)
            for value, rows in zip(values.tolist(), runs, strict=True):
                if value > 0:
                    group.add(rows.tolist(), value, "REPLACE")
        modifier = mesh_object.modifiers.new("armature", "ARMATURE")
        modifier.object = armature
        mesh_object.parent = armature


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


def _turns(character: Character, neck: int) -> NDArray[np.float32]:
    """(n,) the share of each vertex's weight that lies on the neck and the bones below it, in [0, 1]."""
    children: dict[int | None, list[int]] = {}
    for index, bone in enumerate(character.bones):
        children.setdefault(bone.parent, []).append(index)
    below = np.zeros(len(character.bones) + 1, bool)  # one more, so that index -1 (no bone) reads False
    waiting = [neck]
    while waiting:
        index = waiting.pop()
        if not below[index]:  # parents that run in a circle end here
            below[index] = True
            waiting += children.get(index, [])
    weights = np.where(character.bone_indices >= 0, character.bone_weights, 0)
    total = weights.sum(axis=1)
    moved = (weights * below[character.bone_indices]).sum(axis=1)
    return np.divide(moved, total, out=np.zeros_like(moved), where=total > 1e-6).clip(0, 1).astype(np.float32)


def _owners(character: Character) -> NDArray[np.int32]:
    """(n,) the bone with the largest weight of each vertex; -1 for none."""
    weights = np.where(character.bone_indices >= 0, character.bone_weights, 0)
    rows = np.arange(len(weights))
    largest = weights.argmax(axis=1)
    return np.where(weights[rows, largest] > 0, character.bone_indices[rows, largest], -1).astype(np.int32)


def _bone_infos(character: Character, neck: int, head: int) -> list[BoneInfo]:
    """What is known of every bone."""
    roles = {head: "head", neck: "neck"}
    found = []
    for index, bone in enumerate(character.bones):
        x, y, z = bone.position
        role = roles.get(index) or _ROLES.get(normalise(bone.name)) or _ROLES.get(normalise(bone.name_en)) or ""
        found.append(BoneInfo(bone.name, -1 if bone.parent is None else bone.parent, (x, z, y), role))
    return found


def _moved_by(morphs: Iterable[Morph]) -> set[int]:
    """The indices of the bones that any of the morphs moves."""
    moved: set[int] = set()
    for morph in morphs:
        moved |= {int(e.bone.removeprefix("bone-")) for e, _ in morph.effects if isinstance(e, BoneEffect)}
        for flip in morph.flips:
            moved |= _moved_by(choice for choice, _ in flip.choices)
    return moved


class _Morphs:
    """Turns source morphs into effects: groups are flattened, vertex morphs of one source become one shape key."""

    def __init__(self, character: Character, mesh_object: bpy.types.Object) -> None:
        self._character = character
        self._mesh_object = mesh_object
        self._rest = _to_blender(character.positions)
        self._keys = 0
        self._steps = 0
        mesh_object.shape_key_add(name="rest", from_mix=False)

    def build(self, wanted: Iterable[str], warnings: list[str]) -> dict[str, Morph]:
        """The effects of every wanted source morph, by name; of several with one name the first counts."""
        index_of: dict[str, int] = {}
        for index, morph in enumerate(self._character.morphs):
            index_of.setdefault(morph.name, index)
        built = {}
        for name in wanted:
            built[name] = self._morph([(index_of[name], 1.0)], frozenset())
            if not built[name].effects and not built[name].flips:
                kind = self._character.morphs[index_of[name]].kind
                warnings.append(f"Morph '{name}' ({kind}) changes nothing that a picture can show.")
            if self._steps > _MAX_STEPS:
                warnings.append(f"Morph '{name}' is a group of too many morphs; the rest of them is left out.")
        return built

    def _morph(self, roots: list[tuple[int, float]], seen: frozenset[int]) -> Morph:
        """One morph from several source morphs with their weights."""
        result = Morph()
        shape = self._rest.copy()
        self._collect(roots, seen, shape, result)
        if not np.array_equal(shape, self._rest):
            self._keys += 1
            key = self._mesh_object.shape_key_add(name=f"morph-{self._keys}", from_mix=False)
            key.slider_min, key.slider_max = -_KEY_RANGE, _KEY_RANGE
            key.points.foreach_set("co", shape.ravel())
            result.effects.insert(0, (KeyEffect(key, 1.0), 1.0))
        return result

    def _collect(
        self, roots: list[tuple[int, float]], seen: frozenset[int], shape: NDArray[np.float32], result: Morph
    ) -> None:
        """Add the source morphs `roots` to `shape` and `result`; a group that contains itself is cut there."""
        for index, weight in roots:
            morph = self._character.morphs[index]
            self._steps += 100 + (len(morph.vertices) if isinstance(morph, VertexMorph) else 0)
            if self._steps > _MAX_STEPS:
                return
            match morph:
                case VertexMorph():
                    np.add.at(shape, morph.vertices, _to_blender(morph.offsets) * np.float32(weight))
                case BoneMorph():
                    result.effects += [(effect, weight) for effect in _bone_effects(morph)]
                case UVMorph(channel=0):
                    # v counts from the top in the file and from the bottom here.
                    offsets = np.ascontiguousarray(morph.offsets[:, :2] * np.float32([1, -1]))
                    result.effects.append((UVEffect(0, morph.vertices, offsets), weight))
                case MaterialMorph():
                    result.effects += [(effect, weight) for effect in self._paint_effects(morph)]
                case GroupMorph() if index not in seen and len(seen) < _MAX_DEPTH:
                    children = list(zip(morph.morphs.tolist(), morph.weights.tolist(), strict=True))
                    inside = seen | {index}
                    if morph.flip:
                        choices = [(self._morph([(child, 1.0)], inside), own) for child, own in children]
                        result.flips.append(Flip(choices))
                    else:
                        self._collect([(child, own * weight) for child, own in children], inside, shape, result)
                case _:
                    pass

    def _paint_effects(self, morph: MaterialMorph) -> Iterable[PaintEffect]:
        for entry in morph.entries:
            materials = range(len(self._character.materials)) if entry.material is None else [entry.material]
            for material in materials:
                yield PaintEffect(material, *_MmdPaint.change(entry))


def _bone_effects(morph: BoneMorph) -> Iterable[BoneEffect]:
    """The bone effects in Blender's axes; swapping two axes turns rotations the other way round."""
    for bone, move, turn in zip(
        morph.bones.tolist(), morph.translations.tolist(), morph.rotations.tolist(), strict=True
    ):
        x, y, z, w = turn
        rotation = Quaternion((w, -x, -z, -y))
        rotation = rotation.normalized() if rotation.magnitude > 1e-6 else Quaternion()
        yield BoneEffect(_unique_name(bone), Vector((move[0], move[2], move[1])), rotation)


def _load_textures(character: Character, paths: dict[int, Path], warnings: list[str]) -> dict[int, Texture]:
    used = sorted({index for m in character.materials for index in (m.texture, m.sphere, m.toon) if index is not None})
    loaded: dict[int, Texture] = {}
    budget = Budget()
    for index in used:
        if index not in paths:
            continue  # absent: the inventory has warned
        try:
            loaded[index] = budget.take(decode(paths[index].read_bytes(), character.textures[index]))
        except UnreadableTextureError as error:
            warnings.append(
                f"Texture '{character.textures[index]}' cannot be read ({error}); its material is drawn plain."
            )
    return loaded


class _MmdPaint:
    """A material's numbers.

    Diffuse (4), ambient (3), edge colour (4), edge size (1), texture tint (4) and summand (3), tints of the sphere map (3)
    and of the toon ramp (3).
    """

    def __init__(self, material: MmdMaterial) -> None:
        edge = material.edge_size if material.flags & MaterialFlag.EDGE else 0.0
        numbers = (*material.diffuse, *material.ambient, *material.edge_colour, edge, 1, 1, 1, 1, 0, 0, 0, *(1,) * 6)
        self.values = np.array(numbers, np.float32)

    @staticmethod
    def change(entry: MaterialOffset) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The factors and summands of a material morph's entry."""
        numbers = (*entry.diffuse, *entry.ambient, *entry.edge_colour, entry.edge_size)
        if entry.adds:
            tints = (*entry.texture_tint[:3], *entry.sphere_tint[:3], *entry.toon_tint[:3])
            plus = np.array((*numbers, 0, 0, 0, 0, *tints), np.float32)
            return np.ones_like(plus), plus
        tints = (*entry.texture_tint, 1, 1, 1, *entry.sphere_tint[:3], *entry.toon_tint[:3])
        times = np.array((*numbers, *tints), np.float32)
        return times, np.zeros_like(times)

    def look(self, values: NDArray[np.float32]) -> Look:
        """The colour that MikuMikuDance shows under its default light: diffuse times 0.6 plus ambient, at most 1."""
        values = values.clip(0, None)
        rgb = (values[:3] * 0.6 + values[4:7]) * values[12:15]
        red, green, blue = linear_of(rgb.clip(0, 1)).tolist()
        edge = linear_of(values[7:10].clip(0, 1)).tolist()
        added, sphere, ramp = (linear_of(values[i : i + 3].clip(0, 1)).tolist() for i in (16, 19, 22))
        return Look(
            colour=(red, green, blue, min(1.0, float(values[3] * values[15]))),
            added=(added[0], added[1], added[2]),
            outline=float(values[11]),
            outline_colour=(edge[0], edge[1], edge[2], min(1.0, float(values[10]))),
            sphere=(sphere[0], sphere[1], sphere[2]),
            ramp=(ramp[0], ramp[1], ramp[2]),
        )


def _surface(material: MmdMaterial, loaded: dict[int, Texture]) -> Surface:
    sphere = loaded.get(material.sphere) if material.sphere is not None else None
    # A sphere map in sub-texture mode is looked up by coordinates of its own, which hardly any character has.
    drawn = sphere is not None and material.sphere_mode in (SphereMode.MULTIPLY, SphereMode.ADD)
    toon = loaded.get(material.toon) if material.toon is not None else None
    return Surface(
        name=material.name,
        paint=_MmdPaint(material),
        texture=loaded.get(material.texture) if material.texture is not None else None,
        double_sided=bool(material.flags & MaterialFlag.DOUBLE_SIDED),
        ramp=from_toon(toon) if toon is not None else two_tone(),
        sphere=sphere if drawn else None,
        sphere_blend=SphereBlend(material.sphere_mode) if drawn else SphereBlend.NONE,
    )


def _triangles(character: Character, material: MmdMaterial) -> NDArray[np.int32]:
    rows = slice(material.first_triangle, material.first_triangle + material.triangle_count)
    return np.ascontiguousarray(character.triangles[rows, ::-1])


def _head_height(character: Character, head: int, neck: int, turns: NDArray[np.float32]) -> float:
    """The height of the head over the neck bone; of an empty model, something to go on with."""
    weight = np.where(character.bone_indices == head, character.bone_weights, 0).sum(axis=1)
    heights = character.positions[:, 1] - np.float32(character.bones[neck].position[1])
    # Without a head bone the neck stands in for it, and a few vertices of the neck are no head.
    by_head = [weight > HEAD_WEIGHT] if head != neck else []
    choices = (heights[chosen] for chosen in (*by_head, turns > HEAD_WEIGHT, heights > 0))
    return head_height(choices, max(1e-3, float(np.ptp(character.positions[:, 1])) / 8 if len(heights) else 1.0))
