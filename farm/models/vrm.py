"""Reads the JSON of a VRM 0.x or 1.0 file: enough to check it and list what it holds, without Blender.

A VRM is a binary glTF 2.0: a 12-byte header, a JSON chunk, a binary chunk. Source: glTF 2.0, VRM 0.0 and VRMC_vrm-1.0
specifications. Blender imports the geometry through the VRM add-on.
"""

import json
from dataclasses import dataclass, field
from typing import Any

from farm.errors import ModelFormatError, NoNeckBoneError
from farm.models.binary import Cursor
from farm.morphs.expressions import Rule

_GLB_MAGIC, _JSON_CHUNK = b"glTF", 0x4E4F534A
_MAX_JSON = 64 * 2**20
_UNSET = ("", "unknown")
_MAX_MATERIALS = 1024
"""Materials that are listed; a file may name millions."""
_UNREADABLE = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_texture_basisu")


@dataclass(frozen=True, slots=True)
class Expression:
    """One expression (VRM 1.0) or blend-shape group (VRM 0.x)."""

    name: str
    """The preset's name, such as "blink" or "aa", or the creator's own name where there is no preset."""
    binds: int
    """Morph targets, material colours and texture transforms that it drives."""
    rule: Rule = field(default_factory=Rule)
    kind: str = "expression"
    """"expression", or "shape key" in a file that has no expression with an effect."""


@dataclass(frozen=True, slots=True)
class VrmSummary:
    """What a VRM file says about itself."""

    version: str
    """"0.x" or "1.0"."""
    title: str
    comment: str
    licence: dict[str, str]
    """The fields of the file's `meta` that say something, as text."""
    vertices: int
    triangles: int
    meshes: int
    bones: tuple[str, ...]
    """Names of the nodes that are humanoid bones."""
    neck: str
    head: str
    expressions: tuple[Expression, ...]
    materials: tuple[tuple[str, int], ...]
    """Name and triangles of each."""
    images: int


def _objects(value: Any) -> list[dict[str, Any]]:
    """`value` as a list of objects; anything else in its place counts as absent."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    """`value` as a text; JSON can spell halves of surrogate pairs, which no file and no answer could hold."""
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else ""


def read_vrm(data: bytes) -> VrmSummary:
    """Read the bytes of a .vrm file.

    Raises ModelFormatError, ModelTruncatedError or NoNeckBoneError.
    """
    gltf = _read_json(data)
    _refuse_what_cannot_be_read(gltf)
    extensions = _object(gltf.get("extensions"))
    nodes = _objects(gltf.get("nodes"))

    def node_name(index: Any) -> str:
        return _text(nodes[index].get("name")) if isinstance(index, int) and 0 <= index < len(nodes) else ""

    if "VRMC_vrm" in extensions:
        version, vrm = "1.0", _object(extensions["VRMC_vrm"])
        human = _object(_object(vrm.get("humanoid")).get("humanBones"))
        bones = {bone: node_name(_object(entry).get("node")) for bone, entry in human.items()}
        expressions = _expressions_1(_object(vrm.get("expressions")), gltf)
    elif "VRM" in extensions:
        version, vrm = "0.x", _object(extensions["VRM"])
        entries = _objects(_object(vrm.get("humanoid")).get("humanBones"))
        bones = {_text(entry.get("bone")): node_name(entry.get("node")) for entry in entries}
        expressions = _expressions_0(_object(vrm.get("blendShapeMaster")), gltf)
    else:
        raise ModelFormatError(
            "This glTF file has no VRM extension, so it says neither which bone is the neck nor which shapes are "
            "expressions. Export it as VRM."
        )
    if not bones.get("neck"):
        raise NoNeckBoneError(
            "The VRM's humanoid has no neck bone, so neither the camera nor the head's rotation has a place. Assign the "
            "bone 'neck' in the VRM exporter and export again."
        )
    meta = _object(vrm.get("meta"))
    triangles = _count_triangles(gltf)
    authors = meta.get("authors")
    return VrmSummary(
        version=version,
        title=_text(meta.get("title")) or _text(meta.get("name")),
        comment=_text(meta.get("author")) or ", ".join(map(_text, authors if isinstance(authors, list) else [])),
        licence={_text(key): _said(value) for key, value in meta.items() if _said(value)},
        vertices=_count_vertices(gltf),
        triangles=sum(triangles.values()),
        meshes=len(_objects(gltf.get("meshes"))),
        bones=tuple(sorted(bones.values())),
        neck=bones["neck"],
        head=bones.get("head") or bones["neck"],
        expressions=expressions if any(e.binds for e in expressions) else _shape_keys(gltf),
        materials=tuple(
            (_text(material.get("name")), triangles.get(number, 0))
            for number, material in enumerate(_objects(gltf.get("materials"))[:_MAX_MATERIALS])
        ),
        images=len(_objects(gltf.get("images"))),
    )


def _said(value: Any) -> str:
    """A field of the meta as text: texts, true and false, and lists of texts; nothing for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return ", ".join(_text(item) for item in value if _text(item))
    return _text(value)


def _refuse_what_cannot_be_read(gltf: dict[str, Any]) -> None:
    """Refuse files that lie outside this one, which Blender would follow, and compressions that bpy cannot undo."""
    for kind in ("buffers", "images"):
        for entry in _objects(gltf.get(kind)):
            uri = entry.get("uri")
            if uri is not None and not (isinstance(uri, str) and uri.startswith("data:")):
                raise ModelFormatError(
                    f"The VRM refers to another file ({_text(uri)[:80]!r}); a VRM holds everything inside itself. Export "
                    "it again."
                )
    required = gltf.get("extensionsRequired")
    for name in required if isinstance(required, list) else []:
        if name in _UNREADABLE:
            raise ModelFormatError(f"The VRM is compressed with {name}, which cannot be read here. Export it without.")


def _read_json(data: bytes) -> dict[str, Any]:
    r = Cursor(data, "VRM")
    if bytes(r.take(4)) != _GLB_MAGIC:
        raise ModelFormatError(
            "This is not a VRM file: it does not begin with 'glTF' (binary glTF). Export it as .vrm again."
        )
    version, length = r.integer("I"), r.integer("I")
    if version != 2:
        raise ModelFormatError(f"The VRM is glTF version {version}; only version 2 is a VRM. Export it again.")
    r.take(0 if length <= len(data) else length - r.at)  # raises the error for a cut-off file
    size, kind = r.integer("I"), r.integer("I")
    if kind != _JSON_CHUNK or size > _MAX_JSON:
        raise ModelFormatError("The VRM's first chunk is not JSON of a usable size. Export it again.")
    try:
        gltf = json.loads(bytes(r.take(size)))
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(f"The VRM's JSON chunk cannot be read ({error}). Export it again.") from error
    if not isinstance(gltf, dict):
        raise ModelFormatError("The VRM's JSON chunk is no object. Export it again.")
    return gltf


def _expressions_0(master: dict[str, Any], gltf: dict[str, Any]) -> tuple[Expression, ...]:
    found = []
    for group in _objects(master.get("blendShapeGroups")):
        preset = _text(group.get("presetName")).lower()
        name = _text(group.get("name")) if preset in _UNSET else preset
        moving = [bind for bind in _objects(group.get("binds")) if _moves(gltf, bind.get("mesh"), bind)]
        binds = len(moving) + len(_objects(group.get("materialValues")))
        found.append(Expression(name, binds, Rule(binary=group.get("isBinary") is True)))
    return tuple(found)


def _expressions_1(expressions: dict[str, Any], gltf: dict[str, Any]) -> tuple[Expression, ...]:
    nodes = _objects(gltf.get("nodes"))

    def binds(entry: dict[str, Any]) -> int:
        count = sum(len(_objects(entry.get(kind))) for kind in ("materialColorBinds", "textureTransformBinds"))
        for bind in _objects(entry.get("morphTargetBinds")):
            node = bind.get("node")
            if isinstance(node, int) and 0 <= node < len(nodes):
                count += _moves(gltf, nodes[node].get("mesh"), bind)
        return count

    return tuple(
        Expression(_text(name), binds(_object(entry)), _rule(_object(entry)))
        for section in ("preset", "custom")
        for name, entry in _object(expressions.get(section)).items()
    )


def _moves(gltf: dict[str, Any], mesh: Any, bind: dict[str, Any]) -> bool:
    """Whether a bind names a morph target that exists, with a weight: what it cannot move it must not label."""
    meshes, index, weight = _objects(gltf.get("meshes")), bind.get("index"), bind.get("weight", 1)
    if not (isinstance(mesh, int) and 0 <= mesh < len(meshes) and isinstance(index, int) and weight):
        return False
    targets = [len(_objects(primitive.get("targets"))) for primitive in _objects(meshes[mesh].get("primitives"))]
    return 0 <= index < max(targets, default=0)


def _rule(entry: dict[str, Any]) -> Rule:
    overrides = {
        kind: entry[field_name]
        for kind, field_name in (("blink", "overrideBlink"), ("mouth", "overrideMouth"), ("lookAt", "overrideLookAt"))
        if entry.get(field_name) in ("block", "blend")
    }
    return Rule(binary=entry.get("isBinary") is True, overrides=overrides)


def _shape_keys(gltf: dict[str, Any]) -> tuple[Expression, ...]:
    """The named morph targets of the meshes; exporters write the names in the mesh's or the primitive's extras."""
    found: dict[str, int] = {}
    for mesh in _objects(gltf.get("meshes")):
        holders = [mesh, *_objects(mesh.get("primitives"))]
        names = next((n for h in holders if isinstance(n := _object(h.get("extras")).get("targetNames"), list)), [])
        for name in names:
            if isinstance(name, str) and name:
                found[name] = found.get(name, 0) + 1
    return tuple(Expression(name, count, kind="shape key") for name, count in found.items())


def _count_triangles(gltf: dict[str, Any]) -> dict[int | None, int]:
    """Triangles by material, as the file announces them; None for primitives without one."""
    accessors = _objects(gltf.get("accessors"))
    found: dict[int | None, int] = {}
    for mesh in _objects(gltf.get("meshes")):
        for primitive in _objects(mesh.get("primitives")):
            corners = primitive.get("indices", _object(primitive.get("attributes")).get("POSITION"))
            material = primitive.get("material")
            if isinstance(corners, int) and 0 <= corners < len(accessors):
                count = accessors[corners].get("count", 0)
                key = material if isinstance(material, int) else None
                found[key] = found.get(key, 0) + (count // 3 if isinstance(count, int) else 0)
    return found


def _count_vertices(gltf: dict[str, Any]) -> int:
    accessors = _objects(gltf.get("accessors"))
    seen: set[int] = set()
    for mesh in _objects(gltf.get("meshes")):
        for primitive in _objects(mesh.get("primitives")):
            position = _object(primitive.get("attributes")).get("POSITION")
            if isinstance(position, int) and 0 <= position < len(accessors):
                seen.add(position)
    counts = (accessors[index].get("count", 0) for index in seen)
    return sum(count for count in counts if isinstance(count, int))
