"""Models that ask for a file which is none of theirs: a secret, as text and as a picture, that must not come back.

Endless: the same spellings with other seeds in front, behind and between.
"""

import io
import itertools
import os
import stat
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random
from urllib.parse import quote

import numpy as np
from PIL import Image, PngImagePlugin

from farm.models.gltf.glb_writer import glb_bytes
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.vrm.writer import vrm_draft
from tests.farm.models import made_files as made

CANARY = b"canary-7c1d09e2-not-yours"
COLOUR = (201, 7, 123)
"""Of the secret picture: nothing else here has it."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """Files that only this user may read."""

    text: Path
    picture: Path


@dataclass(frozen=True, slots=True)
class Crafted:
    """An upload that means harm."""

    how: str
    name: str
    data: bytes


def secrets(folder: Path) -> Secrets:
    """Make the secrets."""
    folder.mkdir(parents=True, exist_ok=True)
    text, picture = folder / "secret.txt", folder / "secret.png"
    text.write_bytes(CANARY * 50)
    said = PngImagePlugin.PngInfo()
    said.add_text("Comment", CANARY.decode())
    Image.fromarray(np.full((64, 64, 3), COLOUR, np.uint8)).save(picture, pnginfo=said)
    for path in (text, picture):
        path.chmod(0o600)
    return Secrets(text, picture)


def spellings(path: Path, dice: Random) -> Iterator[str]:
    """How a reader may be led to `path`."""
    plain, up = str(path), "../" * dice.randrange(1, 20)
    bare = plain.lstrip("/")
    yield from (plain, up + bare, "./" + up + bare, "tex/../" + up + bare, "/" * dice.randrange(2, 5) + bare)
    yield from (
        plain.replace("/", "\\"),
        (up + bare).replace("/", "\\"),
        "C:" + plain,
        "C:\\" + bare.replace("/", "\\"),
    )
    yield from (f"\\\\localhost\\{bare}", f"\\\\?\\{plain}", f"//localhost{plain}", f"~{plain}", f"~root/{up}{bare}")
    yield from (f"/proc/self/root{plain}", f"/proc/self/cwd/{up}{bare}", f"/proc/1/root{plain}", "/proc/self/environ")
    yield from (quote(up + bare, safe=""), (up + bare).replace("..", "%2e%2e"), (up + bare).replace("../", "..%2f"))
    yield from (
        plain + " ",
        plain + ".",
        plain + "\0.png",
        plain + "?.png",
        plain + "#.png",
        plain.upper(),
        f" {plain}",
    )
    yield from (f"{plain}*{plain}", f"a.png*{up}{bare}", f"file://{plain}", f"file:{plain}", f"FILE://localhost{plain}")


def uris(path: Path, dice: Random) -> Iterator[str]:
    """The same as a URI that could pass for data of the file's own."""
    up = "../" * dice.randrange(1, 20)
    yield from spellings(path, dice)
    yield from (f"data:/../{up}{path}", f"data:{path}", f"data:,{path}", f"data:;base64,{up}{path}", f"data://{path}")
    yield from (f"data:text/plain;base64,{up}{path}", f"data:application/octet-stream;base64/../{up}{path}", "data:")
    yield from (
        f"DATA:{path}",
        f"data%3a/../{up}{path}",
        f"http://127.0.0.1{path}",
        f"blob:{path}",
        f"jar:file:{path}!/",
    )


def _vrm(uri: str, where: str, version: str) -> bytes:
    draft = vrm_draft(made.full_character(), version)
    draft.to_bytes()  # it fills the buffers in
    if where == "buffer":
        draft.content["buffers"].append({"byteLength": 4096, "uri": uri})
        for view in draft.content["bufferViews"][-3:]:
            view["buffer"] = 1
            view["byteOffset"] = 0
    else:
        draft.content.setdefault("images", []).insert(0, {"uri": uri, "name": uri, "mimeType": "image/png"})
    return glb_bytes(draft.content, bytes(draft.binary))


def _zip(members: list[tuple[zipfile.ZipInfo | str, bytes]]) -> bytes:
    with io.BytesIO() as out:
        with zipfile.ZipFile(out, "w") as archive:
            for name, data in members:
                archive.writestr(name, data)
        return out.getvalue()


def _link(name: str, to: str, kind: int = stat.S_IFLNK) -> tuple[zipfile.ZipInfo, bytes]:
    info = zipfile.ZipInfo(name)
    info.create_system = 3
    info.external_attr = (kind | 0o777) << 16
    return info, to.encode()


def _mmd(name: str, suffix: str) -> bytes:
    character = made.small_character(textures=(name,))
    return pmx_bytes(character) if suffix == ".pmx" else pmd_bytes(character)


def crafted(of: Secrets, seed: int = 0) -> Iterator[Crafted]:
    """Uploads without end, of every kind in turn."""
    dice = Random(seed)
    kinds: tuple[Callable[[Random], Iterator[Crafted]], ...] = (
        lambda d: _of_vrm(of, d),
        lambda d: _of_textures(of, d),
        lambda d: _of_members(of, d),
        lambda d: _of_links(of, d),
    )
    while True:
        for row in itertools.zip_longest(*(kind(dice) for kind in kinds)):
            yield from (one for one in row if one is not None)


def _of_vrm(of: Secrets, dice: Random) -> Iterator[Crafted]:
    for path, where in ((of.text, "buffer"), (of.picture, "image"), (of.picture, "buffer"), (of.text, "image")):
        for uri in uris(path, dice):
            version = dice.choice(("0.x", "1.0"))
            yield Crafted(f"VRM {version}, {where} {uri!r}", "a.vrm", _vrm(uri, where, version))


def _of_textures(of: Secrets, dice: Random) -> Iterator[Crafted]:
    for path in (of.picture, of.text):
        for name in spellings(path, dice):
            suffix = dice.choice((".pmx", ".pmx", ".pmd")) if len(name) < 20 and name.isascii() else ".pmx"
            data = _mmd(name, suffix)
            yield Crafted(f"{suffix} texture {name!r}", f"a{suffix}", data)
            yield Crafted(f"{suffix} in a zip, texture {name!r}", "a.zip", _zip([(f"a/b/m{suffix}", data)]))


def _of_members(of: Secrets, dice: Random) -> Iterator[Crafted]:
    for path in (of.picture, of.text):
        for name in spellings(path, dice):
            info = zipfile.ZipInfo("placeholder")
            info.filename = name.replace("\0", "_")
            model = _mmd(name, ".pmx")
            yield Crafted(f"member {name!r}", "a.zip", _zip([("m/a.pmx", model), (info, b"over it")]))


def _of_links(of: Secrets, dice: Random) -> Iterator[Crafted]:
    kinds = (stat.S_IFLNK, stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR, stat.S_IFSOCK)
    for path in (of.picture, of.text):
        relative = os.path.relpath(path, "/tmp/x/y")
        for to, kind in itertools.product((str(path), relative, f"/proc/self/root{path}", str(path.parent)), kinds):
            inside = f"t/{path.name}" if to == str(path.parent) else "t"
            model = _mmd(inside, ".pmx")
            yield Crafted(f"link of kind {kind:o} to {to!r}", "a.zip", _zip([("a.pmx", model), _link("t", to, kind)]))
            under = [_link("t", str(path.parent), kind), ("t/a.pmx", model)]
            yield Crafted(f"model below a link to {to!r}", "a.zip", _zip(under))  # type: ignore[arg-type]
        yield Crafted("the model is a link", "a.zip", _zip([_link("a.pmx", str(path)), ("b.pmx", _mmd("x", ".pmx"))]))
