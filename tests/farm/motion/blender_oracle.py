"""What Blender makes of a motion on a PMX or PMD: keyframed curves, bones of an armature, a mesh that it deforms.

usage: python -m tests.farm.motion.blender_oracle MODEL SEED FRAMES OUT.npz

The motion is made by `made_motions.dance_keys` with the model's own bones, and is given to Blender as it was made: nothing
of it goes through a VMD. Blender interpolates (moves, and how far each turn has come, are f-curves with the keys' points as
handles), turns by `mathutils.Quaternion.slerp`, poses the armature with its parents, and deforms the mesh by its armature
modifier. 付与 is worked out here, since no constraint of Blender's is it: a share of the leader's own turn and move. IK is
left out. Of our code only the reader of models takes part, which other tests hold against an independent importer.

Writes (frames, n, 3) "positions" in Blender's axes and the model's unit, and (frames,) "seconds".
"""

import sys
from pathlib import Path
from typing import Any

import bpy
import numpy as np
from mathutils import Quaternion, Vector

from farm.models.description import BoneFlag, Character, VertexMorph
from farm.models.package import read_character
from farm.motion.vmd_writer import BoneKey, Curve, MorphKey
from tests.farm.motion.made_motions import motion_of

RATE = 30


def _world(vector: Any) -> Vector:
    x, y, z = vector
    return Vector((x, z, y))


def _turn(turn: Any) -> Quaternion:
    """MikuMikuDance's axes are left-handed: a mirror turns the other way round."""
    x, y, z, w = turn
    return Quaternion((w, -x, -z, -y))


class _Curves:
    """F-curves of one object's custom property, each at its own index."""

    def __init__(self) -> None:
        self._item = bpy.data.objects.new("curves", None)
        action = bpy.data.actions.new("curves")
        slot = action.slots.new("OBJECT", "curves")
        strip = action.layers.new("layer").strips.new(type="KEYFRAME")
        self._bag = strip.channelbag(slot, ensure=True)
        self._count = 0

    def add(self, keys: list[tuple[int, float]], handles: list[Curve]) -> Any:
        """An f-curve through `keys`; `handles` are the points of the way to each key."""
        curve = self._bag.fcurves.new(f'["c{self._count}"]')
        self._count += 1
        curve.keyframe_points.add(len(keys))
        points = curve.keyframe_points
        for point, key in zip(points, keys, strict=True):
            point.co, point.interpolation = key, "BEZIER"
            point.handle_left_type = point.handle_right_type = "FREE"
            point.handle_left, point.handle_right = key, key
        for place in range(1, len(keys)):
            (first, start), (second, end) = keys[place - 1], keys[place]
            x1, y1, x2, y2 = (value / 127 for value in handles[place])
            wide, high = second - first, end - start
            points[place - 1].handle_right = (first + wide * x1, start + high * y1)
            points[place].handle_left = (first + wide * x2, start + high * y2)
        return curve


class _Track:
    """How one bone moves."""

    def __init__(self, keys: list[BoneKey], curves: _Curves) -> None:
        self._keys = sorted(keys, key=lambda key: key.frame)
        handles = [key.curves for key in self._keys]
        self._moves = [
            curves.add([(k.frame, k.move[axis]) for k in self._keys], [h[axis] for h in handles]) for axis in range(3)
        ]
        # How far each turn has come: from the number of one key to that of the next.
        self._done = curves.add([(k.frame, float(n)) for n, k in enumerate(self._keys)], [h[3] for h in handles])

    def at(self, frame: float) -> tuple[Vector, Quaternion]:
        move = _world([curve.evaluate(frame) for curve in self._moves])
        done = min(max(self._done.evaluate(frame), 0.0), len(self._keys) - 1.0)
        before = min(int(done), len(self._keys) - 2)
        first, second = _turn(self._keys[before].turn), _turn(self._keys[before + 1].turn)
        if first.dot(second) < 0:
            second.negate()
        return move, first.slerp(second, done - before)


def _armature(character: Character) -> Any:
    """Bones without a turn of their own: a pose's numbers are in the axes of the world."""
    armature = bpy.data.objects.new("rig", bpy.data.armatures.new("rig"))
    bpy.context.collection.objects.link(armature)
    bpy.context.view_layer.objects.active = armature
    bpy.ops.object.mode_set(mode="EDIT")
    made = []
    for number, bone in enumerate(character.bones):
        edit = armature.data.edit_bones.new(f"b{number}")
        edit.head = _world(bone.position)
        edit.tail = edit.head + Vector((0.0, 1.0, 0.0))
        edit.roll = 0.0
        made.append(edit)
    for number, bone in enumerate(character.bones):
        if bone.parent is not None:
            made[number].parent = made[bone.parent]
    bpy.ops.object.mode_set(mode="OBJECT")
    for pose in armature.pose.bones:
        pose.rotation_mode = "QUATERNION"
    return armature


def _mesh(character: Character, armature: Any) -> Any:
    mesh = bpy.data.meshes.new("skin")
    mesh.from_pydata([_world(p) for p in character.positions.tolist()], [], [])
    item = bpy.data.objects.new("skin", mesh)
    bpy.context.collection.objects.link(item)
    groups = [item.vertex_groups.new(name=f"b{number}") for number in range(len(character.bones))]
    for row, (bones, weights) in enumerate(
        zip(character.bone_indices.tolist(), character.bone_weights.tolist(), strict=True)
    ):
        for bone, weight in zip(bones, weights, strict=True):
            if bone >= 0 and weight > 0:
                groups[bone].add([row], weight, "ADD")
    item.shape_key_add(name="Basis")
    for number, morph in enumerate(character.morphs):
        if isinstance(morph, VertexMorph):
            key = item.shape_key_add(name=f"m{number}")
            for vertex, offset in zip(morph.vertices.tolist(), morph.offsets.tolist(), strict=True):
                key.data[vertex].co += _world(offset)
            key.slider_min, key.value = 0.0, 0.0
    item.modifiers.new("rig", "ARMATURE").object = armature
    return item


def _own_movements(
    character: Character, tracks: dict[str, _Track], frame: float
) -> dict[int, tuple[Vector, Quaternion]]:
    """What each bone does by itself, 付与 with it, in the order of layers."""
    own: dict[int, tuple[Vector, Quaternion]] = {}
    seen: set[str] = set()
    for number, bone in enumerate(character.bones):
        own[number] = Vector(), Quaternion()
        if bone.name in tracks and bone.name not in seen:
            seen.add(bone.name)
            own[number] = tracks[bone.name].at(frame)
    order = sorted(range(len(character.bones)), key=lambda number: (character.bones[number].layer, number))
    for number in order:
        bone = character.bones[number]
        if bone.inheritance is None:
            continue
        (move, turn), (lead_move, lead_turn) = own[number], own[bone.inheritance.parent]
        if bone.flags & BoneFlag.INHERIT_TRANSLATION:
            move = move + lead_move * bone.inheritance.ratio
        if bone.flags & BoneFlag.INHERIT_ROTATION:
            short = lead_turn if lead_turn.w >= 0 else -lead_turn
            axis, angle = short.to_axis_angle()
            turn = turn @ Quaternion(axis, angle * bone.inheritance.ratio)
        own[number] = move, turn
    return own


def main(model: Path, seed: int, frames: list[float], out: Path) -> None:
    """Evaluate one model at some frames."""
    bpy.ops.wm.read_factory_settings(use_empty=True)
    character = read_character(model.suffix, model.read_bytes())
    bone_keys, morph_keys = motion_of(character, seed)
    curves = _Curves()
    by_bone: dict[str, list[BoneKey]] = {}
    by_morph: dict[str, list[MorphKey]] = {}
    for key in bone_keys:
        by_bone.setdefault(key.name, []).append(key)
    for morph_key in morph_keys:
        by_morph.setdefault(morph_key.name, []).append(morph_key)
    tracks = {name: _Track(keys, curves) for name, keys in by_bone.items()}
    even = (20, 20, 107, 107)
    weights = {
        name: curves.add(sorted((key.frame, key.weight) for key in keys), [even] * len(keys))
        for name, keys in by_morph.items()
    }
    armature = _armature(character)
    item = _mesh(character, armature)
    found = []
    for frame in frames:
        for number, (move, turn) in _own_movements(character, tracks, frame).items():
            pose = armature.pose.bones[f"b{number}"]
            pose.location, pose.rotation_quaternion = move, turn
        for number, morph in enumerate(character.morphs):
            if morph.name in weights:
                item.data.shape_keys.key_blocks[f"m{number}"].value = weights[morph.name].evaluate(frame)
        graph = bpy.context.evaluated_depsgraph_get()
        graph.update()
        evaluated = item.evaluated_get(graph).to_mesh()
        flat = np.empty(len(evaluated.vertices) * 3, np.float32)
        evaluated.vertices.foreach_get("co", flat)
        found.append(flat.reshape(-1, 3))
    np.savez(out, allow_pickle=False, positions=np.array(found), seconds=np.array(frames) / RATE)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), [float(f) for f in sys.argv[3].split(",")], Path(sys.argv[4]))
