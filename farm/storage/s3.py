"""An S3 bucket as object store, and patience with its server."""

import io
import logging
import random
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import islice
from pathlib import Path
from typing import BinaryIO

from minio.error import MinioException, S3Error, ServerError
from urllib3.exceptions import HTTPError

from farm import metrics
from farm.errors import DiskFullError, NotFoundError, ServiceError, StorageError, StoreRefusedError
from farm.settings import Settings
from farm.storage.addresses import check_bucket
from farm.storage.connecting import connect
from farm.storage.downloads import Download
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
from farm.storage.refusals import is_full, is_passing, is_refusal, reason, remedy

log = logging.getLogger(__name__)

_ABSENT = {"NoSuchKey", "NoSuchObject", "NoSuchBucket"}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0  # s
_ASKING = 16
"""Questions at a time."""
_LONGEST_PRESIGNED = 7 * 24 * 3600  # s


class S3Store:
    """Objects in one bucket, or under a prefix of it, through the MinIO client.

    `prefix` is empty, or folders that end with a slash: nothing outside of it is read, listed, written or removed.
    A server that is away (connections refused or cut, 5xx, "slow down") is asked again, ever more slowly, until it
    answers or `patience` seconds have gone by since it last did. A refusal (wrong keys, no permission, another region, a
    certificate of nobody's) is final at once: StoreRefusedError.
    """

    def __init__(self, bucket: str, settings: Settings, patience: float = 5.0, prefix: str = "") -> None:
        check_bucket(bucket)
        self._bucket, self._prefix = bucket, prefix
        self._endpoint, self._region = settings.s3_endpoint, settings.s3_region
        self._patience = patience
        self._bucket_seen = False
        self._client, self._credentials = connect(settings)

    def _at(self, key: str) -> str:
        """An object's key in the bucket; `key` may be a prefix of keys, too."""
        return self._prefix + key

    @property
    def _named(self) -> str:
        under = f", prefix '{self._prefix}'" if self._prefix else ""
        return f"the S3 store {self._endpoint}, bucket '{self._bucket}'{under}"

    def _persist[T](self, key: str, action: Callable[[], T]) -> T:
        """What `action` returns, tried again while the server is away. It must do no harm when done twice."""
        deadline, pause = None, _FIRST_PAUSE
        while True:
            try:
                return action()
            except (MinioException, HTTPError) as error:
                if isinstance(error, S3Error) and error.code in _ABSENT:
                    raise NotFoundError(f"There is no object '{key}'.") from error
                metrics.STORE_ERRORS.inc(_kind(error))
                now = time.monotonic()
                if deadline is None:
                    deadline = now + self._patience
                    log.info("the S3 store %s failed at '%s' (%s)", self._endpoint, key, reason(error))
                if not is_passing(error) or now >= deadline:
                    raise self._error(error, key) from error
                # Not all workers at the same moment: the server may be away because it has too much to do.
                delay = min(pause * random.uniform(0.5, 1.0), deadline - now)  # noqa: S311
            time.sleep(delay)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _error(self, error: Exception, key: str) -> ServiceError:
        """What is told of an error that asking again does not mend."""
        if is_full(error):
            return DiskFullError(
                f"The disk of {self._named} is full ({reason(error)}). Make room there; all goes on by itself then."
            )
        kind = StoreRefusedError if is_refusal(error) else ServiceError
        verb = "does not answer" if is_passing(error) else f"refused '{key}'"
        return kind(
            f"{self._named[0].upper()}{self._named[1:]} {verb} ({reason(error)}). {remedy(error, self._region)}"
        )

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

    def _find_bucket(self) -> None:
        """Make the bucket if it is missing. Below the prefix alone: a key may have the right to list no more."""
        try:
            next(self._names("", "", recursive=False), None)
        except S3Error as error:
            if error.code != "NoSuchBucket":
                raise
            self._make_bucket()

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
        result = self._client.put_object(self._bucket, self._at(key), source, size, content_type(key))
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
                self._client._put_object(self._bucket, self._at(key), data, headers)  # put_object has no such header
            except S3Error as error:
                if error.code != "PreconditionFailed":
                    raise
                # What is there may be our own: sent, stored, and the answer lost.
                stored = self._client.stat_object(self._bucket, self._at(key)).metadata or {}
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
        download = Download(self._client, self._bucket, self._at(key), start, length)
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
        return self._persist(key, lambda: self._client.stat_object(self._bucket, self._at(key))).size or 0

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        # A share for each thread: a thousand tasks of their own would cost four times the asking.
        with ThreadPoolExecutor(_ASKING) as pool:
            shares = pool.map(self._sizes_in_turn, (keys[i::_ASKING] for i in range(min(_ASKING, len(keys)))))
            return {key: size for share in shares for key, size in share.items()}

    def _sizes_in_turn(self, keys: Sequence[str]) -> dict[str, int]:
        found: dict[str, int] = {}
        for key in keys:
            with suppress(NotFoundError):
                found[key] = self.size(key)
        return found

    def exists(self, key: str) -> bool:
        try:
            self.size(key)
        except NotFoundError:
            return False
        return True

    def delete(self, key: str) -> None:
        check_key(key)
        try:
            self._persist(key, lambda: self._client.remove_object(self._bucket, self._at(key)))
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
            for name in self._names(prefix, after, recursive=True):
                # Other tools mark folders by empty objects whose keys end with a slash.
                if name and not name.endswith("/") and (shows_probes or not name.startswith(PROBES)):
                    yield name

        return self._listed(prefix, names, limit)

    def folders(self, prefix: str, after: str = "", limit: int = 1000) -> Keys:
        check_folder(prefix)
        # "0" is the character after the slash: this comes after every key in the folder `after`.
        last = f"{prefix}{after}0" if after else ""

        def names() -> Iterator[str]:
            for name in self._names(prefix, last, recursive=False):
                if name.endswith("/") and name != prefix:
                    yield name.removeprefix(prefix)[:-1]

        return self._listed(prefix, names, limit)

    def _names(self, prefix: str, after: str, recursive: bool) -> Iterator[str]:
        found = self._client.list_objects(
            self._bucket, self._at(prefix) or None, recursive=recursive, start_after=self._at(after) if after else None
        )
        return ((item.object_name or "").removeprefix(self._prefix) for item in found)

    def _listed(self, prefix: str, names: Callable[[], Iterator[str]], limit: int) -> Keys:
        try:
            return self._persist(prefix, lambda: list(islice(names(), limit)))
        except NotFoundError:  # there is no bucket
            return []

    def presigned_put(self, key: str, seconds: int, size: int) -> Presigned | None:
        check_key(key)
        if not 1 <= seconds <= _LONGEST_PRESIGNED:
            raise StorageError(f"A presigned URL cannot last {seconds} s; ask for 1 to {_LONGEST_PRESIGNED}.")
        credentials = self._credentials
        if credentials is None:
            raise StorageError("Without FARM_S3_ACCESS_KEY and FARM_S3_SECRET_KEY no address can be signed.")

        def sign() -> Presigned:
            if not self._bucket_seen:
                self._find_bucket()
            self._bucket_seen = True
            address = self._client.presigned_put_object(self._bucket, self._at(key))
            now = credentials.retrieve()
            signer = Signer(now.access_key, now.secret_key, self._region, now.session_token or "")
            return signer.put(address.partition("?")[0], seconds, size)

        return self._persist(key, sign)

    def check(self) -> str:
        place = f"{self._bucket}/{self._prefix}".removesuffix("/")
        return probe(self, f"S3 {self._endpoint}, bucket '{place}'")


def _kind(error: Exception) -> str:
    """What kind of error it is, as `farm.metrics.STORE_ERRORS` counts it."""
    if is_full(error):
        return "full"
    if is_refusal(error):
        return "refused"
    return "passing" if is_passing(error) else metrics.OTHER
