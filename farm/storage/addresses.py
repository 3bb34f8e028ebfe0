"""Addresses of stores, as people write them: ``file:///directory``, ``s3://bucket`` and ``s3://bucket/prefix``.

A directory is percent-encoded, as in any file URL; what cannot mean anything else (a space, ``#``, ``?``) may stand as it is.
A bucket's prefix and the keys below it are taken to the letter, as S3's own tools do.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from farm.errors import StorageError

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]*):(//)?", re.IGNORECASE)
_BUCKET = re.compile(
    r"^(?!\d+\.\d+\.\d+\.\d+$)(?!.*(\.\.|\.-|-\.))(?!.*:\d+$)[a-z0-9][a-z0-9_.:-]{1,61}[a-z0-9]$",
    re.ASCII | re.IGNORECASE,
)
"""What S3 servers take today, or took once; an address and a name with a port are endpoints."""
_MOST_PREFIX = 256
"""Characters, so that with the longest key below it a prefix stays under S3's limit of 1,024 bytes."""
_HOW = "set FARM_STORAGE_URL to s3://bucket, s3://bucket/prefix or file:///directory"


@dataclass(frozen=True, slots=True)
class Place:
    """A bucket, or what lies in it under a prefix."""

    bucket: str
    prefix: str = ""
    """Before every key: empty, or folders that end with a slash."""

    def url(self, key: str) -> str:
        """An object's address: ``s3://bucket/prefix/key``."""
        return f"s3://{self.bucket}/{self.prefix}{key}"


def parsed(url: str) -> Path | Place:
    """The directory or the place that FARM_STORAGE_URL names. Raises StorageError."""
    url = url.strip()
    found = _SCHEME.match(url)
    scheme, rest = (found[1].lower(), url[found.end() :]) if found else ("", "")
    if scheme == "s3" and found and found[2]:
        return place(url)
    if scheme != "file" or not found or not rest:
        raise StorageError(f"'{url}' is no store: {_HOW}.")
    return _directory(url, rest, with_host=bool(found[2]))


def _directory(url: str, rest: str, with_host: bool) -> Path:
    path = os.fsdecode(unquote_to_bytes(os.fsencode(rest)))
    if "\0" in path:
        raise StorageError(f"'{url}' names no directory: {_HOW}.")
    if not with_host:
        host = ""
    else:
        host, slash, path = path.partition("/")
        path = slash + path
    if host == "~":
        return Path.home() / path.lstrip("/")
    if host not in ("", "localhost"):
        raise StorageError(
            f"'{url}' names a machine, '{host}', and no directory of this one: write file:///{host}{path} with three "
            "slashes, or file://~/directory for one in your home. (FARM_STORAGE_URL)"
        )
    if not path.startswith("/"):
        raise StorageError(
            f"'{url}' is relative to wherever a process starts: write the whole path, file:///directory. (FARM_STORAGE_URL)"
        )
    whole = Path("/" + path.lstrip("/"))
    if whole == Path("/"):
        raise StorageError(f"'{url}' is the root of this machine's files, and no store: {_HOW}.")
    return whole


def file_url(directory: Path) -> str:
    """The address of a directory, whatever its name: `parsed` gives the directory back."""
    return f"file://{quote_from_bytes(os.fsencode(directory.absolute()))}"


def place(url: str) -> Place:
    """The place that ``s3://bucket/prefix`` names; more slashes than needed mean nothing. Raises StorageError."""
    bucket, _, rest = _behind_scheme(url).partition("/")
    check_bucket(bucket)
    parts = [part for part in rest.split("/") if part]
    prefix = "".join(f"{part}/" for part in parts)
    if any(part in (".", "..") for part in parts) or not prefix.isprintable() or len(prefix) > _MOST_PREFIX:
        raise StorageError(
            f"{prefix[:_MOST_PREFIX]!r} is no prefix for objects: name plain folders, {_MOST_PREFIX} characters at most."
        )
    return Place(bucket, prefix)


def named_object(url: str) -> tuple[str, str]:
    """Bucket and key of ``s3://bucket/key``, to the letter. Raises StorageError."""
    bucket, _, key = _behind_scheme(url).partition("/")
    check_bucket(bucket)
    if not key:
        raise StorageError("This is no object of an S3 server; write s3://bucket/key.")
    return bucket, key


def _behind_scheme(url: str) -> str:
    if url[:5].lower() != "s3://":
        raise StorageError("This is no address of an S3 server; write s3://bucket/key.")
    return url[5:]


def check_bucket(name: str) -> None:
    """Raises StorageError for what can be no bucket."""
    if not _BUCKET.match(name):
        raise StorageError(
            f"{name[:80]!r} is no name of a bucket (3 to 63 letters, digits, dots and hyphens): write s3://bucket or "
            "s3://bucket/prefix, as in FARM_STORAGE_URL; the server's address is FARM_S3_ENDPOINT."
        )
