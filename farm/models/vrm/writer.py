"""Writes VRM 0.x and 1.0: benchmarks make characters with it, and the tests make every kind of file with it.

A character of any format becomes one skinned mesh with a primitive a material and a morph target an expression.
Source: glTF 2.0; VRM 0.0 and VRMC_vrm-1.0 specifications.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from farm.models.description import (
    VRM_0,
    VRM_1,
    Character,
    Expression,
    Floats,
    GroupMorph,
    Ints,
    Morph,
    VertexMorph,
)
from farm.models.gltf.arithmetic import Doubles, compacted
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.gltf.values import Json
from farm.models.skeleton import turning_bones
from farm.models.vrm.material_writer import MaterialWriter
from farm.morphs.vocabulary import recognise

_PRESETS = {
    "eye/closed/both": ("blink", "blink"),
    "eye/closed/left": ("blinkLeft", "blink_l"),
    "eye/closed/right": ("blinkRight", "blink_r"),
    "mouth/a": ("aa", "a"),
    "mouth/i": ("ih", "i"),
    "mouth/u": ("ou", "u"),
    "mouth/e": ("ee", "e"),
    "mouth/o": ("oh", "o"),
}
"""The presets of VRM 1.0 and 0.x by the target morph that they play."""
_HUMANOID = {"センター": "hips", "上半身": "spine", "左目": "leftEye", "右目": "rightEye"}


@dataclass(frozen=True, slots=True)
class _Played:
    """One expression to be written."""

    name: str
    preset: str | None
    offsets: Floats
    """(n, 3) what it adds to every vertex, in the file's axes."""
    morph: Morph


def vrm_bytes(character: Character, version: str = "1.0") -> bytes:
    """The character as the bytes of a .vrm file; pictures are taken from `embedded`. Raises NoNeckBoneError."""
    return vrm_draft(character, version).to_bytes()


def vrm_draft(character: Character, version: str = "1.0") -> GlbWriter:
    """The same as a draft whose JSON can still be changed. Raises NoNeckBoneError."""
    axes = VRM_1 if version == "1.0" else VRM_0
    turn = np.array(axes.to_world).T @ np.array(character.axes.to_world)
    length = character.axes.metres / axes.metres
    w = GlbWriter()
    humanoid = _write_bones(w, character, turn * length)
    materials = MaterialWriter(w, character)
    properties = [materials.write(material) for material in character.materials]
    played = _played(character, version, turn * length)
    _write_mesh(w, character, turn, length, played)
    if version == "1.0":
        w.content["extensions"] = {"VRMC_vrm": _vrm_1(character, humanoid, played, len(character.bones))}
    else:
        w.content["extensions"] = {"VRM": _vrm_0(character, humanoid, played) | {"materialProperties": properties}}
    w.content["extensionsUsed"] = [*w.content["extensions"], "VRMC_materials_mtoon", "KHR_materials_unlit"]
    return w


def _write_bones(w: GlbWriter, character: Character, place: Doubles) -> dict[str, int]:
    """Writes a node a bone and the skin; the bones of the humanoid by their names."""
    heads = np.array([bone.position for bone in character.bones]) @ place.T
    children: dict[int | None, list[int]] = {}
    for index, bone in enumerate(character.bones):
        children.setdefault(bone.parent, []).append(index)
    for index, bone in enumerate(character.bones):
        above = heads[bone.parent] if bone.parent is not None else np.zeros(3)
        node: Json = {"name": bone.name, "translation": (heads[index] - above).tolist()}
        w.add("nodes", node | ({"children": children[index]} if index in children else {}))
    inverse = np.tile(np.eye(4, dtype="<f4"), (len(heads), 1, 1))
    inverse[:, 3, :3] = -heads  # in columns
    w.add("skins", {"joints": list(range(len(heads))), "inverseBindMatrices": w.accessor(inverse.reshape(-1, 16))})
    w.add("scenes", {"nodes": [*children[None], len(heads)]})
    return _humanoid(character)


def _humanoid(character: Character) -> dict[str, int]:
    if character.humanoid:
        return dict(character.humanoid)
    neck, head, _ = turning_bones(character)
    named = {_HUMANOID[bone.name]: index for index, bone in enumerate(character.bones) if bone.name in _HUMANOID}
    return named | {"neck": neck, "head": head}


def _played(character: Character, version: str, place: Doubles) -> list[_Played]:
    found: list[_Played] = []
    taken: set[str] = set()
    for index, morph in enumerate(character.morphs):
        offsets = _offsets(character, index, 1.0, set())
        known = recognise(morph.name, morph.panel)
        names = _PRESETS.get(known[0].name) if known is not None else None
        preset = names[version != "1.0"] if names is not None else None
        if preset in taken:
            preset = None
        if preset is not None:
            taken.add(preset)
        found.append(_Played(preset or morph.name, preset, (offsets @ place.T).astype("<f4"), morph))
    return found


def _offsets(character: Character, index: int, weight: float, above: set[int]) -> Floats:
    """(n, 3) what a morph adds to all vertices, in the character's axes; `above` are the groups that hold it."""
    total = np.zeros(character.positions.shape, np.float32)
    match character.morphs[index]:
        case VertexMorph() as morph:
            np.add.at(total, morph.vertices, morph.offsets * np.float32(weight))
        case Expression() as morph:
            for place, share in morph.targets:
                target = character.targets[place]
                np.add.at(total, target.vertices, target.offsets * np.float32(weight * share))
        case GroupMorph() as morph if index not in above:
            for child, share in zip(morph.morphs.tolist(), morph.weights.tolist(), strict=True):
                total += _offsets(character, child, weight * share, above | {index})
        case _:
            pass
    return total


def _write_mesh(w: GlbWriter, character: Character, turn: Doubles, length: float, played: list[_Played]) -> None:
    positions = (character.positions @ (turn * length).T).astype("<f4")
    normals = (character.normals @ turn.T).astype("<f4")
    joints, weights = _four(character.bone_indices, character.bone_weights)
    corners = character.triangles if np.linalg.det(turn) > 0 else character.triangles[:, ::-1]
    primitives: list[Json] = []
    for number, material in enumerate(character.materials):
        run = corners[material.first_triangle : material.first_triangle + material.triangle_count]
        if not len(run):
            continue
        used, triangles = compacted(run.astype(np.int64), len(positions))
        attributes = {
            "POSITION": w.accessor(
                positions[used], min=positions[used].min(0).tolist(), max=positions[used].max(0).tolist()
            ),
            "NORMAL": w.accessor(normals[used]),
            "TEXCOORD_0": w.accessor(character.uvs[used].astype("<f4")),
            "JOINTS_0": w.accessor(joints[used]),
            "WEIGHTS_0": w.accessor(weights[used]),
        }
        for layer, uvs in enumerate(character.more_uvs if character.more_uvs is not None else (), start=1):
            attributes[f"TEXCOORD_{layer}"] = w.accessor(uvs[used, :2].astype("<f4"))
        if character.colours is not None:
            attributes["COLOR_0"] = w.accessor(character.colours[used].astype("<f4"))
        targets = []
        for expression in played:
            moved = expression.offsets[used]
            rows = np.flatnonzero(moved.any(axis=1))
            targets.append({"POSITION": w.sparse(rows.tolist(), moved[rows], len(used))})
        primitive: Json = {
            "attributes": attributes,
            "indices": w.accessor(triangles.ravel().astype("<u4")),
            "material": number,
        }
        primitives.append(primitive | ({"targets": targets} if targets else {}))
    names = {"targetNames": [expression.morph.name for expression in played]}
    w.add("nodes", {"name": "Face", "mesh": w.add("meshes", {"primitives": primitives, "extras": names}), "skin": 0})


def _four(bones: Ints, weights: Floats) -> tuple[Ints, Floats]:
    """The four strongest bones of each vertex as JOINTS_0 and WEIGHTS_0."""
    strongest = np.argsort(-weights, axis=1, kind="stable")[:, :4]
    joints, shares = (np.take_along_axis(values, strongest, axis=1) for values in (bones, weights))
    return np.where(shares > 0, joints, 0).astype("<u2"), np.where(joints >= 0, shares, 0).astype("<f4")


def _vrm_1(character: Character, humanoid: Mapping[str, int], played: list[_Played], node: int) -> Json:
    presets: Json = {}
    custom: Json = {}
    for number, expression in enumerate(played):
        entry: Json = {}
        if expression.offsets.any():
            entry["morphTargetBinds"] = [{"node": node, "index": number, "weight": 1.0}]
        if isinstance(expression.morph, Expression):
            morph = expression.morph
            entry["isBinary"] = morph.rule.binary
            entry |= {f"override{kind[0].upper()}{kind[1:]}": mode for kind, mode in morph.rule.overrides.items()}
            entry["materialColorBinds"] = [
                {"material": b.material, "type": b.tint.value, "targetValue": list(b.colour)} for b in morph.colours
            ]
            entry["textureTransformBinds"] = [
                {"material": b.material, "scale": list(b.scale), "offset": list(b.offset)} for b in morph.transforms
            ]
        (presets if expression.preset else custom)[expression.name] = entry
    return {
        "specVersion": "1.0",
        "meta": {
            "name": character.name,
            "authors": [character.comment or "unknown"],
            "licenseUrl": "https://vrm.dev/licenses/1.0/",
        },
        "humanoid": {"humanBones": {bone: {"node": index} for bone, index in humanoid.items()}},
        "expressions": {"preset": presets, "custom": custom},
    }


def _vrm_0(character: Character, humanoid: Mapping[str, int], played: list[_Played]) -> Json:
    groups = []
    for number, expression in enumerate(played):
        morph = expression.morph
        groups.append(
            {
                "name": expression.morph.name,
                "presetName": expression.preset or "unknown",
                "binds": [{"mesh": 0, "index": number, "weight": 100.0}] if expression.offsets.any() else [],
                "materialValues": [],
                "isBinary": isinstance(morph, Expression) and morph.rule.binary,
            }
        )
    return {
        "specVersion": "0.0",
        "meta": {"title": character.name, "author": character.comment or "unknown", "version": "1"},
        "humanoid": {"humanBones": [{"bone": bone, "node": index} for bone, index in humanoid.items()]},
        "firstPerson": {"meshAnnotations": []},
        "blendShapeMaster": {"blendShapeGroups": groups},
    }
