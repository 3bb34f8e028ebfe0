"""A browser, and a page to be filled."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.farm.inspection.paging import Collection
from tests.support.browser import chromium
from tests.support.fixtures import read_mascot


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture
def collection(tmp_path: Path, mascots: dict[str, Path]) -> Collection:
    return Collection(tmp_path / "page", read_mascot(mascots, "momo").inventory)
