"""Small files that ask for much: memory, time, room."""

import bz2
import io
import json
import lzma
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from farm.models.description import VertexMorph
from farm.models.gltf.glb_writer import GlbWriter, glb_bytes
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.morphs.panels import Panel
from tests.farm.models import made_files as made


@dataclass(frozen=True, slots=True)
class Bomb:
    """A file, and the words with which it is refused; none: it is taken, within the limits."""

    how: str
    name: str
    make: Callable[[], bytes]
    refusal: str


def zipped(members: dict[str, bytes], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip of these members."""
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w", method, compresslevel=1) as archive:
            for name, data in members.items():
                archive.writestr(name, data)
        return out.getvalue()


def of_method(method: int, packed: bytes, size: int, name: bytes = b"a.pmx") -> bytes:
    """A zip of one member, packed by a method that `zipfile` may not write."""
    crc = 0
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 63, 0, method, 0, 33, crc, len(packed), size, len(name), 0)
    central = struct.pack(
        "<4s6H3I5H2I", b"PK\x01\x02", 63, 63, 0, method, 0, 33, crc, len(packed), size, len(name), 0, 0, 0, 0, 0, 0
    )
    start = len(local) + len(name) + len(packed)
    end = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, 1, 1, len(central) + len(name), start, 0)
    return local + name + packed + central + name + end


def shared_texture(models: int, megabytes: int) -> bytes:
    """Many models that name one texture, which packs to nothing."""
    model = made.small_character(textures=("t.png",))
    several = {f"{n:03d}.pmx": pmx_bytes(replace(model, name=str(n))) for n in range(models)}
    return zipped({"t.png": bytes(megabytes * 2**20), **several})


def one_texture_many_times(entries: int, megabytes: int) -> bytes:
    """A model whose list of textures names one file again and again."""
    return zipped(
        {"t.png": bytes(megabytes * 2**20), "m.pmx": pmx_bytes(made.small_character(textures=("t.png",) * entries))}
    )


def empty_morphs(count: int) -> bytes:
    """A model with morphs that move nothing."""
    nothing = (np.zeros(0, np.int32), np.zeros((0, 3), np.float32))
    morphs = tuple(VertexMorph(f"m{n}", "", Panel.OTHER, *nothing) for n in range(count))
    return pmx_bytes(replace(made.small_character(), morphs=morphs))


def deep_grey(side: int) -> bytes:
    """A black picture of 16 bits a pixel."""
    rows = zlib.compress(bytes((2 * side + 1) * side), 9)

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">2I5B", side, side, 16, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def strange_textures(count: int) -> bytes:
    """A model that names files of other folders, in a tree of as many files."""
    names = tuple(f"c:\\x\\y\\z\\{n}\\missing-{n}.png" for n in range(count))
    files = {f"tex/{n % 50}/{n}.bmp": b"x" for n in range(3000)}
    return zipped({"m.pmx": pmx_bytes(made.small_character(textures=names)), **files})


def binds_times_nodes(groups: int, binds: int, nodes: int = 500, index: int = 0) -> bytes:
    """A VRM whose one mesh stands on many nodes, and is bound again and again: each bind is one of every node."""
    draft = _mesh_on_nodes(nodes, "0.x")
    bind = {"mesh": 0, "index": index}
    group = {"name": "g", "presetName": "unknown", "binds": [bind] * binds}
    draft.content["extensions"]["VRM"]["blendShapeMaster"]["blendShapeGroups"] += [group] * groups
    return draft.to_bytes()


def names_times_nodes(names: int, nodes: int = 500) -> bytes:
    """A VRM without expressions, whose one mesh has many named morph targets and stands on many nodes."""
    draft = _mesh_on_nodes(nodes, "1.0")
    draft.content["extensions"]["VRMC_vrm"]["expressions"] = {}
    draft.content["meshes"][0]["extras"] = {"targetNames": [f"{n}" for n in range(names)]}
    return draft.to_bytes()


def binds_times_primitives(binds: int, primitives: int = 500) -> bytes:
    """A VRM whose mesh has many primitives, each of which every bind of a number that nobody has looks at."""
    draft = made.vrm("1.0")
    (mesh,) = draft.content["meshes"]
    mesh["primitives"] = mesh["primitives"][:1] * primitives
    (node,) = (place for place, node in enumerate(draft.content["nodes"]) if "mesh" in node)
    more = [{"node": node, "index": 1000 + number, "weight": 1} for number in range(binds)]
    draft.content["extensions"]["VRMC_vrm"]["expressions"]["custom"]["x"] = {"morphTargetBinds": more}
    return draft.to_bytes()


def many_values(count: int) -> bytes:
    """A VRM whose JSON has so many empty objects: three bytes each, and sixty-four of memory."""
    draft = made.vrm("1.0")
    draft.content["extras"] = "EMPTY"
    return glb_bytes(json.dumps(draft.content).encode().replace(b'"EMPTY"', b"[" + b"{}," * count + b"{}]"))


def _mesh_on_nodes(nodes: int, version: str) -> GlbWriter:
    draft = made.vrm(version)
    of_mesh = next(node for node in draft.content["nodes"] if "mesh" in node)
    first = len(draft.content["nodes"])
    draft.content["nodes"] += [of_mesh] * nodes
    draft.content["scenes"][0]["nodes"] += range(first, first + nodes)
    return draft


_METHODS: tuple[tuple[str, int, Callable[[], bytes]], ...] = (
    ("bzip2", zipfile.ZIP_BZIP2, lambda: bz2.compress(bytes(2**26))),
    ("lzma", zipfile.ZIP_LZMA, lambda: b"\x09\x04\x05\0" + lzma.compress(b"", lzma.FORMAT_ALONE)[:5]),
    ("deflate64", 9, lambda: zlib.compress(bytes(2**20))[2:-4]),
    ("zstd", 93, lambda: b"\x28\xb5\x2f\xfd" + bytes(64)),
    ("xz", 95, lambda: lzma.compress(bytes(2**20))),
    ("ppmd", 98, lambda: bytes(64)),
)


def bombs(scale: int = 1) -> Iterator[Bomb]:
    """One of each kind, with its siblings; a `scale` of 10 is as large as the limits on uploads let them be."""
    for name, method, packed in _METHODS:
        for member in (b"a.pmx", b"\x83\x82.pmx"):  # the second asks which encoding its name is in
            made_of = lambda m=method, p=packed, n=member: of_method(m, p(), 2**28, n)  # noqa: E731
            yield Bomb(f"zip of {name}", "a.zip", made_of, f"method {method}")
    more = "more than the limit of 1024 MiB"
    yield Bomb("zip of a GiB and more", "a.zip", lambda: of_method(8, _deflated(2**30 + 2**25), 2**31), more)
    every = "each keeps its own textures"
    yield Bomb("one texture, hundreds of models", "a.zip", partial(shared_texture, 35 + 10 * scale, 60), every)
    yield Bomb("one texture, 1,000 entries", "a.zip", partial(one_texture_many_times, 1000, 6 * scale), "")
    count = 30_000 * scale
    yield Bomb("empty morphs", "a.pmx", partial(empty_morphs, count), f"lists {count} morphs, over the limit")
    yield Bomb("a name of a million letters", "a.pmx", _long_name, "characters, over the limit of 1000. Shorten it")
    often = "ask for morph targets more than 262144 times"
    yield Bomb("binds times nodes", "a.vrm", partial(binds_times_nodes, 50 * scale, 1000), often)
    yield Bomb("names times nodes", "a.vrm", partial(names_times_nodes, 6000 * scale), often)
    yield Bomb("binds times primitives", "a.vrm", partial(binds_times_primitives, 5000 * scale), often)
    yield Bomb("a JSON of millions of values", "a.vrm", partial(many_values, 2_200_000), "JSON has more than")
    yield Bomb("1,000 textures elsewhere", "a.zip", partial(strange_textures, 1000), "")


def _deflated(size: int) -> bytes:
    made_of = zlib.compressobj(1, zlib.DEFLATED, -15)
    piece = bytes(2**24)
    return b"".join(made_of.compress(piece) for _ in range(size // len(piece))) + made_of.flush()


def _long_name() -> bytes:
    character = made.small_character()
    return pmx_bytes(replace(character, morphs=(replace(character.morphs[0], name=" " * 2**20),)))
