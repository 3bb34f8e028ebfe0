"""How well names of an archive's members agree with what the models in it name."""

from collections.abc import Callable, Sequence
from pathlib import Path

from farm.models.archive import Read
from farm.models.textures import tree_of


class Fit:
    """An `archive.Fit`. `references` gives the textures that the bytes of a model of some suffix name."""

    def __init__(self, references: Callable[[str, bytes], tuple[str, ...]]) -> None:
        self._references_in = references
        self._references: dict[int, tuple[str, ...]] = {}

    def __call__(self, names: Sequence[str], read: Read) -> tuple[int, int]:
        """How many textures stand where a model says, and how many are found at all."""
        paths = [tuple(part for part in name.split("/") if part not in ("", ".")) for name in names]
        files = tree_of(path for path, name in zip(paths, names, strict=True) if path and not name.endswith("/"))
        exact = anywhere = 0
        for number, path in enumerate(paths):
            suffix = Path(names[number]).suffix.lower()
            if suffix not in (".pmx", ".pmd"):
                continue
            if number not in self._references:
                self._references[number] = self._references_in(suffix, read(number))
            for reference in self._references[number]:
                found = files.find(path[:-1], reference)
                anywhere += found is not None
                exact += found is not None and not found.stray
        return exact, anywhere
