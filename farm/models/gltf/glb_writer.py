"""Writes binary glTF 2.0 piece by piece; the JSON stays open to every change until the bytes are asked for."""

import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from farm.models.gltf.values import Json

_KINDS = {"i1": 5120, "u1": 5121, "i2": 5122, "u2": 5123, "u4": 5125, "f4": 5126}
_SHAPES = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4", 16: "MAT4"}


def glb_bytes(content: Json | bytes, binary: bytes = b"", padding: bytes = b" ") -> bytes:
    """A GLB of a JSON chunk (an object, or bytes as they are) and a chunk of bytes."""
    text = content if isinstance(content, bytes) else json.dumps(content).encode()
    text += padding * (-len(text) % 4)
    binary += b"\0" * (-len(binary) % 4)
    chunks = struct.pack("<II", len(text), 0x4E4F534A) + text + struct.pack("<II", len(binary), 0x004E4942) + binary
    return struct.pack("<4sII", b"glTF", 2, 12 + len(chunks)) + chunks


class GlbWriter:
    """A glTF file in the making."""

    def __init__(self) -> None:
        self.content: Json = {"asset": {"version": "2.0", "generator": "Facefarm"}, "buffers": [{}]}
        """The JSON so far."""
        self.binary = bytearray()

    def add(self, kind: str, entry: Json) -> int:
        """Append `entry` to the list `kind` ("nodes", "materials", ...); its index there."""
        entries: list[Json] = self.content.setdefault(kind, [])
        entries.append(entry)
        return len(entries) - 1

    def view(self, data: bytes, **more: Any) -> int:
        """A buffer view of these bytes; `more` such as byteStride."""
        self.binary += b"\0" * (-len(self.binary) % 4)
        place = {"buffer": 0, "byteOffset": len(self.binary), "byteLength": len(data)}
        self.binary += data
        return self.add("bufferViews", place | more)

    def accessor(self, values: NDArray[Any], **more: Any) -> int:
        """An accessor of `values`, (n,) or (n, width); `more` such as normalized."""
        return self.add(
            "accessors", {"bufferView": self.view(values.tobytes()), **self._shape(values, len(values)), **more}
        )

    def sparse(self, places: Sequence[int], values: NDArray[Any], count: int, **more: Any) -> int:
        """An accessor of `count` entries that are zero but for `values` at `places`."""
        shape = self._shape(values, count)
        if not len(places):
            return self.add("accessors", {**shape, **more})
        indices = {"bufferView": self.view(np.array(places, "<u4").tobytes()), "componentType": 5125}
        changed = {"bufferView": self.view(values.tobytes())}
        sparse = {"count": len(places), "indices": indices, "values": changed}
        return self.add("accessors", {**shape, "sparse": sparse, **more})

    def picture(self, data: bytes, name: str, mime: str = "image/png") -> int:
        """An image of these bytes."""
        return self.add("images", {"bufferView": self.view(data), "mimeType": mime, "name": name})

    def to_bytes(self, padding: bytes = b" ") -> bytes:
        """The file; `padding` fills the JSON chunk up."""
        self.content["buffers"][0] = {"byteLength": len(self.binary)}
        return glb_bytes(self.content, bytes(self.binary), padding)

    @staticmethod
    def _shape(values: NDArray[Any], count: int) -> Json:
        width = values.shape[1] if values.ndim > 1 else 1
        return {"componentType": _KINDS[values.dtype.str[1:]], "count": count, "type": _SHAPES[width]}
