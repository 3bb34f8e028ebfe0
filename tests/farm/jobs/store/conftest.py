"""The control plane on each of the two servers that farms run on: Valkey, and Debian's Redis where it is installed."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.audit import audit
from tests.support.jobs import Core, make_core


@pytest.fixture
def core(valkey_or_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(valkey_or_redis, tmp_path)
    made.connection.redis.flushall()
    yield made
    assert audit(made.connection) == []
