"""Places that are offered for uploads: for one file of one length each, and gone after a day."""

from datetime import UTC, datetime
from pathlib import Path

import httpx
import pytest

from farm.catalog import Catalog
from farm.errors import NotFoundError, SpecError
from farm.reading.readers import Readers
from farm.settings import Settings
from farm.storage import open_store
from farm.storage.addresses import file_url
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


@pytest.mark.s3
def test_a_farm_in_a_prefix_takes_in_what_is_its_own_and_nothing_of_its_neighbours(
    s3: S3Server, monkeypatch: pytest.MonkeyPatch, mascots: dict[str, Path], request: pytest.FixtureRequest
) -> None:
    # GIVEN two farms in one bucket, and a model of the second
    for name, value in s3.environment("shared").items():
        monkeypatch.setenv(name, value)
    one, two = (Settings(storage_url=f"s3://shared/farm-{name}/") for name in ("one", "two"))
    store = open_store(one)
    readers = Readers(1)
    request.addfinalizer(readers.close)
    intake = Intake(one, store, Catalog(store), readers)
    data = mascots["nagi"].read_bytes()
    open_store(two).put("theirs/nagi.pmx", data)
    store.put("ours/nagi.pmx", data)

    # WHEN the first is asked THEN it offers places under its prefix, and takes in what lies there
    (offer,) = intake.offer([("nagi.pmx", len(data))])
    assert offer.object.startswith("s3://shared/farm-one/uploads/")
    assert httpx.put(offer.url, content=data, headers=offer.headers, trust_env=False).status_code == 200
    taken = intake.take_in([offer.object, "s3://shared/farm-one/ours/nagi.pmx"])
    assert (len(taken.models), taken.refusals) == (2, ())
    (again,) = intake.take_in([offer.object]).refusals
    assert "taken in already" in str(again.error)

    # AND nothing else of the bucket, unless its operator names it
    elsewhere = ["s3://shared/farm-two/theirs/nagi.pmx", "s3://shared/farm-one-2/x.vrm", "s3://shared/ours/nagi.pmx"]
    refused = intake.take_in(elsewhere).refusals
    assert [type(refusal.error) for refusal in refused] == [NotFoundError] * 3
    assert "outside of 'farm-one/'" in str(refused[0].error)
    allowed = Intake(one, store, Catalog(store), readers, import_buckets="shared")
    assert len(allowed.take_in(elsewhere[:1]).models) == 1


@pytest.mark.parametrize(
    "name", ["s3://[shared/a.vrm", "s3://shared", "s3:///a.vrm", "file:///a.vrm", "s3://a b/c.vrm"]
)
def test_what_is_no_address_of_an_object_is_refused(name: str, tmp_path: Path) -> None:
    settings = Settings(storage_url=file_url(tmp_path))
    store = open_store(settings)
    intake = Intake(settings, store, Catalog(store), Readers())

    (refusal,) = intake.take_in([name]).refusals

    assert isinstance(refusal.error, SpecError)
