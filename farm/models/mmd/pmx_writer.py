"""Writes PMX 2.0/2.1: the mascots are made with it, and the tests make every kind of file with it.

Source: PMX 2.0/2.1 specification. Display frames hold all morphs; physics and soft bodies are written empty.
"""

import struct
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from farm.models.description import (
    Bone,
    BoneFlag,
    BoneMorph,
    Character,
    Expression,
    GroupMorph,
    MaterialMorph,
    Morph,
    OtherMorph,
    UVMorph,
    VertexMorph,
)
from farm.models.materials import MmdMaterial

_MORPH_KIND = {"group": 0, "vertex": 1, "bone": 2, "uv": 3, "material": 8, "flip": 9, "impulse": 10}


@dataclass(frozen=True, slots=True)
class Layout:
    """How the numbers and texts are stored; the readers of the world meet every combination."""

    version: float = 2.0
    encoding: str = "utf-16-le"
    """"utf-16-le" or "utf-8"."""
    vertex_index: int = 4
    texture_index: int = 4
    material_index: int = 4
    bone_index: int = 4
    morph_index: int = 4
    """Bytes of each kind of index: 1, 2 or 4."""
    additional_uvs: int = 0
    deform: int = 2
    """Weight type of every vertex: 0 BDEF1, 1 BDEF2, 2 BDEF4, 3 SDEF, 4 QDEF; what a type cannot hold is left out."""


class _Writer:
    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.parts: list[bytes] = []

    def pack(self, form: str, *values: float) -> None:
        self.parts.append(struct.pack("<" + form, *values))

    def text(self, text: str) -> None:
        data = text.encode(self.layout.encoding)
        self.pack("i", len(data))
        self.parts.append(data)

    def index(self, size: int, value: int | None) -> None:
        self.pack({1: "b", 2: "h", 4: "i"}[size], -1 if value is None else value)

    def vertex(self, value: int) -> None:
        """Vertex indices are unsigned, except in four bytes."""
        self.pack({1: "B", 2: "H", 4: "i"}[self.layout.vertex_index], value)


def pmx_bytes(character: Character, layout: Layout | None = None) -> bytes:
    """The character as the bytes of a .pmx file.

    Raises struct.error when an index does not fit the layout.
    """
    layout = layout or Layout()
    w = _Writer(layout)
    w.parts.append(b"PMX ")
    w.pack("f", layout.version)
    w.pack("B", 8)
    w.pack(
        "8B",
        0 if layout.encoding == "utf-16-le" else 1,
        layout.additional_uvs,
        layout.vertex_index,
        layout.texture_index,
        layout.material_index,
        layout.bone_index,
        layout.morph_index,
        4,
    )
    for text in (character.name, character.name_en, character.comment, character.comment_en):
        w.text(text)
    _write_vertices(w, character)
    w.pack("i", character.triangles.size)
    index_type = {1: "<u1", 2: "<u2", 4: "<i4"}[layout.vertex_index]
    w.parts.append(character.triangles.astype(index_type).tobytes())
    w.pack("i", len(character.textures))
    for path in character.textures:
        w.text(path)
    w.pack("i", len(character.mmd_materials))
    for material in character.mmd_materials:
        _write_material(w, material)
    w.pack("i", len(character.bones))
    for bone in character.bones:
        _write_bone(w, bone)
    w.pack("i", len(character.morphs))
    for morph in character.morphs:
        _write_morph(w, morph)
    _write_frames(w, len(character.morphs))
    w.pack("ii", 0, 0)  # rigid bodies, joints
    if layout.version > 2.0:
        w.pack("i", 0)  # soft bodies
    return b"".join(w.parts)


def _write_vertices(w: _Writer, character: Character) -> None:
    count = len(character.positions)
    deform = w.layout.deform
    used = {0: 1, 1: 2, 3: 2}.get(deform, 4)
    weights = {0: 0, 1: 1, 3: 1}.get(deform, 4)
    bone_type = {1: "<i1", 2: "<i2", 4: "<i4"}[w.layout.bone_index]
    record = np.zeros(
        count,
        dtype=[
            ("position", "<f4", 3),
            ("normal", "<f4", 3),
            ("uv", "<f4", 2),
            ("more_uv", "<f4", (w.layout.additional_uvs, 4)),
            ("deform", "<u1"),
            ("bones", bone_type, (used,)),
            ("weights", "<f4", (weights,)),
            ("sdef", "<f4", (9 if deform == 3 else 0,)),
            ("edge", "<f4"),
        ],
    )
    record["position"] = character.positions
    record["normal"] = character.normals
    record["uv"] = character.uvs
    record["deform"] = deform
    record["bones"] = character.bone_indices[:, :used]
    record["weights"] = character.bone_weights[:, :weights]
    record["edge"] = character.edge_scales
    if character.more_uvs is not None:
        layers = min(len(character.more_uvs), w.layout.additional_uvs)
        record["more_uv"][:, :layers] = character.more_uvs[:layers].transpose(1, 0, 2)
    if deform == 3 and (spherical := character.spherical) is not None:
        points = np.concatenate([spherical.centres, spherical.firsts, spherical.seconds], axis=1)
        record["sdef"][spherical.vertices] = points
    w.pack("i", count)
    w.parts.append(record.tobytes())


def _write_material(w: _Writer, material: MmdMaterial) -> None:
    w.text(material.name)
    w.text(material.name_en)
    w.pack("4f", *material.diffuse)
    w.pack("3f", *material.specular)
    w.pack("f", material.shininess)
    w.pack("3f", *material.ambient)
    w.pack("B", material.flags)
    w.pack("4f", *material.edge_colour)
    w.pack("f", material.edge_size)
    w.index(w.layout.texture_index, material.texture)
    w.index(w.layout.texture_index, material.sphere)
    w.pack("B", material.sphere_mode)
    if material.shared_toon is not None:
        w.pack("BB", 1, material.shared_toon)
    else:
        w.pack("B", 0)
        w.index(w.layout.texture_index, material.toon)
    w.text(material.memo)
    w.pack("i", material.triangle_count * 3)


def _write_bone(w: _Writer, bone: Bone) -> None:
    size = w.layout.bone_index
    w.text(bone.name)
    w.text(bone.name_en)
    w.pack("3f", *bone.position)
    w.index(size, bone.parent)
    # IK chains and axes are not in the description, so their flags must not announce them.
    kept = bone.flags & ~(BoneFlag.IK | BoneFlag.FIXED_AXIS | BoneFlag.LOCAL_AXES | BoneFlag.EXTERNAL_PARENT)
    kept = kept | BoneFlag.TAIL_IS_BONE if bone.tail_bone is not None else kept & ~BoneFlag.TAIL_IS_BONE
    inherits = kept & (BoneFlag.INHERIT_ROTATION | BoneFlag.INHERIT_TRANSLATION)
    if bone.inheritance is None:
        kept &= ~(BoneFlag.INHERIT_ROTATION | BoneFlag.INHERIT_TRANSLATION)
    w.pack("i", bone.layer)
    w.pack("H", kept)
    if bone.tail_bone is not None:
        w.index(size, bone.tail_bone)
    else:
        w.pack("3f", *bone.tail_offset)
    if bone.inheritance is not None and inherits:
        w.index(size, bone.inheritance.parent)
        w.pack("f", bone.inheritance.ratio)


def _write_morph(w: _Writer, morph: Morph) -> None:
    if isinstance(morph, Expression):
        raise TypeError(f"a PMX file has no expressions, and '{morph.name}' is one")
    layout = w.layout
    w.text(morph.name)
    w.text(morph.name_en)
    kind: str = morph.kind
    match morph:
        case GroupMorph():
            code = _MORPH_KIND["flip" if morph.flip else "group"]
        case UVMorph():
            code = _MORPH_KIND["uv"] + morph.channel
        case _:
            code = _MORPH_KIND[kind]
    w.pack("BB", morph.panel, code)
    match morph:
        case VertexMorph():
            w.pack("i", len(morph.vertices))
            for vertex, offset in zip(morph.vertices.tolist(), morph.offsets.tolist(), strict=True):
                w.vertex(vertex)
                w.pack("3f", *offset)
        case UVMorph():
            w.pack("i", len(morph.vertices))
            for vertex, offset in zip(morph.vertices.tolist(), morph.offsets.tolist(), strict=True):
                w.vertex(vertex)
                w.pack("4f", *offset)
        case GroupMorph():
            w.pack("i", len(morph.morphs))
            for index, weight in zip(morph.morphs.tolist(), morph.weights.tolist(), strict=True):
                w.index(layout.morph_index, index)
                w.pack("f", weight)
        case BoneMorph():
            w.pack("i", len(morph.bones))
            rows = zip(morph.bones.tolist(), morph.translations.tolist(), morph.rotations.tolist(), strict=True)
            for bone, move, turn in rows:
                w.index(layout.bone_index, bone)
                w.pack("7f", *move, *turn)
        case MaterialMorph():
            w.pack("i", len(morph.entries))
            for entry in morph.entries:
                w.index(layout.material_index, entry.material)
                w.pack("B", int(entry.adds))
                w.pack("4f3ff3f4ff", *_flat(entry.diffuse, entry.specular, [entry.shininess], entry.ambient,
                                           entry.edge_colour, [entry.edge_size]))  # fmt: skip
                w.pack("12f", *_flat(entry.texture_tint, entry.sphere_tint, entry.toon_tint))
        case OtherMorph():
            w.pack("i", 0)


def _flat(*groups: Iterable[float]) -> list[float]:
    return [value for group in groups for value in group]


def _write_frames(w: _Writer, morph_count: int) -> None:
    """The two special frames Root and 表情; editors refuse a file without them."""
    w.pack("i", 2)
    w.text("Root")
    w.text("Root")
    w.pack("B", 1)
    w.pack("i", 0)
    w.text("表情")
    w.text("Exp")
    w.pack("B", 1)
    w.pack("i", morph_count)
    for index in range(morph_count):
        w.pack("B", 1)
        w.index(w.layout.morph_index, index)
