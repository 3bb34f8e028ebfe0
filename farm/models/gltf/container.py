"""The container of glTF 2.0 in its binary form (GLB): a header, a JSON chunk, a chunk of bytes. Source: glTF 2.0, section 4.

A file is refused when it points outside itself, or when its geometry stands there in a compressed form alone.
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from farm.errors import ModelFormatError
from farm.models.binary import Cursor
from farm.models.gltf.values import Json, entries, index, member, members, text, whole
from farm.wording import reason

_MAGIC, _JSON_CHUNK, _BYTES_CHUNK = b"glTF", 0x4E4F534A, 0x004E4942
_MAX_JSON = 64 * 2**20
_MARKS, _MAX_MARKS = (b",", b":", b"[", b"{"), 2**22
"""So many values the JSON has at most: three bytes of it can become a hundred of memory. Real files have some thousand."""
GEOMETRY_COMPRESSIONS = ("KHR_draco_mesh_compression", "EXT_meshopt_compression", "KHR_meshopt_compression")
_UNREADABLE = (*GEOMETRY_COMPRESSIONS, "KHR_texture_basisu")
_INLINE = re.compile(r"data:([A-Za-z0-9][\w.+-]*/[\w.+-]+)?(;[\w.+-]+=[\w.+-]+)*;base64,")


def compressed(extension: str, what: str = "VRM") -> ModelFormatError:
    """The refusal of a file that only a decoder of `extension` could read."""
    return ModelFormatError(f"The {what} is compressed with {extension}, which cannot be read here. Export it without.")


@dataclass(frozen=True, slots=True)
class Gltf:
    """A binary glTF file: its JSON, and where its bytes are."""

    content: Json
    buffers: tuple[memoryview | None, ...]
    """None for those whose bytes are not in the file."""
    views: tuple[Json, ...]
    size: int
    """Bytes of the whole file."""
    what: str = "VRM"
    """What kind of file it is, for people."""

    def view(self, number: Any) -> tuple[memoryview, int]:
        """The bytes of a buffer view, and its stride (0 for tightly packed). Raises ModelFormatError."""
        place = index(number, len(self.views))
        if place is None:
            raise ModelFormatError(f"The {self.what} refers to a buffer view that does not exist. Export it again.")
        view = self.views[place]
        where = index(view.get("buffer"), len(self.buffers))
        data = self.buffers[where] if where is not None else None
        if data is None:
            for extension in GEOMETRY_COMPRESSIONS:
                if extension in member(view, "extensions"):
                    raise compressed(extension, self.what)
            raise ModelFormatError(f"The {self.what}'s buffer view {place} has no bytes in the file. Export it again.")
        start, length = whole(view.get("byteOffset", 0)), whole(view.get("byteLength"))
        stride = whole(view.get("byteStride", 0))
        if start is None or length is None or stride is None or min(start, length, stride) < 0:
            raise ModelFormatError(
                f"The {self.what}'s buffer view {place} has no usable place or length. Export it again."
            )
        if start + length > len(data):
            raise ModelFormatError(
                f"The {self.what} file is cut off or damaged: its buffer view {place} ends at byte {start + length} of "
                f"{len(data)}. Copy or download it again."
            )
        return data[start : start + length], stride


def read_glb(data: bytes, what: str = "VRM") -> Gltf:
    """Read the container of a file that people call `what`. Raises ModelFormatError or ModelTruncatedError."""
    r = Cursor(data, what)
    if bytes(r.take(4)) != _MAGIC:
        raise ModelFormatError(
            f"This is not a {what} file: it does not begin with 'glTF' (binary glTF). Export it as .{what.lower()} again."
        )
    version, length = r.integer("I"), r.integer("I")
    if version != 2:
        raise ModelFormatError(f"The {what} is glTF version {version}; only version 2 is a {what}. Export it again.")
    r.take(0 if length <= len(data) else length - r.at)  # raises the error for a cut-off file
    size, kind = r.integer("I"), r.integer("I")
    if kind != _JSON_CHUNK or size > _MAX_JSON:
        raise ModelFormatError(f"The {what}'s first chunk is not JSON of a usable size. Export it again.")
    content = _parse(bytes(r.take(size)), what)
    rest = memoryview(b"")
    if r.left >= 8:
        size, kind = r.integer("I"), r.integer("I")
        rest = r.take(size) if kind == _BYTES_CHUNK else rest
    _refuse_what_cannot_be_read(content, what)
    return Gltf(content, _buffers(content, rest, what), tuple(members(content, "bufferViews")), len(data), what)


def _parse(chunk: bytes, what: str) -> Json:
    if sum(map(chunk.count, _MARKS)) > _MAX_MARKS:
        raise ModelFormatError(
            f"The {what}'s JSON has more than {_MAX_MARKS} values. Reduce it in an editor and export again."
        )
    try:
        content = json.loads(chunk.rstrip(b"\0"))  # the padding should be spaces, and is NUL with some exporters
    except (ValueError, RecursionError) as error:
        raise ModelFormatError(f"The {what}'s JSON chunk cannot be read ({reason(error)}). Export it again.") from error
    if not isinstance(content, dict):
        raise ModelFormatError(f"The {what}'s JSON chunk is no object. Export it again.")
    return content


def _refuse_what_cannot_be_read(content: Json, what: str) -> None:
    for kind in ("buffers", "images"):
        for entry in members(content, kind):
            uri = entry.get("uri")
            if uri is not None and not isinstance(uri, str):
                raise ModelFormatError(f"A URI in the {what} is no text. Export it again.")
            if uri is not None and not _INLINE.match(uri):
                raise ModelFormatError(
                    f"The {what} refers to another file ({text(uri)[:80]!r}); a {what} holds everything inside itself. "
                    "Export it again."
                )
    for name in entries(content, "extensionsRequired"):
        if name in _UNREADABLE:
            raise compressed(name, what)


def inline(entry: Mapping[str, Any], what: str = "VRM") -> bytes | None:
    """The bytes that a buffer or an image spells as base64; None for one that does not. Raises ModelFormatError."""
    uri = entry.get("uri")
    if not isinstance(uri, str) or (found := _INLINE.match(uri)) is None:
        return None
    try:
        return base64.b64decode(uri[found.end() :], validate=True)
    except (binascii.Error, ValueError) as error:
        raise ModelFormatError(
            f"The {what} spells data in broken base64 ({reason(error)}). Export it again."
        ) from error


def _buffers(content: Json, rest: memoryview, what: str) -> tuple[memoryview | None, ...]:
    found: list[memoryview | None] = []
    for place, entry in enumerate(members(content, "buffers")):
        spelled = inline(entry, what)
        if spelled is not None:
            found.append(memoryview(spelled))
        else:
            found.append(rest if place == 0 else None)
    return tuple(found)
