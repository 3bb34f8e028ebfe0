"""The object store: an S3 bucket, or a local directory behind the same interface.

Keys are relative paths such as ``models/<id>/package.zip``. A put is atomic: a reader sees the whole object or none. A bucket
or a directory that is not there is an empty store; the first put makes it. A store that is away for a moment is asked
again; see `S3Store`.
"""

import io
import logging
import os
import random
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from itertools import islice
from pathlib import Path
from typing import BinaryIO, Protocol
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.response import BaseHTTPResponse

from farm.errors import NotFoundError, ServiceError, StorageError
from farm.settings import Settings

log = logging.getLogger(__name__)

_CONTENT_TYPES = {
    ".json": "application/json",
    ".png": "image/png",
    ".tar": "application/x-tar",
    ".zip": "application/zip",
}
_PROBES = "check/"
"""Where `check` writes; no listing shows it."""
_TEMPORARY = ".put-"
"""How a directory's files begin that are not whole yet. A killed process leaves its own behind: nobody lists or reads it."""

type Keys = list[str]  # under this name because a store's method `list` hides the type from its neighbours


def content_type(key: str) -> str:
    """The media type of an object, by its suffix."""
    return _CONTENT_TYPES.get(Path(key).suffix, "application/octet-stream")


class ObjectStore(Protocol):
    """What the farm needs of a store. Every method raises ServiceError when the store does not answer, and StorageError
    for what is no key."""

    def put(self, key: str, data: bytes) -> None:
        """Store `data`, replacing what was there."""

    def put_file(self, key: str, path: Path) -> None:
        """Store the file at `path`, replacing what was there."""

    def put_new(self, key: str, data: bytes) -> bool:
        """Store `data` when nothing is there; whether this call did. Of several at once, one does.

        A few old S3 servers do not know conditional puts and let the last one win: whoever calls this must not depend
        on it alone.
        """

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises NotFoundError."""

    def stream(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        """The object's bytes in pieces: `length` of them, or all, from `start` on; fewer where the object ends.

        Raises NotFoundError before the first. What comes is one version of the object, whoever replaces it meanwhile.
        """

    def size(self, key: str) -> int:
        """The object's length in bytes. Raises NotFoundError."""

    def exists(self, key: str) -> bool:
        """Whether the object is there."""

    def delete(self, key: str) -> None:
        """Remove the object; one that is not there is no error."""

    def delete_all(self, prefix: str) -> int:
        """Remove a whole folder (`prefix` ends with "/"); the number of its objects.

        In no order that means anything: first `delete` the object whose presence says that the others are there.
        """

    def list(self, prefix: str, after: str = "", limit: int = 1000) -> Keys:
        """Keys that begin with `prefix`, at any depth, in the order of their characters: the first `limit` after `after`."""

    def folders(self, prefix: str, after: str = "", limit: int = 1000) -> Keys:
        """Names of the folders right under `prefix` (which ends with "/") that hold an object: the first `limit` after
        the folder `after`, in the order of their keys."""

    def presigned_put(self, key: str, seconds: int) -> str | None:
        """A URL that takes the object's bytes by HTTP PUT without keys, for `seconds` (up to seven days). None when the
        store has no address of its own."""

    def check(self) -> str:
        """Prove that writing, reading and deleting works; a phrase that names the store."""


def _check_key(key: str) -> None:
    """Refuse a key that would be another on disk than in a bucket, or no place below the root at all."""
    if "\0" in key or any(part in ("", ".", "..") or part.startswith(_TEMPORARY) for part in key.split("/")):
        raise StorageError(f"'{key}' is no object key.")


def _check_prefix(prefix: str) -> None:
    if prefix:
        _check_key(prefix.removesuffix("/"))


def _check_folder(prefix: str) -> None:
    _check_prefix(prefix)
    if not prefix.endswith("/"):
        raise StorageError(f"'{prefix}' is no folder of objects; it must end with a slash.")


def _check_range(start: int, length: int | None) -> None:
    if start < 0 or (length is not None and length < 0):
        raise StorageError(f"There are no {length} bytes from byte {start} on.")


def _probe(store: ObjectStore, name: str) -> str:
    """What `check` does; its key is its own, since others may check at the same time."""
    key = f"{_PROBES}{uuid.uuid4().hex}"
    store.put(key, b"probe")
    if store.get(key) != b"probe":
        raise ServiceError(f"The store {name} does not give back what it was given.")
    store.delete(key)
    return name


class LocalStore:
    """Objects as files under one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        with self._working():
            self._root.mkdir(parents=True, exist_ok=True)

    def _path(self, key: str) -> Path:
        _check_key(key)
        return self._root / key

    @contextmanager
    def _working(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
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
            return True

    def get(self, key: str) -> bytes:
        return b"".join(self.stream(key))

    def stream(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        _check_range(start, length)
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
        _check_folder(prefix)
        top, count = self._root / prefix, 0
        with self._working():
            for folder, _, files in os.walk(top, topdown=False, onerror=_pass_absent):
                for name in files:
                    Path(folder, name).unlink(missing_ok=True)
                    count += not name.startswith(_TEMPORARY)
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
        _check_prefix(prefix)
        folder = prefix[: prefix.rfind("/") + 1]
        with self._working():
            return list(islice(self._keys(folder, prefix, after), limit))

    def folders(self, prefix: str, after: str = "", limit: int = 1000) -> Keys:
        _check_folder(prefix)
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
        hidden = () if folder else (_PROBES,)
        try:
            with os.scandir(self._root / folder) as entries:
                names = (entry.name + "/" * entry.is_dir() for entry in entries)
                return sorted(folder + name for name in names if not name.startswith(_TEMPORARY) and name not in hidden)
        except (FileNotFoundError, NotADirectoryError):
            return []

    def presigned_put(self, key: str, seconds: int) -> str | None:
        self._path(key)
        return None

    def check(self) -> str:
        return _probe(self, f"directory {self._root}")


def _temporary_file(folder: Path) -> tuple[int, str]:
    """An open new file in `folder` and its name."""
    while True:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            return tempfile.mkstemp(dir=folder, prefix=_TEMPORARY)
        except FileNotFoundError:
            continue  # a delete found the folder empty in between, and took it away


def _pass_absent(error: OSError) -> None:
    if not isinstance(error, (FileNotFoundError, NotADirectoryError)):
        raise error


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


_ABSENT = {"NoSuchKey", "NoSuchObject", "NoSuchBucket"}
_PASSING_STATUS = {408, 429, 500, 502, 503, 504}
_PASSING_CODES = {"RequestTimeout", "IncompleteBody", "OperationAborted", "ConditionalRequestConflict", "NoSuchUpload"}
"""Errors of other statuses that sending the request (or, after NoSuchUpload, the whole object) again can overcome."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # s
_PIECE = 2**18  # bytes
_LONGEST_PRESIGNED = 7 * 24 * 3600  # s


class S3Store:
    """Objects in one bucket, through the MinIO client.

    A server that is away (connections refused or cut, 5xx, "slow down") is asked again, ever more slowly, until it
    answers or `patience` seconds have gone by since it last did. A refusal (wrong keys, no permission) is final at once.
    """

    def __init__(self, bucket: str, settings: Settings, patience: float = 5.0) -> None:
        address = urlsplit(settings.s3_endpoint)
        if not address.hostname or address.scheme not in ("http", "https"):
            raise StorageError("Set FARM_S3_ENDPOINT to the S3 server, such as http://minio:9000.")
        self._bucket = bucket
        self._endpoint = settings.s3_endpoint
        self._patience = patience
        self._bucket_seen = False
        self._client = Minio(
            address.netloc,
            access_key=settings.s3_access_key.get_secret_value(),
            secret_key=settings.s3_secret_key.get_secret_value(),
            region=settings.s3_region,
            secure=address.scheme == "https",
            http_client=urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=5, read=60),
                retries=False,  # `_persist` alone decides what is tried again
                maxsize=16,
            ),
        )

    def _persist[T](self, key: str, action: Callable[[], T]) -> T:
        """What `action` returns, tried again while the server is away. It must do no harm when done twice."""
        deadline, pause = None, _FIRST_PAUSE
        while True:
            try:
                return action()
            except (MinioException, HTTPError) as error:
                if isinstance(error, S3Error) and error.code in _ABSENT:
                    raise NotFoundError(f"There is no object '{key}'.") from error
                now = time.monotonic()
                if deadline is None:
                    deadline = now + self._patience
                    log.info("the S3 store %s failed at '%s' (%s)", self._endpoint, key, _reason(error))
                if not _is_passing(error) or now >= deadline:
                    raise ServiceError(
                        f"The S3 store {self._endpoint}, bucket '{self._bucket}', refused or does not answer "
                        f"({_reason(error)}). Check FARM_S3_ENDPOINT, the keys, this machine's clock and that the server "
                        "is up; `farm doctor` tries it."
                    ) from error
                # Not all workers at the same moment: the server may be away because it has too much to do.
                delay = min(pause * random.uniform(0.5, 1.0), deadline - now)  # noqa: S311
            time.sleep(delay)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _persist_in_bucket[T](self, key: str, action: Callable[[], T]) -> T:
        """`_persist`, making the bucket when it is missing."""

        def attempt() -> T:
            try:
                return action()
            except S3Error as error:
                if error.code != "NoSuchBucket":
                    raise
            self._make_bucket()
            return action()

        return self._persist(key, attempt)

    def _make_bucket(self) -> None:
        try:
            self._client.make_bucket(self._bucket)
        except S3Error as error:
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise

    def put(self, key: str, data: bytes) -> None:
        _check_key(key)
        self._persist_in_bucket(key, lambda: self._send(key, io.BytesIO(data), len(data)))

    def put_file(self, key: str, path: Path) -> None:
        _check_key(key)

        def send() -> None:
            with path.open("rb") as source:
                self._send(key, source, path.stat().st_size)

        self._persist_in_bucket(key, send)

    def _send(self, key: str, source: BinaryIO, size: int) -> None:
        result = self._client.put_object(self._bucket, key, source, size, content_type(key))
        if not result.bucket_name:
            # The end of a multi-part upload may be a 200 with an error in its body, which the client takes for success.
            raise ServerError("the parts were not put together", 500)

    def put_new(self, key: str, data: bytes) -> bool:
        _check_key(key)
        mark = uuid.uuid4().hex
        headers: dict[str, str | list[str] | tuple[str]] = {
            "Content-Type": content_type(key),
            "If-None-Match": "*",
            "x-amz-meta-put": mark,
        }

        def send() -> bool:
            try:
                self._client._put_object(self._bucket, key, data, headers)  # put_object has no such header
            except S3Error as error:
                if error.code != "PreconditionFailed":
                    raise
                # What is there may be our own: sent, stored, and the answer lost.
                stored = self._client.stat_object(self._bucket, key).metadata or {}
                return stored.get("x-amz-meta-put") == mark
            return True

        return self._persist_in_bucket(key, send)

    def get(self, key: str) -> bytes:
        return b"".join(self.stream(key))

    def stream(self, key: str, start: int = 0, length: int | None = None) -> Iterator[bytes]:
        _check_key(key)
        _check_range(start, length)
        if length == 0:  # a range of S3 holds at least one byte
            self.size(key)
            return iter(())
        download = _Download(self._client, self._bucket, key, start, length)
        self._persist(key, download.open)

        def pieces() -> Iterator[bytes]:
            try:
                while not download.done:
                    yield self._persist(key, download.piece)
            finally:
                download.close()

        return pieces()

    def size(self, key: str) -> int:
        _check_key(key)
        return self._persist(key, lambda: self._client.stat_object(self._bucket, key)).size or 0

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except NotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        _check_key(key)
        try:
            self._persist(key, lambda: self._client.remove_object(self._bucket, key))
        except NotFoundError:
            pass  # nor is there a bucket

    def delete_all(self, prefix: str) -> int:
        _check_folder(prefix)
        count, last = 0, ""
        while keys := self.list(prefix, last):
            for key in keys:
                self.delete(key)
            count, last = count + len(keys), keys[-1]
        return count

    def list(self, prefix: str, after: str = "", limit: int = 1000) -> Keys:
        _check_prefix(prefix)
        shows_probes = prefix.startswith(_PROBES)

        def names() -> Iterator[str]:
            for item in self._client.list_objects(self._bucket, prefix, recursive=True, start_after=after or None):
                name = item.object_name or ""
                # Other tools mark folders by empty objects whose keys end with a slash.
                if not name.endswith("/") and (shows_probes or not name.startswith(_PROBES)):
                    yield name

        return self._listed(prefix, names, limit)

    def folders(self, prefix: str, after: str = "", limit: int = 1000) -> Keys:
        _check_folder(prefix)
        # "0" is the character after the slash: this comes after every key in the folder `after`.
        last = f"{prefix}{after}0" if after else None

        def names() -> Iterator[str]:
            for item in self._client.list_objects(self._bucket, prefix, recursive=False, start_after=last):
                name = (item.object_name or "").removeprefix(prefix)
                if name.endswith("/"):
                    yield name[:-1]

        return self._listed(prefix, names, limit)

    def _listed(self, prefix: str, names: Callable[[], Iterator[str]], limit: int) -> Keys:
        try:
            return self._persist(prefix, lambda: list(islice(names(), limit)))
        except NotFoundError:  # there is no bucket
            return []

    def presigned_put(self, key: str, seconds: int) -> str | None:
        _check_key(key)
        if not 1 <= seconds <= _LONGEST_PRESIGNED:
            raise StorageError(f"A presigned URL cannot last {seconds} s; ask for 1 to {_LONGEST_PRESIGNED}.")

        def sign() -> str:
            if not self._bucket_seen and not self._client.bucket_exists(self._bucket):
                self._make_bucket()
            self._bucket_seen = True
            return self._client.presigned_put_object(self._bucket, key, timedelta(seconds=seconds))

        return self._persist(key, sign)

    def check(self) -> str:
        return _probe(self, f"S3 {self._endpoint}, bucket '{self._bucket}'")


class _Download:
    """A range of an object, read in pieces; after an error it goes on where the last whole piece ended."""

    def __init__(self, client: Minio, bucket: str, key: str, start: int, length: int | None) -> None:
        self._client, self._bucket, self._key = client, bucket, key
        self._position, self._left = start, length
        self._version: str | None = None
        self._response: BaseHTTPResponse | None = None

    @property
    def done(self) -> bool:
        """Whether all of it was read."""
        return self._left == 0

    def open(self) -> None:
        """Ask for what was not read yet, of the version that was read before."""
        try:
            response = self._client.get_object(
                self._bucket,
                self._key,
                offset=self._position,
                length=self._left or 0,
                request_headers={"If-Match": self._version} if self._version else None,
            )
        except S3Error as error:
            if error.code == "InvalidRange":  # it begins behind the object's end
                self._left = 0
                return
            if error.code == "PreconditionFailed":
                raise ServiceError(
                    f"The object '{self._key}' was replaced while it was read. Read it again."
                ) from error
            raise
        self._response, self._version = response, response.headers["ETag"]
        self._left = int(response.headers["Content-Length"])

    def piece(self) -> bytes:
        """The next bytes, as many as are there. Not to be called when `done`."""
        if self._response is None:
            self.open()
        assert self._response is not None
        assert self._left is not None
        try:
            data = self._response.read1(_PIECE)
            if not data:
                raise ProtocolError("the body ended early")
        except HTTPError:
            self.close()
            raise
        self._position += len(data)
        self._left -= len(data)
        return data

    def close(self) -> None:
        """Give the connection back."""
        if self._response is not None:
            self._response.close()
            self._response.release_conn()
            self._response = None


def _status(error: Exception) -> int | None:
    """The HTTP status that the error came with."""
    match error:
        case S3Error():
            return error.response.status
        case ServerError():
            return error.status_code
        case InvalidResponseError():  # such as a gateway's page in HTML; the client tells the status in no other way
            return error._code
    return None


def _is_passing(error: Exception) -> bool:
    """Whether the same request may succeed a little later."""
    if isinstance(error, HTTPError):
        return True
    return _status(error) in _PASSING_STATUS or (isinstance(error, S3Error) and error.code in _PASSING_CODES)


def _reason(error: Exception) -> str:
    if isinstance(error, S3Error) and error.code:
        return error.code
    status = _status(error)
    return f"HTTP {status}" if status else type(error).__name__


def open_store(settings: Settings, patience: float = 5.0) -> ObjectStore:
    """The store that FARM_STORAGE_URL names: ``file:///directory`` or ``s3://bucket``. Raises StorageError.

    `patience`: how many seconds an S3 server that is away is waited for, each time.
    """
    address = urlsplit(settings.storage_url)
    if address.scheme == "file" and address.path:
        return LocalStore(Path(address.path))
    if address.scheme == "s3" and address.netloc:
        return S3Store(address.netloc, settings, patience)
    raise StorageError(
        f"'{settings.storage_url}' is no store: set FARM_STORAGE_URL to s3://bucket or file:///directory."
    )
