"""Places that are offered for uploads: for one file of one length each, and gone after a day."""

from datetime import UTC, datetime

import httpx
import pytest

from farm.catalog import Catalog
from farm.reading.readers import Readers
from farm.settings import Settings
from farm.storage import open_store
from farm.uploads import FOLDER, KEPT_SECONDS, Intake
from tests.support.servers import S3Server


@pytest.mark.s3
def test_what_was_offered_long_ago_is_swept_away_with_what_came_of_it(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in s3.environment("swept").items():
        monkeypatch.setenv(name, value)
    settings = Settings()
    store = open_store(settings)
    intake = Intake(settings, store, Catalog(store), Readers())
    (offer,) = intake.offer([("a.pmx", 3)])
    answer = httpx.put(offer.url, content=b"abc", headers=offer.headers, trust_env=False)
    assert answer.status_code == 200
    now = int(datetime.now(UTC).timestamp())
    old, young = now - KEPT_SECONDS - 60, now - KEPT_SECONDS + 600
    for folder in (f"{old:010}-{'a' * 16}", f"{young:010}-{'b' * 16}", "c" * 16):
        store.put(f"{FOLDER}{folder}/0-x.pmx", b"x")
        store.put(f"{FOLDER}{folder}/1-y.pmx", b"")
    store.put("models/0/package.zip", b"x")

    assert intake.sweep() == 4
    assert intake.sweep() == 0

    left = store.list("")
    assert "models/0/package.zip" in left
    assert offer.object.removeprefix("s3://swept/") in left
    assert [key for key in left if "b" * 16 in key and key.endswith(".pmx")] == [
        f"{FOLDER}{young:010}-{'b' * 16}/0-x.pmx",
        f"{FOLDER}{young:010}-{'b' * 16}/1-y.pmx",
    ]
