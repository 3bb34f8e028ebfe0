"""What the tests of the SDK share: a farm, and a proxy before it that loses connections on demand."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farm.client import FarmClient
from farm.jobs.connection import Connection
from farm.jobs.store import JobStore
from farm.settings import Settings
from farm.storage import open_store
from tests.farm.client.farm import Farm
from tests.support import servers
from tests.support.faults import FaultyProxy


@pytest.fixture(scope="package")
def farm(
    new_database: Callable[[], str], mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("client")
    url = new_database()
    environment = {
        "FARM_REDIS_URL": url,
        "FARM_STORAGE_URL": f"file://{folder / 'store'}",
        "FARM_RATE_LIMIT": "0",
        "FARM_WEBHOOK_PRIVATE": "1",
    }
    with servers.api_server(folder, environment) as api, FarmClient(api.url) as client:
        (model,), _ = client.upload(mascots["momo"])
        store = open_store(Settings(storage_url=environment["FARM_STORAGE_URL"]))
        yield Farm(api, JobStore(Connection(url)), store, client, model)


@pytest.fixture
def proxy(farm: Farm) -> Iterator[FaultyProxy]:
    with FaultyProxy("127.0.0.1", int(farm.api.url.rpartition(":")[2]), seed=3) as proxy:
        yield proxy
