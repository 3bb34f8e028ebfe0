"""The object store: an S3 bucket, a prefix in one, or a local directory behind the same interface.

Keys are relative paths such as ``models/<id>/package.zip``. A put is atomic: a reader sees the whole object or none. A bucket
or a directory that is not there is an empty store; the first put makes it. A store that is away for a moment is asked
again; see `S3Store`.
"""

from pathlib import Path

from farm.settings import Settings
from farm.storage.addresses import parsed
from farm.storage.interface import ObjectStore, content_type
from farm.storage.local import LocalStore

__all__ = ["LocalStore", "ObjectStore", "content_type", "open_store"]


def open_store(settings: Settings, patience: float = 5.0) -> ObjectStore:
    """The store that FARM_STORAGE_URL names (`farm.storage.addresses`). Raises StorageError.

    `patience`: how many seconds an S3 server that is away is waited for, each time.
    """
    address = parsed(settings.storage_url)
    if isinstance(address, Path):
        return LocalStore(address)
    from farm.storage.s3 import S3Store  # only here: its client is slow to import

    return S3Store(address.bucket, settings, patience, address.prefix)
