"""The hashes of all files of an export, in the form that `sha256sum --check SHA256SUMS` reads.

A line a file: 64 hexadecimal digits, two spaces, the name below the export with forward slashes.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from farm.errors import StorageError

SUMS = "SHA256SUMS"
_LINE = re.compile(r"([0-9a-f]{64})  ([^\n\\]+)\n")
_MOST = 8192
"""Characters of a line."""


def sum_line(name: str, sha256: str) -> str:
    """The line of one file. Raises StorageError for a name that would need more than a line of its own."""
    if "\n" in name or "\\" in name:
        raise StorageError(f"{name!r} has a line break or a back-slash in its name; rename the folder of the model.")
    return f"{sha256}  {name}\n"


def read_sums(path: Path) -> Iterator[tuple[str, str]]:
    """Name and hash of each file; the list may come from elsewhere, and be long.

    Raises StorageError for a line that is none and for a name that leads outside the export, OSError when it is not there.
    """
    with path.open(encoding="utf-8", errors="surrogateescape", newline="") as file:
        while line := file.readline(_MOST):
            found = _LINE.fullmatch(line)
            if found is None or any(part in ("", ".", "..") for part in found[2].split("/")) or "\0" in found[2]:
                raise StorageError(f"{path} has a line that names no file of the export: {line[:200]!r}.")
            yield found[2], found[1]
