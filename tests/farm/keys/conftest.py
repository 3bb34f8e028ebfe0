"""The small application with keys, and one without."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farm.keys import Keys
from tests.farm.keys.gate import Farm, entries
from tests.support.small_api import serving, small_api


@pytest.fixture(scope="package")
def farm(tmp_path_factory: pytest.TempPathFactory, new_database: Callable[[], str]) -> Iterator[Farm]:
    file = tmp_path_factory.mktemp("keys") / "keys"
    file.write_text(entries())
    with serving(small_api(Keys(file=file), redis_url=new_database())) as port:
        yield Farm(f"http://127.0.0.1:{port}", file)


@pytest.fixture(scope="package")
def open_farm() -> Iterator[Farm]:
    with serving(small_api(Keys())) as port:
        yield Farm(f"http://127.0.0.1:{port}", Path())
