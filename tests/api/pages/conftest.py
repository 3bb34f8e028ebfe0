"""What the tests of the operators' page share: a real Chromium, a farm open to all, and one that asks for keys."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, Page

from farm.keys import entry_for
from tests.api.pages.farm import KEYS, Farm, start
from tests.support import servers
from tests.support.browser import chromium, page_of


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="package")
def served(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm that asks nobody for a key."""
    folder = tmp_path_factory.mktemp("open")
    links = {"FARM_FLOWER_URL": "http://flower.test:5555/", "FARM_GRAFANA_URL": "https://grafana.test/d/farm"}
    environment, store, connection = start(folder, new_database(), **links)
    with servers.api_server(folder, environment) as api:
        yield Farm(api.url, store, connection, folder)


@pytest.fixture(scope="package")
def guarded(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm that asks for keys."""
    folder = tmp_path_factory.mktemp("guarded")
    entries = ",".join(entry_for(f"the-{role}", [role], key) for role, key in KEYS.items())
    environment, store, connection = start(folder, new_database(), FARM_API_KEYS=entries)
    with servers.api_server(folder, environment) as api:
        yield Farm(api.url, store, connection, folder)


@pytest.fixture
def farm(served: Farm) -> Farm:
    """The farm, with nothing in it."""
    served.connection.redis.flushdb()
    return served


@pytest.fixture
def page(browser: Browser, farm: Farm) -> Iterator[Page]:
    with page_of(browser, farm.url) as page:
        yield page
