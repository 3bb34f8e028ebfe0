"""The textures of one character, each decoded once, within a budget, and with a warning where one cannot be used."""

import hashlib
from collections.abc import Mapping

from blender_worker.character.textures import Budget, Texture, UnreadableTextureError, decode
from farm.models.description import Character


class TextureDecoder:
    """Looks textures up by their index in the character."""

    def __init__(self, character: Character, files: Mapping[int, bytes], warnings: list[str]) -> None:
        """`files` are those beside the model by texture index; those inside it are the character's own."""
        self._names, self._bytes, self._warnings = character.textures, {**character.embedded, **files}, warnings
        self._budget = Budget()
        self._found: dict[int, Texture | None] = {}
        self._files: dict[bytes, Texture | None] = {}
        """By the hash of the file: many entries of a list may be one picture."""

    def absent(self, index: int | None) -> str:
        """The name of a texture that `texture` cannot give; "" for one that it can, and where none is named."""
        return "" if index is None or self.texture(index) is not None else self._names[index].strip()

    def texture(self, index: int | None) -> Texture | None:
        """The decoded picture; None where there is none (the inventory has warned), or none that can be read."""
        if index is None or index not in self._bytes:
            return None
        if index not in self._found:
            self._found[index] = self._decoded(index)
        return self._found[index]

    def _decoded(self, index: int) -> Texture | None:
        digest = hashlib.sha256(self._bytes[index]).digest()
        if digest not in self._files:
            name = self._names[index]
            try:
                self._files[digest] = decode(self._bytes[index], name, self._budget)
            except UnreadableTextureError as error:
                self._files[digest] = None
                self._warnings.append(f"Texture '{name}' cannot be read ({error}); its material is drawn plain.")
        return self._files[digest]
