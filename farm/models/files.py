"""Which files are models, by their names."""

from collections.abc import Container, Iterator
from pathlib import Path

SUFFIXES = (".pmx", ".pmd", ".vrm")
"""Of the formats that `farm.models.package` reads."""
ZIP = ".zip"


def find_models(path: Path, suffixes: Container[str] = SUFFIXES) -> Iterator[Path]:
    """The model files at `path`: the file itself, or every one below the folder, in the order of their names."""
    if path.is_file():
        yield path
        return
    for file in sorted(path.rglob("*")):
        # A Mac's zip holds a shadow "__MACOSX/._x.pmx" of every file.
        hidden = file.name.startswith(".") or "__MACOSX" in file.relative_to(path).parts
        if file.suffix.lower() in suffixes and file.is_file() and not hidden:
            yield file
