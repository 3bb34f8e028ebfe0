"""An S3 bucket as object store, and patience with its server."""

import io
import logging
import random
import time
import uuid
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import BinaryIO
from urllib.parse import urlsplit

import urllib3
from minio import Minio
from minio.error import InvalidResponseError, MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError, ProtocolError
from urllib3.response import BaseHTTPResponse

from farm.errors import NotFoundError, ServiceError, StorageError
from farm.settings import Settings
from farm.storage.interface import (
    PROBES,
    Keys,
    check_folder,
    check_key,
    check_prefix,
    check_range,
    content_type,
    probe,
)
from farm.storage.presigning import Presigned, Signer

log = logging.getLogger(__name__)

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
        access, secret = settings.s3_access_key.get_secret_value(), settings.s3_secret_key.get_secret_value()
        self._signer = Signer(access, secret, settings.s3_region)
        self._client = Minio(
            address.netloc,
            access_key=access,
            secret_key=secret,
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
        check_key(key)
        self._persist_in_bucket(key, lambda: self._send(key, io.BytesIO(data), len(data)))

    def put_file(self, key: str, path: Path) -> None:
        check_key(key)

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
        check_key(key)
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
        check_key(key)
        check_range(start, length)
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
        check_key(key)
        return self._persist(key, lambda: self._client.stat_object(self._bucket, key)).size or 0

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except NotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        check_key(key)
        try:
            self._persist(key, lambda: self._client.remove_object(self._bucket, key))
        except NotFoundError:
            pass  # nor is there a bucket

    def delete_all(self, prefix: str) -> int:
        check_folder(prefix)
        count, last = 0, ""
        while keys := self.list(prefix, last):
            for key in keys:
                self.delete(key)
            count, last = count + len(keys), keys[-1]
        return count

    def list(self, prefix: str, after: str = "", limit: int = 1000) -> Keys:
        check_prefix(prefix)
        shows_probes = prefix.startswith(PROBES)

        def names() -> Iterator[str]:
            for item in self._client.list_objects(self._bucket, prefix, recursive=True, start_after=after or None):
                name = item.object_name or ""
                # Other tools mark folders by empty objects whose keys end with a slash.
                if not name.endswith("/") and (shows_probes or not name.startswith(PROBES)):
                    yield name

        return self._listed(prefix, names, limit)

    def folders(self, prefix: str, after: str = "", limit: int = 1000) -> Keys:
        check_folder(prefix)
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

    def presigned_put(self, key: str, seconds: int, size: int) -> Presigned | None:
        check_key(key)
        if not 1 <= seconds <= _LONGEST_PRESIGNED:
            raise StorageError(f"A presigned URL cannot last {seconds} s; ask for 1 to {_LONGEST_PRESIGNED}.")

        def sign() -> Presigned:
            if not self._bucket_seen and not self._client.bucket_exists(self._bucket):
                self._make_bucket()
            self._bucket_seen = True
            address = self._client.presigned_put_object(self._bucket, key)
            return self._signer.put(address.partition("?")[0], seconds, size)

        return self._persist(key, sign)

    def check(self) -> str:
        return probe(self, f"S3 {self._endpoint}, bucket '{self._bucket}'")


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
