"""Writes PMD, for the tests: two weights a vertex, vertex morphs, and nothing else can be kept."""

import struct

import numpy as np

from farm.models.description import Character, VertexMorph
from farm.models.materials import MaterialFlag, MmdMaterial, SphereMode
from farm.morphs.panels import Panel

_NOTHING = 0xFFFF
_PANEL_CODES = {Panel.EYEBROW: 1, Panel.EYE: 2, Panel.MOUTH: 3}


def _text(text: str, size: int) -> bytes:
    """Shift-JIS in a field of `size` bytes, cut off where it must be, as MikuMikuDance's tools did."""
    return text.encode("cp932", errors="replace")[:size].ljust(size, b"\0")


def pmd_bytes(character: Character) -> bytes:
    """The character as the bytes of a .pmd file.

    Weights are rounded to hundredths, names cut at 20 bytes; morphs other than vertex morphs are left out.
    """
    morphs = [morph for morph in character.morphs if isinstance(morph, VertexMorph)]
    parts = [b"Pmd", struct.pack("<f", 1.0), _text(character.name, 20), _text(character.comment, 256)]
    parts += [struct.pack("<i", len(character.positions)), _vertices(character)]
    parts += [struct.pack("<i", character.triangles.size), character.triangles.astype("<u2").tobytes()]
    parts.append(struct.pack("<i", len(character.mmd_materials)))
    parts += [_material(character, material) for material in character.mmd_materials]
    parts.append(struct.pack("<H", len(character.bones)))
    for bone in character.bones:
        parent = _NOTHING if bone.parent is None else bone.parent
        tail = 0 if bone.tail_bone is None else bone.tail_bone
        parts.append(_text(bone.name, 20) + struct.pack("<HHBH3f", parent, tail, 0, 0, *bone.position))
    parts.append(struct.pack("<H", 0))  # IK chains
    base = np.unique(np.concatenate([morph.vertices for morph in morphs])) if morphs else np.zeros(0, np.int32)
    parts.append(struct.pack("<H", len(morphs) + bool(morphs)))
    if morphs:
        parts.append(_skin("base", 0, base, character.positions[base]))
        for morph in morphs:
            code = _PANEL_CODES.get(morph.panel, 4)
            parts.append(_skin(morph.name, code, np.searchsorted(base, morph.vertices), morph.offsets))
    return b"".join(parts)


def _vertices(character: Character) -> bytes:
    record = np.zeros(
        len(character.positions),
        dtype=[
            ("position", "<f4", 3),
            ("normal", "<f4", 3),
            ("uv", "<f4", 2),
            ("bones", "<u2", 2),
            ("weight", "<u1"),
            ("no_edge", "<u1"),
        ],
    )
    record["position"], record["normal"], record["uv"] = character.positions, character.normals, character.uvs
    record["bones"] = np.where(character.bone_indices[:, :2] < 0, 0, character.bone_indices[:, :2])
    record["weight"] = np.round(character.bone_weights[:, 0] * 100)
    record["no_edge"] = character.edge_scales == 0
    return record.tobytes()


def _material(character: Character, material: MmdMaterial) -> bytes:
    base = character.textures[material.texture] if material.texture is not None else ""
    sphere = character.textures[material.sphere] if material.sphere is not None else ""
    path = f"{base}*{sphere}" if base and sphere and material.sphere_mode is not SphereMode.OFF else base or sphere
    toon = 0xFF if material.shared_toon is None else material.shared_toon
    return (
        struct.pack("<4f", *material.diffuse)
        + struct.pack("<f3f3f", material.shininess, *material.specular, *material.ambient)
        + struct.pack("<BBI", toon, bool(material.flags & MaterialFlag.EDGE), material.triangle_count * 3)
        + _text(path, 20)
    )


def _skin(name: str, code: int, vertices: np.ndarray, offsets: np.ndarray) -> bytes:
    rows = np.zeros(len(vertices), dtype=[("vertex", "<u4"), ("offset", "<f4", 3)])
    rows["vertex"], rows["offset"] = vertices, offsets
    return _text(name, 20) + struct.pack("<iB", len(rows), code) + rows.tobytes()
