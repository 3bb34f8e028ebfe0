"""The control plane, and a worker at work on it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.farm.worker.attempt.bench import Bench
from tests.support.audit import audit
from tests.support.jobs import Core, make_core


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(fresh_redis, tmp_path)
    yield made
    assert audit(made.connection) == []


@pytest.fixture
def bench(core: Core) -> Iterator[Bench]:
    made = Bench(core)
    yield made
    made.heart.stop()
