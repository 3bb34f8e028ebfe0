"""The API as a process of its own, over HTTP, on a real Valkey and a local store. No worker: nothing is rendered."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from farm.jobs.connection import Connection
from farm.models.package import upload_form
from farm.storage import LocalStore
from tests.api.rest.requests import upload
from tests.support import servers

FREE = {"FARM_RATE_LIMIT": "0"}
"""No test waits for its turn."""


@pytest.fixture(scope="package")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("api")


@pytest.fixture(scope="package")
def api_redis(folder: Path) -> Iterator[str]:
    """A Valkey of these tests' own: a job that is taken is the one that the test made."""
    with servers.redis_server(folder / "valkey") as url:
        yield url


@pytest.fixture(scope="package")
def api(api_redis: str, folder: Path) -> Iterator[httpx.Client]:
    environment = {"FARM_REDIS_URL": api_redis, "FARM_STORAGE_URL": f"file://{folder}/store", **FREE}
    with (
        servers.api_server(folder, environment) as server,
        httpx.Client(base_url=server.url, timeout=servers.PATIENCE_SECONDS) as client,
    ):
        yield client


@pytest.fixture
def connection(api_redis: str) -> Connection:
    """The API's Redis, for tests that play a worker."""
    return Connection(api_redis)


@pytest.fixture
def store(folder: Path) -> LocalStore:
    """The API's object store."""
    return LocalStore(folder / "store")


@pytest.fixture(scope="package")
def nagi(api: httpx.Client, mascots: dict[str, Path]) -> str:
    response = upload(api, *upload_form(mascots["nagi"]))
    assert response.status_code == 201, response.text
    return str(response.json()["models"][0]["id"])


@pytest.fixture
def quiet(api: httpx.Client) -> None:
    """No job waits or runs."""
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/v1/batches", params={"cursor": cursor, "limit": 100}).json()
        for batch in page["batches"]:
            if not batch["ended"]:
                api.post(f"/v1/batches/{batch['id']}/cancel")
        cursor = page["next"]
