"""What the fuzz sends: good files, each with something changed.

Bytes are changed wherever they stand; of a VRM besides values of its JSON, as a file does not come far whose JSON is broken.
"""

import io
import json
import struct
import zipfile
from collections.abc import Iterable
from functools import cache
from random import Random
from typing import Any

from farm.models.gltf.glb_writer import glb_bytes
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx_writer import Layout, pmx_bytes
from farm.models.vrm.writer import vrm_bytes
from tests.farm.models import made_files as made
from tests.farm.models import packed

type File = tuple[str, bytes]
"""Name and bytes."""

VRM = ".vrm"
_GLB = (VRM, ".vrma")
_EXTREMES = (b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x00\x00\x00\x80", b"\0\0\0\0", b"\x01\0\0\0", b"\0\0\xc0\x7f")
_NUMBERS = (-1, 0, 1, 2, 7, 255, 2**16, 2**31 - 1, 2**32, 2**53, 10**30, -(2**31), 0.5, 1e-30, -1e30, 1e308, 1e999, 1.0)
_TEXTS = ("", "x", "VEC3", "MAT4", "SCALAR", "neck", "blink", "aa", "\ud800", "data:;base64,AAAA", "../../x", "é" * 300)
_DEEPEST = 12


@cache
def seeds() -> tuple[File, ...]:
    """The good files."""
    full, small = made.full_character(), made.small_character()
    found = [
        ("a.pmx", pmx_bytes(full, Layout(version=2.1))),
        ("a.pmx", pmx_bytes(full, Layout(2.1, "utf-8", 1, 1, 1, 1, 1, 2, 3))),
        ("a.pmx", pmx_bytes(small, Layout(deform=0, bone_index=2))),
        ("a.pmd", packed.pack_pmd()),
        ("a.pmd", pmd_bytes(small)),
        ("a.vrm", made.vrm("0.x").to_bytes()),
        ("a.vrm", made.vrm("1.0").to_bytes()),
        ("a.vrm", vrm_bytes(full)),
    ]
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        with io.BytesIO() as out:
            with zipfile.ZipFile(out, "w", method) as archive:
                archive.writestr("狐/model.pmx", pmx_bytes(made.small_character(textures=("tex/a.png",))))
                archive.writestr("狐/tex/a.png", b"\x89PNG" * 20)
                archive.writestr("b/c.pmd", pmd_bytes(small))
            found.append(("a.zip", out.getvalue()))
    return tuple(found)


def bad_file(dice: Random, files: Iterable[File]) -> File:
    """One of `files`, changed."""
    name, data = dice.choice(tuple(files))
    if name.endswith(_GLB) and dice.random() < 0.75:
        return name, _with_other_json(data, dice)
    return name, mutated(data, dice)


def mutated(data: bytes, dice: Random) -> bytes:
    """`data` with a few bytes, numbers or pieces changed, or its end cut off."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 1, 1, 2, 3, 8, 20))):
        at = dice.randrange(len(changed)) if changed else 0
        match dice.randrange(8):
            case 0 | 1:
                changed[at : at + 1] = bytes([dice.randrange(256)])
            case 2:
                changed[at : at + 1] = bytes([changed[at] ^ 1 << dice.randrange(8)]) if changed else b""
            case 3 | 4:
                changed[at : at + 4] = dice.choice(_EXTREMES)
            case 5:
                del changed[at : at + dice.randrange(1, 64)]
            case 6:
                changed[at:at] = changed[at : at + dice.randrange(1, 64)]
            case _ if dice.random() < 0.2:
                del changed[at:]
            case _:
                other = dice.randrange(len(changed)) if changed else 0
                changed[at : at + 8] = changed[other : other + 8]
    return bytes(changed)


def _with_other_json(data: bytes, dice: Random) -> bytes:
    """A GLB with other values in its JSON, and now and then other bytes behind it."""
    (size,) = struct.unpack_from("<I", data, 12)
    content, binary = json.loads(data[20 : 20 + size]), data[28 + size :]
    for _ in range(dice.choice((1, 1, 1, 2, 4, 12))):
        _change(content, dice)
    return glb_bytes(content, mutated(binary, dice) if dice.random() < 0.3 else binary)


def _change(content: Any, dice: Random) -> None:
    """Change one value somewhere in `content`."""
    holder, place = _somewhere(content, dice)
    match dice.randrange(8):
        case 0:
            del holder[place]
        case 1 if isinstance(holder[place], list) and holder[place]:
            holder[place] += [dice.choice(holder[place])] * dice.choice((1, 2, 30, 300))
        case 2:
            other, elsewhere = _somewhere(content, dice)
            # A copy: what holds itself is no JSON.
            holder[place] = json.loads(json.dumps(other[elsewhere]))
        case 3:
            holder[place] = dice.choice((None, True, [], {}, [[]], [None] * 20))
        case 4:
            holder[place] = dice.choice(_TEXTS)
        case _:
            holder[place] = dice.choice(_NUMBERS)


def _somewhere(content: Any, dice: Random) -> tuple[Any, Any]:
    """A list or an object in `content`, and the place of one of its values."""
    holder, place = content, dice.choice(tuple(content))
    for _ in range(_DEEPEST):
        inner = holder[place]
        if not isinstance(inner, dict | list) or not inner or dice.random() < 0.1:
            break
        holder, place = inner, dice.choice(tuple(inner) if isinstance(inner, dict) else range(len(inner)))
    return holder, place
