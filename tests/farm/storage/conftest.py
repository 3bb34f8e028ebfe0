"""Each of the two stores that a farm can have: a directory, and a bucket of a real S3 server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.storage import LocalStore, ObjectStore
from farm.storage.s3 import S3Store
from tests.farm.storage.access import s3_settings


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "directory":
        yield LocalStore(tmp_path / "store")
    else:
        yield S3Store("storage-tests", s3_settings(request.getfixturevalue("s3")))
