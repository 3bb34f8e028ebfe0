"""A directory as object store."""

import errno
import fcntl
import io
import os
import shutil
import stat
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from farm import free_space, metrics
from farm.errors import NotFoundError, ServiceError
from farm.storage.interface import (
    PROBES,
    TEMPORARY,
    Keys,
    check_folder,
    check_key,
    check_prefix,
    check_range,
    probe,
)
from farm.storage.presigning import Presigned

_NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""How file systems without hard links say so: FAT and exFAT, many network and FUSE ones."""
_NO_FOLDER_SYNC = (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF)
"""How they say that a folder needs no fsync, or knows none."""


class LocalStore:
    """Objects as files under one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        with self._working():
            self._root.mkdir(parents=True, exist_ok=True, mode=0o700)

    def _path(self, key: str) -> Path:
        check_key(key)
        return self._root / key

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            full = free_space.is_want_of(error)
            metrics.STORE_ERRORS.inc("full" if full else metrics.OTHER)
            if full:
                raise free_space.full(self._root, "Make room there; all goes on by itself then.") from error
            raise ServiceError(
                f"The store {self._root} cannot be read or written ({error}). Free space or permissions?"
            ) from error

    @contextmanager
    def _reading(self, key: str) -> Iterator[Path]:
        with self._working():
            try:
                yield self._path(key)
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError) as error:
                raise NotFoundError(f"There is no object '{key}'.") from error

    @contextmanager
    def _writing(self, key: str, source: BinaryIO) -> Iterator[tuple[Path, Path]]:
        """The object as a whole file that is not in its place yet, and its place."""
        target = self._path(key)
        with self._working():
            handle, name = _temporary_file(target.parent)
            try:
                with os.fdopen(handle, "wb") as sink:
                    shutil.copyfileobj(source, sink, 2**20)
                    sink.flush()
                    os.fsync(sink.fileno())
                yield Path(name), target
                # Without this the new name can be lost with the power, seconds after Redis says that the job is done.
                _sync_folder(target.parent)
            finally:
                Path(name).unlink(missing_ok=True)

    def put(self, key: str, data: bytes) -> None:
        with self._writing(key, io.BytesIO(data)) as (whole, target):
            whole.replace(target)

    def put_file(self, key: str, path: Path) -> None:
        with path.open("rb") as source, self._writing(key, source) as (whole, target):
            whole.replace(target)

    def put_new(self, key: str, data: bytes) -> bool:
        with self._writing(key, io.BytesIO(data)) as (whole, target):
            try:
                target.hardlink_to(whole)  # unlike replace, fails where something is
            except FileExistsError:
                return False
            except OSError as error:
                if error.errno not in _NO_LINKS:
                    raise
                return self._put_first(whole, target)
            return True

    def _put_first(self, whole: Path, target: Path) -> bool:
        """`put_new` where the file system has no hard links: one process at a time looks, and puts. The kernel takes the
        lock back from one that is killed."""
        with _opened_folder(self._root) as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            if target.exists():
                return False
            whole.replace(target)
            return True

    def get(self, key: str) -> bytes:
        return b"".join(self.stream(key))

    def stream(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        check_range(start, length)
        with self._reading(key) as path:
            file = path.open("rb")

        def pieces() -> Iterator[bytes]:
            with self._working(), file:
                file.seek(start)
                left = length
                while piece := file.read(2**20 if left is None else min(left, 2**20)):
                    left = None if left is None else left - len(piece)
                    yield piece

        return pieces()

    def size(self, key: str) -> int:
        with self._reading(key) as path:
            if path.is_dir():
                raise IsADirectoryError(key)
            return path.stat().st_size

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        # No threads here: the disk answers sooner than they would be begun.
        found: dict[str, int] = {}
        with self._working():
            for key in keys:
                path = self._path(key)
                with suppress(FileNotFoundError, NotADirectoryError):
                    status = path.stat()
                    if not stat.S_ISDIR(status.st_mode):
                        found[key] = status.st_size
        return found

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except NotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        target = self._path(key)
        with self._working():
            try:
                target.unlink()
            except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
                return
            self._prune(target.parent)

    def delete_all(self, prefix: str) -> int:
        check_folder(prefix)
        top, count = self._root / prefix, 0
        with self._working():
            for folder, _, files in os.walk(top, topdown=False, onerror=_pass_absent):
                for name in files:
                    Path(folder, name).unlink(missing_ok=True)
                    count += not name.startswith(TEMPORARY)
                self._prune(Path(folder))
        return count

    def _prune(self, folder: Path) -> None:
        """Remove folders that became empty, as in a bucket they are no more."""
        while folder != self._root:
            try:
                folder.rmdir()
            except OSError:  # someone else's object is in it, or it is gone
                return
            folder = folder.parent

    def list(self, prefix: str, after: str = "", limit: int = 1000) -> Keys:
        check_prefix(prefix)
        folder = prefix[: prefix.rfind("/") + 1]
        with self._working():
            return list(islice(self._keys(folder, prefix, after), limit))

    def folders(self, prefix: str, after: str = "", limit: int = 1000) -> Keys:
        check_folder(prefix)
        last = f"{prefix}{after}/" if after else ""
        with self._working():
            later = (entry for entry in self._entries(prefix) if entry.endswith("/") and entry > last)
            filled = (entry for entry in later if next(self._keys(entry, entry, ""), None) is not None)
            return [entry[len(prefix) : -1] for entry in islice(filled, limit)]

    def _keys(self, folder: str, prefix: str, after: str) -> Iterator[str]:
        """Keys in `folder` and below it that begin with `prefix`, after `after`, in order."""
        for entry in self._entries(folder):
            if not entry.endswith("/"):
                if entry.startswith(prefix) and entry > after:
                    yield entry
            elif (entry.startswith(prefix) or prefix.startswith(entry)) and (entry > after or after.startswith(entry)):
                yield from self._keys(entry, prefix, after)

    def _entries(self, folder: str) -> Keys:
        """What is right in `folder`, as keys and in their order; those of folders end with a slash."""
        hidden = () if folder else (PROBES,)
        try:
            with os.scandir(self._root / folder) as entries:
                names = (entry.name + "/" * entry.is_dir() for entry in entries)
                return sorted(folder + name for name in names if not name.startswith(TEMPORARY) and name not in hidden)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def presigned_put(self, key: str, seconds: int, size: int) -> Presigned | None:
        self._path(key)
        return None

    def check(self) -> str:
        return probe(self, f"directory {self._root}")


def _temporary_file(folder: Path) -> tuple[int, str]:
    """An open new file in `folder` and its name."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return tempfile.mkstemp(dir=folder, prefix=TEMPORARY)
        except FileNotFoundError:
            continue  # a delete found the folder empty in between, and took it away
        except FileExistsError:
            if folder.exists():  # something else of that name
                raise


def _pass_absent(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _sync_folder(folder: Path) -> None:
    with _opened_folder(folder) as handle:
        try:
            os.fsync(handle)
        except OSError as error:
            if error.errno not in _NO_FOLDER_SYNC:
                raise


@contextmanager
def _opened_folder(folder: Path) -> Iterator[int]:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield handle
    finally:
        os.close(handle)
