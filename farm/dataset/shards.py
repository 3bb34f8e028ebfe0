"""Tar shards in WebDataset form: for each sample ``<key>.png`` and ``<key>.json`` beside each other.

The bytes depend on the contents alone: no times, no owners.
"""

import hashlib
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType


class ShardWriter:
    """Writes one shard to a file; use it as a context manager. What was added can be read back, by any thread."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.members = 0
        self._file = path.open("w+b")
        self._size = 0

    def __enter__(self) -> "ShardWriter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def add(self, name: str, data: bytes) -> int:
        """Append one member; the place of its first byte in the file."""
        member = tarfile.TarInfo(name)
        member.size = len(data)
        member.mode = 0o644
        # Not by TarFile.addfile: it copies the header and remembers every member.
        self._write(member.tobuf(tarfile.USTAR_FORMAT))
        begin = self._size
        self._write(data)
        self._write(bytes(-len(data) % tarfile.BLOCKSIZE))
        self.members += 1
        return begin

    def _write(self, data: bytes) -> None:
        self._file.write(data)
        self._size += len(data)

    def read(self, offset: int, size: int) -> bytes:
        """`size` bytes from `offset` on, of members that were added; not after `close`."""
        self._file.flush()
        return os.pread(self._file.fileno(), size, offset)

    def close(self) -> None:
        """Finish the archive; the file is complete afterwards."""
        if self._file.closed:
            return
        try:
            self._write(bytes(2 * tarfile.BLOCKSIZE))
            self._write(bytes(-self._size % tarfile.RECORDSIZE))
        finally:
            self._file.close()


def names_in(path: Path) -> Iterator[str]:
    """The names of a shard's members, in order."""
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            tar.members = []  # type: ignore[attr-defined]  # it would remember them all; typeshed does not know it
            yield member.name


def read_shard(path: Path) -> Iterator[tuple[str, bytes]]:
    """The members of a shard, in order."""
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            source = tar.extractfile(member)
            if source is not None:
                yield member.name, source.read()


def sha256_of(path: Path) -> str:
    """The hash of a file's contents, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
