"""The object store: an S3 bucket, or a local directory behind the same interface.

Keys are relative paths such as ``models/<id>/package.zip``. A put is atomic: a reader sees the whole object or none. A bucket
or a directory that is not there is an empty store; the first put makes it. A store that is away for a moment is asked
again; see `S3Store`.
"""

from pathlib import Path
from urllib.parse import urlsplit

from farm.errors import StorageError
from farm.settings import Settings
from farm.storage.interface import ObjectStore, content_type
from farm.storage.local import LocalStore

__all__ = ["LocalStore", "ObjectStore", "content_type", "open_store"]


def open_store(settings: Settings, patience: float = 5.0) -> ObjectStore:
    """The store that FARM_STORAGE_URL names: ``file:///directory`` or ``s3://bucket``. Raises StorageError.

    `patience`: how many seconds an S3 server that is away is waited for, each time.
    """
    address = urlsplit(settings.storage_url)
    if address.scheme == "file" and address.netloc == "~":
        return LocalStore(Path.home() / address.path.lstrip("/"))
    if address.scheme == "file" and address.path:
        return LocalStore(Path(address.path))
    if address.scheme == "s3" and address.netloc:
        from farm.storage.s3 import S3Store  # only here: its client is slow to import

        return S3Store(address.netloc, settings, patience)
    raise StorageError(
        f"'{settings.storage_url}' is no store: set FARM_STORAGE_URL to s3://bucket or file:///directory."
    )
