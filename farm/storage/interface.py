"""What the farm needs of an object store, and what is a key."""

import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Protocol

from farm.errors import ServiceError, StorageError
from farm.storage.presigning import Presigned

_CONTENT_TYPES = {
    ".json": "application/json",
    ".png": "image/png",
    ".tar": "application/x-tar",
    ".webp": "image/webp",
    ".zip": "application/zip",
}
PROBES = "check/"
"""Where `check` writes; no listing shows it."""
TEMPORARY = ".put-"
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

    def sizes(self, keys: Sequence[str]) -> dict[str, int]:
        """The lengths in bytes of those of the objects that are there: many `size` in less time than one after the other."""

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

    def presigned_put(self, key: str, seconds: int, size: int) -> Presigned | None:
        """A URL that takes `size` bytes by HTTP PUT without keys, for `seconds` (up to seven days), while no such object
        is there. None when the store has no address of its own."""

    def check(self) -> str:
        """Do what a job does with a store, and prove that it works: `probe`. A phrase that names the store."""


def check_key(key: str) -> None:
    """Refuse a key that would be another on disk than in a bucket, or no place below the root at all."""
    if "\0" in key or any(part in ("", ".", "..") or part.startswith(TEMPORARY) for part in key.split("/")):
        raise StorageError(f"'{key}' is no object key.")


def check_prefix(prefix: str) -> None:
    if prefix:
        check_key(prefix.removesuffix("/"))


def check_folder(prefix: str) -> None:
    check_prefix(prefix)
    if not prefix.endswith("/"):
        raise StorageError(f"'{prefix}' is no folder of objects; it must end with a slash.")


def check_range(start: int, length: int | None) -> None:
    if start < 0 or (length is not None and length < 0):
        raise StorageError(f"There are no {length} bytes from byte {start} on.")


def probe(store: ObjectStore, name: str) -> str:
    """What `check` does; its folder is its own, since others may check at the same time.

    A job asks for what is not there yet, puts, puts where nothing may be, lists, reads a part, and removes.
    """
    folder = f"{PROBES}{uuid.uuid4().hex}/"
    put, new = f"{folder}put", f"{folder}new"

    def has_to(holds: bool, what: str) -> None:
        if not holds:
            raise ServiceError(f"The store {name} {what}, and a farm relies on that.")

    # First, since a refusal of this one comes with its reason, which an answer to "is it there?" cannot carry.
    has_to(not store.list(folder), "lists what nobody has put")
    has_to(not store.exists(put), "says that there is what nobody has put")
    try:
        store.put(put, b"probe")
        has_to(store.put_new(new, b"first"), "refuses a put where nothing is")
        has_to(not store.put_new(new, b"second"), "lets a second put with If-None-Match replace the first (too old?)")
        has_to(store.list(folder) == [new, put], "does not list what was put")
        has_to(store.get(new) == b"first" and store.get(put) == b"probe", "does not give back what it was given")
        has_to(
            b"".join(store.stream(put, 1, 3)) == b"rob", "does not give back the part of an object that is asked for"
        )
    finally:
        removed = store.delete_all(folder)
    has_to(removed == 2 and not store.exists(put), "does not remove what is to be removed")
    return name
