"""Small disks of their own, which can be full."""

import os
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest

_PAGE = os.sysconf("SC_PAGE_SIZE")


class NoDiskError(Exception):
    """This process may mount none: it is not root, or in a container that may not."""


class Disk:
    """A file system in memory, mounted at `place`, with room for `size` bytes."""

    def __init__(self, place: Path, size: int) -> None:
        self.place, self.size = place, size

    def fill(self) -> None:
        """Nothing can be written any more: the disk becomes as small as what it holds."""
        for _ in range(100):
            found = os.statvfs(self.place)
            used = (found.f_blocks - found.f_bfree) * found.f_frsize
            try:
                self._remount(max(used, _PAGE))  # 0 stands for any size
            except subprocess.CalledProcessError:
                continue  # it holds more by now
            return
        raise AssertionError(f"{self.place} grows faster than it can be filled")

    def free(self) -> None:
        """There is room again."""
        self._remount(self.size)

    def _remount(self, size: int) -> None:
        command = ["mount", "-o", f"remount,size={size}", str(self.place)]
        subprocess.run(command, check=True, capture_output=True)


@contextmanager
def disk(place: Path, size: int, files: int = 0) -> Iterator[Disk]:
    """A disk at `place`, which is made, with room for so many `files` (0: any). Raises NoDiskError where it cannot be."""
    place.mkdir(parents=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size},nr_inodes={files}", "tmpfs", str(place)]
    mounted = subprocess.run(command, check=False, capture_output=True)
    if mounted.returncode:
        raise NoDiskError(f"No small disk can be made here: {mounted.stderr.decode().strip()}")
    try:
        yield Disk(place, size)
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


@contextmanager
def needed_disk(place: Path, size: int, files: int = 0) -> Iterator[Disk]:
    """The same for a test, which is skipped where there can be none."""
    with ExitStack() as stack:
        try:
            made = stack.enter_context(disk(place, size, files))
        except NoDiskError as error:
            pytest.skip(str(error))
        yield made
