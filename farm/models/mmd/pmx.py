"""Reads PMX 2.0 and 2.1 into a `Character`.

Source: PMX 2.0/2.1 specification. Inverse kinematics, physics and soft bodies do not show in a still picture and are
passed over.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from farm.errors import ModelFormatError
from farm.models.binary import finite, lost, without
from farm.models.description import (
    Bone,
    BoneFlag,
    Character,
    Floats,
    Inheritance,
    Ints,
    Spherical,
)
from farm.models.materials import MaterialFlag, MmdMaterial, SphereMode
from farm.models.mmd.pmx_cursor import SIGNED, UNSIGNED, PmxCursor
from farm.models.mmd.pmx_morphs import read_morphs
from farm.wording import counted

_SMALLEST_VERTEX = 12 + 12 + 8 + 1 + 1 + 4
_SMALLEST_MATERIAL = 4 + 4 + 16 + 12 + 4 + 12 + 1 + 16 + 4 + 1 + 1 + 1 + 1 + 1 + 4 + 4
_SDEF, _QDEF = 3, 4
"""Weight types of a vertex."""
_SMALLEST_BONE = 4 + 4 + 12 + 1 + 4 + 2 + 1


@dataclass(frozen=True, slots=True)
class _Vertices:
    """What `Character` has of its n vertices, and which of them are nowhere."""

    positions: Floats
    normals: Floats
    uvs: Floats
    more_uvs: Floats | None
    bones: Ints
    weights: Floats
    edges: Floats
    spherical: Spherical | None
    dual: Ints | None
    lost: NDArray[np.bool_]


def read_pmx(data: bytes) -> Character:
    """Read the bytes of a .pmx file.

    Raises ModelFormatError or ModelTruncatedError; both say what is wrong with the file.
    """
    r = PmxCursor(data)
    name, name_en, comment, comment_en = r.text(), r.text(), r.text(), r.text()
    vertices = _read_vertices(r)
    triangles = without(_read_triangles(r, len(vertices.positions)), vertices.lost)
    textures = tuple(r.text() for _ in range(r.count("textures", 4)))
    materials = _read_materials(r, len(textures), len(triangles))
    bones = _read_bones(r)
    bone_indices = vertices.bones
    astray = (bone_indices >= len(bones)) | (bone_indices < -1)
    if astray.any():
        absent = counted(int(astray.sum()), "vertex weight names a bone that does", "vertex weights name bones that do")
        r.warnings.append(f"{absent} not exist; ignored.")
        bone_indices[astray] = -1
    morphs = read_morphs(r, len(vertices.positions), len(bones), len(materials))
    _skip_tail(r)
    return Character(
        format=f"PMX {r.version:.1f}",
        name=name,
        name_en=name_en,
        comment=comment,
        comment_en=comment_en,
        positions=vertices.positions,
        normals=vertices.normals,
        uvs=vertices.uvs,
        bone_indices=bone_indices,
        bone_weights=vertices.weights,
        edge_scales=vertices.edges,
        triangles=triangles,
        textures=textures,
        materials=materials,
        bones=bones,
        morphs=morphs,
        warnings=tuple(r.warnings),
        more_uvs=vertices.more_uvs,
        spherical=vertices.spherical,
        dual=vertices.dual,
    )


def _read_vertices(r: PmxCursor) -> _Vertices:
    """The vertices.

    Records differ in length with their deform type, so one pass finds where each begins, and then every type is read
    as one array.
    """
    count = r.count("vertices", _SMALLEST_VERTEX + 16 * r.additional_uvs + r.bone_size - 1)
    bone, head = r.bone_size, 32 + 16 * r.additional_uvs
    deform_sizes = (bone, 2 * bone + 4, 4 * bone + 16, 2 * bone + 4 + 36, 4 * bone + 16)
    record_sizes = [head + 1 + size + 4 for size in deform_sizes]
    data, at, end = r.data, r.at, len(r.data)
    starts = np.empty(count, np.int64)
    for i in range(count):
        starts[i] = at
        deform = data[at + head] if at + head < end else 0
        if deform > 4:
            raise ModelFormatError(
                f"Vertex {i} has the unknown weight type {deform}, so the PMX file is damaged. Copy or download it again."
            )
        at += record_sizes[deform]
        if at > end:
            r.take(at - r.at)  # raises the error for a cut-off file
    block = np.frombuffer(r.take(at - r.at), np.uint8)
    starts -= at - len(block)

    def gather(rows: NDArray[np.int64], offset: int, size: int, dtype: str) -> NDArray[np.float32]:
        raw = block[(starts[rows] + offset)[:, None] + np.arange(size)]
        return np.ascontiguousarray(raw).view(dtype)

    every = np.arange(count)
    fixed = gather(every, 0, 32, "<f4").reshape(count, 8)
    gone = lost(fixed[:, :3])
    if gone.any():
        r.warnings.append("Some vertices have positions that are not numbers; the triangles about them are left out.")
    fixed = finite(fixed)
    deforms = block[starts + head] if count else np.zeros(0, np.uint8)
    bones = np.full((count, 4), -1, np.int32)
    weights = np.zeros((count, 4), np.float32)
    edges = np.ones(count, np.float32)
    spherical = None
    for deform in np.unique(deforms).tolist():
        rows = np.flatnonzero(deforms == deform)
        used = 1 if deform == 0 else 2 if deform in (1, 3) else 4
        bones[rows, :used] = gather(rows, head + 1, used * bone, SIGNED[bone]).reshape(-1, used)
        after = head + 1 + used * bone
        if used == 1:
            weights[rows, 0] = 1.0
        elif used == 2:
            first = finite(gather(rows, after, 4, "<f4").reshape(-1))
            weights[rows, 0] = first
            weights[rows, 1] = 1.0 - first
            if deform == _SDEF:
                spherical = _spherical(rows, gather(rows, after + 4, 36, "<f4").reshape(-1, 3, 3))
        else:
            weights[rows] = gather(rows, after, 16, "<f4").reshape(-1, 4)
        edges[rows] = gather(rows, record_sizes[deform] - 4, 4, "<f4").reshape(-1)
    more_uvs = None
    if r.additional_uvs:
        layers = finite(gather(every, 32, 16 * r.additional_uvs, "<f4")).reshape(count, r.additional_uvs, 4)
        if layers.any():  # all zeros were written by a tool that had nothing to say
            more_uvs = np.ascontiguousarray(layers.transpose(1, 0, 2))
    dual = np.flatnonzero(deforms == _QDEF).astype(np.int32)
    return _Vertices(
        positions=np.ascontiguousarray(fixed[:, :3]),
        normals=np.ascontiguousarray(fixed[:, 3:6]),
        uvs=np.ascontiguousarray(fixed[:, 6:8]),
        more_uvs=more_uvs,
        bones=bones,
        weights=finite(weights),
        edges=finite(edges),
        spherical=spherical,
        dual=dual if len(dual) else None,
        lost=gone,
    )


def _spherical(rows: NDArray[np.int64], points: NDArray[np.float32]) -> Spherical | None:
    """What SDEF moves: (s,) vertices with their (s, 3, 3) points C, R0, R1.

    A record of zeros was written by a tool that knows no SDEF; it stays linear.
    """
    points = finite(points)
    said = points.any(axis=(1, 2))
    centres, firsts, seconds = (np.ascontiguousarray(points[said, place]) for place in range(3))
    return Spherical(rows[said].astype(np.int32), centres, firsts, seconds) if said.any() else None


def _read_triangles(r: PmxCursor, vertex_count: int) -> Ints:
    count = r.count("triangle corners", r.vertex_size)
    corners = np.frombuffer(r.take(count * r.vertex_size), UNSIGNED[r.vertex_size]).astype(np.int32)
    triangles = corners[: count - count % 3].reshape(-1, 3)
    if triangles.size and (triangles.min() < 0 or triangles.max() >= vertex_count):
        raise ModelFormatError(
            f"A triangle names vertex {int(triangles.max())} of {vertex_count}, so the PMX file is damaged. "
            "Copy or download it again."
        )
    return triangles


def _read_materials(r: PmxCursor, texture_count: int, triangle_count: int) -> tuple[MmdMaterial, ...]:
    def texture(index: int | None) -> int | None:
        return index if index is not None and index < texture_count else None

    materials: list[MmdMaterial] = []
    first = 0
    for _ in range(r.count("materials", _SMALLEST_MATERIAL)):
        name, name_en = r.text(), r.text()
        values = r.floats(11)
        flags = MaterialFlag(r.integer("B"))
        edge = r.floats(5)
        base, sphere = texture(r.index(r.texture_size)), texture(r.index(r.texture_size))
        sphere_mode = r.integer("B")
        shared = r.integer("B") == 1
        toon = r.integer("B") if shared else r.index(r.texture_size)
        memo = r.text()
        corners = r.integer("i")
        triangles = min(max(corners // 3, 0), triangle_count - first)
        materials.append(
            MmdMaterial(
                name=name,
                name_en=name_en,
                diffuse=(values[0], values[1], values[2], values[3]),
                specular=(values[4], values[5], values[6]),
                shininess=values[7],
                ambient=(values[8], values[9], values[10]),
                flags=flags,
                edge_colour=(edge[0], edge[1], edge[2], edge[3]),
                edge_size=edge[4],
                texture=base,
                sphere=sphere,
                sphere_mode=SphereMode(sphere_mode) if sphere_mode <= 3 else SphereMode.OFF,
                toon=None if shared else texture(toon),
                shared_toon=toon if shared and toon is not None and toon <= 9 else None,
                first_triangle=first,
                triangle_count=triangles,
                memo=memo,
            )
        )
        first += triangles
    if first < triangle_count:
        homeless = counted(triangle_count - first, "triangle belongs", "triangles belong")
        r.warnings.append(f"{homeless} to no material; not drawn.")
    return tuple(materials)


def _vec3(values: tuple[float, ...]) -> tuple[float, float, float]:
    return values[0], values[1], values[2]


def _read_bones(r: PmxCursor) -> tuple[Bone, ...]:
    bones: list[Bone] = []
    count = r.count("bones", _SMALLEST_BONE)
    for _ in range(count):
        name, name_en = r.text(), r.text()
        position = _vec3(r.floats(3))
        parent = r.index(r.bone_size)
        layer = r.integer("i")
        flags = BoneFlag(r.integer("H"))
        tail_bone, tail_offset = None, (0.0, 0.0, 0.0)
        if flags & BoneFlag.TAIL_IS_BONE:
            tail_bone = r.index(r.bone_size)
        else:
            tail_offset = _vec3(r.floats(3))
        inheritance = None
        if flags & (BoneFlag.INHERIT_ROTATION | BoneFlag.INHERIT_TRANSLATION):
            source, ratio = r.index(r.bone_size), r.floats(1)[0]
            if source is not None and source < count:
                inheritance = Inheritance(source, ratio)
        if flags & BoneFlag.FIXED_AXIS:
            r.floats(3)
        if flags & BoneFlag.LOCAL_AXES:
            r.floats(6)
        if flags & BoneFlag.EXTERNAL_PARENT:
            r.integer("i")
        if flags & BoneFlag.IK:
            _skip_ik(r)
        bones.append(
            Bone(
                name=name,
                name_en=name_en,
                position=position,
                parent=parent if parent is not None and parent < count else None,
                layer=layer,
                flags=flags,
                tail_bone=tail_bone if tail_bone is not None and tail_bone < count else None,
                tail_offset=tail_offset,
                inheritance=inheritance,
            )
        )
    return tuple(bones)


def _skip_ik(r: PmxCursor) -> None:
    r.index(r.bone_size)
    r.unpack("if")
    for _ in range(r.count("IK links", r.bone_size + 1)):
        r.index(r.bone_size)
        if r.integer("B"):
            r.floats(6)


def _skip_tail(r: PmxCursor) -> None:
    """Pass over display frames, rigid bodies and joints, to notice a file that is cut off there.

    Files that some tools write end before one of these sections, which is no damage. Soft bodies (2.1) are left alone.
    """
    if r.left:
        for _ in range(r.count("display frames", 13)):
            r.text(), r.text(), r.integer("B")
            for _ in range(r.count("frame entries", 1 + min(r.bone_size, r.morph_size))):
                r.index(r.morph_size if r.integer("B") else r.bone_size)
    if r.left:
        for _ in range(r.count("rigid bodies", 8 + r.bone_size + 61)):
            r.text(), r.text(), r.index(r.bone_size)
            r.take(1 + 2 + 1 + 36 + 20 + 1)
    if r.left:
        for _ in range(r.count("joints", 8 + 1 + 2 * r.body_size + 96)):
            r.text(), r.text(), r.integer("B")
            r.take(2 * r.body_size + 96)
