"""What was written, told by whoever wrote it: what makes an interrupted export go on where it was."""

import hashlib

from pydantic import BaseModel, ConfigDict

from farm.dataset.splits import Split


class FileRecord(BaseModel):
    """A file of an export."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    bytes: int
    sha256: str
    keys: int = 0
    """Rows in it."""


def record_of(data: bytes) -> FileRecord:
    """The record of a file with these bytes."""
    return FileRecord(bytes=len(data), sha256=hashlib.sha256(data).hexdigest())


class Receipt(BaseModel):
    """One unit of an export, written."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    unit: str
    split: Split
    models: int
    keys: int
    images: int
    copied: int = 0
    """Files that could not be hard-linked."""
    files: dict[str, FileRecord] = {}
    """The shards, by name; empty where the pictures themselves are the files."""
    notes: dict[str, str] = {}
    """What the unit adds to files that span all units."""
