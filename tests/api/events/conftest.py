"""What the tests of the stream of events share: an API without workers, and its job store."""

from collections.abc import Iterator

import pytest

from farm.jobs.connection import Connection
from farm.jobs.store import JobStore
from tests.api.events.streams import api_on
from tests.support.servers import Api, api_server


@pytest.fixture(scope="package")
def api(redis_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Api]:
    folder = tmp_path_factory.mktemp("api")
    with api_server(folder, api_on(folder, redis_url)) as server:
        yield server


@pytest.fixture
def connection(fresh_redis: str) -> Connection:
    return Connection(fresh_redis)


@pytest.fixture
def jobs(connection: Connection) -> JobStore:
    return JobStore(connection)
