"""The farm that the commands ask."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farm.client import FarmClient
from farm.jobs.connection import Connection
from farm.jobs.store import JobStore
from tests.farm.cli.batches.farm import Farm
from tests.support import servers


@pytest.fixture(scope="package")
def farm(
    new_database: Callable[[], str], mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Farm]:
    folder = tmp_path_factory.mktemp("cli-batches")
    url = new_database()
    environment = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{folder / 'store'}"}
    with servers.api_server(folder, environment) as api, FarmClient(api.url) as client:
        models = [client.upload(path)[0][0] for path in mascots.values()]
        yield Farm(api, client, JobStore(Connection(url)), models)
