"""Reads PMD, the format before PMX, into the same `Character`.

Texts are Shift-JIS in fields of fixed length, often cut in the middle of a character; toon ramps and English names come
at the end of the file and may be absent. Source: the PMD layout as published with MikuMikuDance's early tools.
"""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from farm.errors import ModelFormatError, ModelTruncatedError
from farm.models.binary import Cursor, finite, lost, without
from farm.models.description import Bone, BoneFlag, Character, VertexMorph
from farm.models.materials import MaterialFlag, MmdMaterial, SphereMode
from farm.morphs.panels import Panel
from farm.wording import counted

_VERTEX = np.dtype(
    [
        ("position", "<f4", 3),
        ("normal", "<f4", 3),
        ("uv", "<f4", 2),
        ("bones", "<u2", 2),
        ("weight", "<u1"),
        ("no_edge", "<u1"),
    ]
)
_MATERIAL = np.dtype(
    [
        ("diffuse", "<f4", 4),
        ("shininess", "<f4"),
        ("specular", "<f4", 3),
        ("ambient", "<f4", 3),
        ("toon", "<u1"),
        ("edge", "<u1"),
        ("corners", "<u4"),
        ("texture", "S20"),
    ]
)
_BONE = np.dtype(
    [("name", "S20"), ("parent", "<u2"), ("tail", "<u2"), ("kind", "<u1"), ("ik", "<u2"), ("head", "<f4", 3)]
)
_SKIN_OFFSET = np.dtype([("vertex", "<u4"), ("offset", "<f4", 3)])
_SHARED_TOONS = {f"toon{number + 1:02d}.bmp": number for number in range(10)}
"""MikuMikuDance's own ramps; a file may list them in any slot."""
_SPHERES = {".sph": SphereMode.MULTIPLY, ".spa": SphereMode.ADD}
"""Suffixes of sphere maps, and how they act."""
_PANELS = {1: Panel.EYEBROW, 2: Panel.EYE, 3: Panel.MOUTH, 4: Panel.OTHER}


def _text(raw: bytes) -> str:
    """Shift-JIS up to the first zero byte; half a character at a cut end is dropped."""
    return raw.split(b"\0", 1)[0].decode("cp932", errors="ignore")


def read_pmd(data: bytes) -> Character:
    """Read the bytes of a .pmd file.

    Raises ModelFormatError or ModelTruncatedError; both say what is wrong with the file.
    """
    r = Cursor(data, "PMD")
    if bytes(r.take(3)) != b"Pmd":
        raise ModelFormatError(
            "This is not a PMD file: it does not begin with 'Pmd'. If it is a PMX or a text file, name it so."
        )
    r.unpack("f")
    name, comment = _text(bytes(r.take(20))), _text(bytes(r.take(256)))
    vertices = r.array(_VERTEX, r.count("vertices", _VERTEX.itemsize))
    count = len(vertices)
    corners = r.array("<u2", r.count("triangle corners", 2)).astype(np.int32)
    triangles = corners[: len(corners) - len(corners) % 3].reshape(-1, 3)
    if triangles.size and triangles.max() >= count:
        raise ModelFormatError(
            f"A triangle names vertex {int(triangles.max())} of {count}, so the PMD file is damaged. Copy it again."
        )
    triangles = without(triangles, lost(vertices["position"]))
    materials = r.array(_MATERIAL, r.count("materials", _MATERIAL.itemsize))
    bones = r.array(_BONE, _small_count(r, "H", "bones", _BONE.itemsize))
    for _ in range(_small_count(r, "H", "IK chains", 11)):
        r.take(4)
        links = r.integer("B")
        r.take(6 + 2 * links)
    morphs, warnings = _read_morphs(r, count)
    toons, name_en, comment_en, bone_names, morph_names = _read_tail(r, len(bones), len(morphs))
    textures: list[str] = []
    weights = np.zeros((count, 4), np.float32)
    weights[:, 0] = np.minimum(vertices["weight"], 100) / 100.0
    weights[:, 1] = 1.0 - weights[:, 0]
    bone_indices = np.full((count, 4), -1, np.int32)
    bone_indices[:, :2] = vertices["bones"]
    bone_indices[bone_indices >= len(bones)] = -1
    return Character(
        format="PMD 1.0",
        name=name,
        name_en=name_en,
        comment=comment,
        comment_en=comment_en,
        positions=finite(vertices["position"]),
        normals=finite(vertices["normal"]),
        uvs=finite(vertices["uv"]),
        bone_indices=bone_indices,
        bone_weights=weights,
        edge_scales=np.where(vertices["no_edge"] > 0, 0.0, 1.0).astype(np.float32),
        triangles=triangles,
        materials=_materials(materials, len(triangles), toons, textures),
        textures=tuple(textures),
        bones=tuple(_bone(record, bone_names[i], len(bones)) for i, record in enumerate(bones)),
        morphs=tuple(replace(morph, name_en=english) for morph, english in zip(morphs, morph_names, strict=True)),
        warnings=tuple(warnings),
    )


def _small_count(r: Cursor, letter: str, name: str, smallest: int) -> int:
    value = r.integer(letter)
    if value * smallest > r.left:
        raise ModelTruncatedError(
            f"The PMD file is cut off: it announces {value} {name} and {r.left} bytes are left. Copy it again."
        )
    return value


def _read_morphs(r: Cursor, vertex_count: int) -> tuple[list[VertexMorph], list[str]]:
    """The skins; each counts vertices by their place in the skin "base", which lists every vertex that any skin moves."""
    warnings: list[str] = []
    morphs: list[VertexMorph] = []
    base = np.zeros(0, np.int32)
    for _ in range(_small_count(r, "H", "morphs", 25)):
        name = _text(bytes(r.take(20)))
        count = r.count("morph offsets", 0)
        kind = r.integer("B")
        rows = r.array(_SKIN_OFFSET, count)
        index = rows["vertex"].astype(np.int64)
        offsets = finite(rows["offset"])
        if kind == 0:
            if index.size and index.max() >= vertex_count:
                raise ModelFormatError(
                    f"The base morph names vertex {int(index.max())} of {vertex_count}, so the PMD file is damaged."
                    " Copy it again."
                )
            base = index.astype(np.int32)
            continue
        kept = index < len(base)
        if not kept.all():
            absent = counted(int((~kept).sum()), "vertex that does", "vertices that do")
            warnings.append(f"Morph '{name}' moves {absent} not exist; ignored.")
        panel = _PANELS.get(kind, Panel.OTHER)
        morphs.append(VertexMorph(name, "", panel, base[index[kept]], np.ascontiguousarray(offsets[kept])))
    return morphs, warnings


def _read_tail(r: Cursor, bones: int, morphs: int) -> tuple[list[str], str, str, list[str], list[str]]:
    """The optional end of the file: ten toon paths, English name and comment, English bone and morph names.

    Old files stop anywhere in it, which is no error.
    """
    toons: list[str] = []
    name = comment = ""
    bone_names, morph_names = [""] * bones, [""] * morphs
    try:
        r.take(2 * r.integer("B"))
        frames = r.integer("B")
        r.take(50 * frames)
        r.take(3 * r.integer("I"))
        if r.integer("B") == 1:
            name, comment = _text(bytes(r.take(20))), _text(bytes(r.take(256)))
            bone_names = [_text(bytes(r.take(20))) for _ in range(bones)]
            morph_names = [_text(bytes(r.take(20))) for _ in range(morphs)]
            r.take(50 * frames)
        toons = [_text(bytes(r.take(100))) for _ in range(10)]
    except ModelTruncatedError:
        pass  # what was read so far stands
    return toons, name, comment, bone_names, morph_names


def _bone(record: np.void, name_en: str, count: int) -> Bone:
    parent, tail = int(record["parent"]), int(record["tail"])
    x, y, z = finite(record["head"]).tolist()
    return Bone(
        name=_text(bytes(record["name"])),
        name_en=name_en,
        position=(x, y, z),
        parent=parent if parent < count else None,
        layer=0,
        flags=BoneFlag.ROTATABLE | BoneFlag.VISIBLE | BoneFlag.ENABLED,
        tail_bone=tail if 0 < tail < count else None,
    )


def _texture_names(field: str) -> tuple[str, str, SphereMode]:
    """Base texture and sphere map of a material, "" for none: "base*sphere", or either alone.

    The field has 20 bytes, so that the end of a sphere map's name may be missing, and with it what it does: what stands
    behind the star is never the base texture, and without a suffix that tells how it acts it is left out.
    """
    first, star, behind = field.partition("*")
    base, sphere = ("", first) if first.lower().endswith(tuple(_SPHERES)) else (first, "")
    if star and behind.lower().endswith(tuple(_SPHERES)):
        sphere = behind
    elif sphere and behind:
        base = behind  # the other way round
    if base.lower().endswith((".s", ".sp")):
        base = ""  # a sphere map alone, cut in its suffix
    return base, sphere, _SPHERES.get(sphere[-4:].lower(), SphereMode.OFF)


def _materials(
    records: NDArray[np.void], triangle_count: int, toons: list[str], textures: list[str]
) -> tuple[MmdMaterial, ...]:
    """The materials; their texture paths ("base*sphere", either part optional) are collected in `textures`."""

    def texture(path: str) -> int | None:
        if not path:
            return None
        if path not in textures:
            textures.append(path)
        return textures.index(path)

    materials: list[MmdMaterial] = []
    first = 0
    for number, record in enumerate(records):
        base, sphere, mode = _texture_names(_text(bytes(record["texture"])))
        diffuse = [float(v) for v in finite(record["diffuse"])]
        toon = int(record["toon"])
        own_toon = toons[toon] if toon < len(toons) else ""
        shared = _SHARED_TOONS.get(own_toon.lower(), toon if toon < 10 and not own_toon else None)
        flags = MaterialFlag(0)
        if record["edge"]:
            flags |= MaterialFlag.EDGE
        if diffuse[3] < 1.0:
            flags |= MaterialFlag.DOUBLE_SIDED  # MikuMikuDance culls only opaque PMD materials
        triangles = min(int(record["corners"]) // 3, triangle_count - first)
        specular, ambient = finite(record["specular"]).tolist(), finite(record["ambient"]).tolist()
        materials.append(
            MmdMaterial(
                name=f"材質{number + 1}",
                name_en="",
                diffuse=(diffuse[0], diffuse[1], diffuse[2], diffuse[3]),
                specular=(specular[0], specular[1], specular[2]),
                shininess=float(finite(record["shininess"])),
                ambient=(ambient[0], ambient[1], ambient[2]),
                flags=flags,
                edge_colour=(0.0, 0.0, 0.0, 1.0),
                edge_size=1.0,
                texture=texture(base),
                sphere=texture(sphere),
                sphere_mode=mode,
                toon=None if shared is not None else texture(own_toon),
                shared_toon=shared,
                first_triangle=first,
                triangle_count=triangles,
            )
        )
        first += triangles
    return tuple(materials)
