"""A store of jobs on a real Valkey, and a receiver."""

from collections.abc import Iterator

import pytest

from farm.jobs.connection import Connection
from farm.jobs.store import JobStore
from tests.farm.jobs.webhooks.receiver import Receiver, receiving
from tests.support.jobs import connected


@pytest.fixture
def connection(fresh_redis: str) -> Connection:
    return connected(fresh_redis)


@pytest.fixture
def jobs(connection: Connection) -> JobStore:
    return JobStore(connection)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found
