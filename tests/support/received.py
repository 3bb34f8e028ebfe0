"""An upload read in this process, for tests of what the readers of formats say."""

import tempfile
from pathlib import Path

from farm.models.incoming import Refusal, received
from farm.models.package import Package


def receive(file_name: str, data: bytes) -> tuple[list[Package], list[Refusal]]:
    """The models of an upload, and those that are refused. Raises ArchiveError."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "file")
        file.write_bytes(data)
        found = list(received(file_name, file))
    return [one for one in found if isinstance(one, Package)], [one for one in found if isinstance(one, Refusal)]
