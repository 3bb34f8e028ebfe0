"""The object store: an S3 bucket, or a local directory behind the same interface.

Keys are relative paths such as ``models/<id>/package.zip``. A put is atomic: a reader sees the whole object or none.
"""

import io
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import MinioException, S3Error

from farm.errors import NotFoundError, ServiceError, StorageError
from farm.settings import Settings

_CONTENT_TYPES = {
    ".json": "application/json",
    ".png": "image/png",
    ".tar": "application/x-tar",
    ".zip": "application/zip",
}


def content_type(key: str) -> str:
    """The media type of an object, by its suffix."""
    return _CONTENT_TYPES.get(Path(key).suffix, "application/octet-stream")


class ObjectStore(Protocol):
    """What the farm needs of a store. Every method raises ServiceError when the store does not answer."""

    def put(self, key: str, data: bytes) -> None:
        """Store `data`, replacing what was there."""

    def put_file(self, key: str, path: Path) -> None:
        """Store the file at `path`."""

    def get(self, key: str) -> bytes:
        """The object's bytes. Raises NotFoundError."""

    def stream(self, key: str) -> Iterator[bytes]:
        """The object's bytes in pieces. Raises NotFoundError before the first."""

    def exists(self, key: str) -> bool:
        """Whether the object is there."""

    def check(self) -> str:
        """Prove that writing, reading and deleting works; a phrase that names the store."""


class LocalStore:
    """Objects as files under one directory."""

    def __init__(self, root: Path) -> None:
        self._root = root.absolute()
        self._root.mkdir(parents=True, exist_ok=True)

    def _path(self, key: str) -> Path:
        if key.startswith("/") or ".." in key.split("/"):
            raise StorageError(f"'{key}' is no object key.")
        return self._root / key

    def put(self, key: str, data: bytes) -> None:
        self._write(key, io.BytesIO(data))

    def put_file(self, key: str, path: Path) -> None:
        with path.open("rb") as source:
            self._write(key, source)

    def _write(self, key: str, source: io.BufferedIOBase) -> None:
        target = self._path(key)
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            handle, name = tempfile.mkstemp(dir=target.parent, prefix=".put-")
            try:
                with os.fdopen(handle, "wb") as sink:
                    while piece := source.read(2**20):
                        sink.write(piece)
                    sink.flush()
                    os.fsync(sink.fileno())
                os.replace(name, target)
            except BaseException:
                Path(name).unlink(missing_ok=True)
                raise
        except OSError as error:
            raise ServiceError(
                f"The store {self._root} cannot be written ({error}). Free space or permissions?"
            ) from error

    def get(self, key: str) -> bytes:
        return b"".join(self.stream(key))

    def stream(self, key: str) -> Iterator[bytes]:
        try:
            file = self._path(key).open("rb")
        except (FileNotFoundError, IsADirectoryError) as error:
            raise NotFoundError(f"There is no object '{key}'.") from error

        def pieces() -> Iterator[bytes]:
            with file:
                while piece := file.read(2**20):
                    yield piece

        return pieces()

    def exists(self, key: str) -> bool:
        return self._path(key).is_file()

    def check(self) -> str:
        self.put("check/probe", b"probe")
        if self.get("check/probe") != b"probe":
            raise ServiceError(f"The store {self._root} does not give back what it was given.")
        self._path("check/probe").unlink()
        return f"directory {self._root}"


class S3Store:
    """Objects in one bucket, through the MinIO client."""

    def __init__(self, bucket: str, settings: Settings) -> None:
        address = urlsplit(settings.s3_endpoint)
        if not address.hostname or address.scheme not in ("http", "https"):
            raise StorageError("Set FARM_S3_ENDPOINT to the S3 server, such as http://minio:9000.")
        self._bucket = bucket
        self._endpoint = settings.s3_endpoint
        self._client = Minio(
            address.netloc,
            access_key=settings.s3_access_key.get_secret_value(),
            secret_key=settings.s3_secret_key.get_secret_value(),
            region=settings.s3_region,
            secure=address.scheme == "https",
            http_client=urllib3.PoolManager(
                timeout=urllib3.Timeout(connect=5, read=60),
                retries=urllib3.Retry(total=4, backoff_factor=0.3),
                maxsize=16,
            ),
        )

    def _failed(self, error: Exception, key: str) -> Exception:
        if isinstance(error, S3Error) and error.code in ("NoSuchKey", "NoSuchObject"):
            return NotFoundError(f"There is no object '{key}'.")
        code = error.code if isinstance(error, S3Error) else type(error).__name__
        return ServiceError(
            f"The S3 store {self._endpoint}, bucket '{self._bucket}', refused or does not answer ({code}). Check "
            "FARM_S3_ENDPOINT, the keys and that the server is up; `farm doctor` tries it."
        )

    def _ensure_bucket(self) -> None:
        if not self._client.bucket_exists(self._bucket):
            try:
                self._client.make_bucket(self._bucket)
            except S3Error as error:
                if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                    raise

    def put(self, key: str, data: bytes) -> None:
        try:
            self._put(key, data)
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise self._failed(error, key) from error

    def _put(self, key: str, data: bytes) -> None:
        for last in (False, True):
            try:
                self._client.put_object(self._bucket, key, io.BytesIO(data), len(data), content_type(key))
                return
            except S3Error as error:
                if last or error.code != "NoSuchBucket":
                    raise
                self._ensure_bucket()

    def put_file(self, key: str, path: Path) -> None:
        try:
            if not self._client.bucket_exists(self._bucket):
                self._ensure_bucket()
            self._client.fput_object(self._bucket, key, str(path), content_type(key))
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise self._failed(error, key) from error

    def get(self, key: str) -> bytes:
        return b"".join(self.stream(key))

    def stream(self, key: str) -> Iterator[bytes]:
        try:
            response = self._client.get_object(self._bucket, key)
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise self._failed(error, key) from error

        def pieces() -> Iterator[bytes]:
            try:
                yield from response.stream(2**20)
            except urllib3.exceptions.HTTPError as error:
                raise self._failed(error, key) from error
            finally:
                response.close()
                response.release_conn()

        return pieces()

    def exists(self, key: str) -> bool:
        try:
            self._client.stat_object(self._bucket, key)
        except S3Error as error:
            if error.code in ("NoSuchKey", "NoSuchObject", "NoSuchBucket"):
                return False
            raise self._failed(error, key) from error
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise self._failed(error, key) from error
        return True

    def check(self) -> str:
        self.put("check/probe", b"probe")
        if self.get("check/probe") != b"probe":
            raise ServiceError(f"The S3 store {self._endpoint} does not give back what it was given.")
        try:
            self._client.remove_object(self._bucket, "check/probe")
        except (MinioException, urllib3.exceptions.HTTPError) as error:
            raise self._failed(error, "check/probe") from error
        return f"S3 {self._endpoint}, bucket '{self._bucket}'"


def open_store(settings: Settings) -> ObjectStore:
    """The store that FARM_STORAGE_URL names: ``file:///directory`` or ``s3://bucket``. Raises StorageError."""
    address = urlsplit(settings.storage_url)
    if address.scheme == "file" and address.path:
        return LocalStore(Path(address.path))
    if address.scheme == "s3" and address.netloc:
        return S3Store(address.netloc, settings)
    raise StorageError(
        f"'{settings.storage_url}' is no store: set FARM_STORAGE_URL to s3://bucket or file:///directory."
    )
