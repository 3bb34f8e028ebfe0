"""A cursor over the bytes of a PMX file: knows its header, and so its encoding and index sizes."""

from farm.errors import ModelFormatError
from farm.models.binary import Cursor

_INDEX_LETTER = {1: "b", 2: "h", 4: "i"}
SIGNED = {1: "<i1", 2: "<i2", 4: "<i4"}
UNSIGNED = {1: "<u1", 2: "<u2", 4: "<i4"}
"""Numpy's names of indices by their size: of bones, materials and morphs, and of vertices."""


class PmxCursor(Cursor):
    """A cursor that knows the file's encoding and index sizes."""

    def __init__(self, data: bytes) -> None:
        super().__init__(data, "PMX")
        if bytes(self.take(4)) != b"PMX ":
            raise ModelFormatError(
                "This is not a PMX file: it does not begin with 'PMX '. If it is a PMD or a text file, name it so."
            )
        self.version = float(self.unpack("f")[0])
        if not 1.99 < self.version < 2.11:
            raise ModelFormatError(
                f"PMX version {self.version:.1f} is unknown; 2.0 and 2.1 can be read. Save it again as PMX 2.0."
            )
        header = bytes(self.take(self.integer("B")))
        if len(header) < 8:
            raise ModelFormatError("The PMX header has fewer than 8 fields. Save the model again in PMX Editor.")
        encoding, self.additional_uvs, *sizes = header[:8]
        self.vertex_size, self.texture_size, self.material_size, self.bone_size, self.morph_size, self.body_size = sizes
        if encoding > 1 or self.additional_uvs > 4 or any(size not in (1, 2, 4) for size in sizes):
            raise ModelFormatError(
                "The PMX header holds an encoding or an index size that the format does not know. Save the model again "
                "in PMX Editor."
            )
        self.encoding = "utf-8" if encoding else "utf-16-le"
        self.warnings: list[str] = []

    def text(self) -> str:
        """A text: its length in bytes, then the bytes."""
        data = self.take(self.integer("i"))
        return bytes(data).decode(self.encoding, errors="replace").rstrip("\0")

    def index(self, size: int) -> int | None:
        """A signed index; None for -1."""
        value = self.integer(_INDEX_LETTER[size])
        return None if value < 0 else value
