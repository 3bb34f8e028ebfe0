"""Addresses of stores as people write them, and as the farm writes its own."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import StorageError
from farm.storage.addresses import Place, file_url, named_object, parsed

NAMES = st.text(st.characters(exclude_characters="\0/"), min_size=1).filter(
    lambda name: name != "." and name.isprintable()
)


@given(st.lists(NAMES, min_size=1, max_size=4))
def test_every_directory_has_an_address_that_leads_back_to_it(parts: list[str]) -> None:
    directory = Path("/", *parts)

    assert parsed(file_url(directory)) == directory


@pytest.mark.parametrize(
    "name", ["project #3", "a?b", "100%", "a%20b", "狐", "a b", "~", "back\\slash", "'\"", "a:b@c", "\udcff"]
)
def test_names_that_mean_something_in_a_url_are_names_here(name: str) -> None:
    directory = Path("/data", name, "store")

    url = file_url(directory)

    assert parsed(url) == directory
    assert url.isascii()
    assert not set(' #?"') & set(url)


@pytest.mark.parametrize(
    ("url", "directory"),
    [
        ("file:///data/x", "/data/x"),
        ("file:///data/x/", "/data/x"),
        ("file:////data//x//", "/data/x"),
        ("file:/data/x", "/data/x"),
        ("file://localhost/data/x", "/data/x"),
        ("FILE:///data/x", "/data/x"),
        (" file:///data/x\n", "/data/x"),
        ("file:///project #3/a?b", "/project #3/a?b"),
        ("file:///project%20%233/100%", "/project #3/100%"),
        ("file://~/farm", str(Path.home() / "farm")),
        ("file://~", str(Path.home())),
    ],
)
def test_a_directory_is_found_however_it_is_written(url: str, directory: str) -> None:
    assert parsed(url) == Path(directory)


@pytest.mark.parametrize(
    ("url", "place"),
    [
        ("s3://faces", Place("faces")),
        ("s3://faces/", Place("faces")),
        ("s3://faces//", Place("faces")),
        ("s3://faces/one", Place("faces", "one/")),
        ("s3://faces/one/", Place("faces", "one/")),
        ("s3://faces//one//two//", Place("faces", "one/two/")),
        ("S3://faces/one #2/%20/a?b", Place("faces", "one #2/%20/a?b/")),
        ("s3://faces/狐", Place("faces", "狐/")),
    ],
)
def test_a_bucket_and_its_prefix_are_found_however_they_are_written(url: str, place: Place) -> None:
    assert parsed(url) == place
    assert parsed(place.url("")) == place


@pytest.mark.parametrize(
    ("url", "word"),
    [
        ("file://data/x", "file:///data/x"),
        ("file://~user/x", "machine"),
        ("file://127.0.0.1/x", "machine"),
        ("file:data/x", "relative"),
        ("file://localhost", "relative"),
        ("file:///", "root"),
        ("file:////", "root"),
        ("file:///a%00b", "no directory"),
        ("s3:///prefix", "bucket"),
        ("s3://", "bucket"),
        ("s3:faces", "no store"),
        ("s3://minio:9000/faces", "FARM_S3_ENDPOINT"),
        ("s3://key:secret@faces/x", "bucket"),
        ("s3://10.0.0.1/faces", "bucket"),
        ("s3://fa", "bucket"),
        ("s3://a..b", "bucket"),
        ("s3://faces?x", "bucket"),
        ("s3://[faces/x", "bucket"),
        ("s3://faces/../other", "prefix"),
        ("s3://faces/./x", "prefix"),
        ("s3://faces/a\nb", "prefix"),
        ("s3://faces/" + "x" * 257, "prefix"),
        ("faces", "no store"),
        ("http://faces", "no store"),
    ],
)
def test_what_is_no_store_is_refused_with_what_to_set(url: str, word: str) -> None:
    with pytest.raises(StorageError, match=r"FARM_STORAGE_URL|plain folders") as refused:
        parsed(url)

    assert word in str(refused.value)


@pytest.mark.parametrize(
    "url", ["s3://faces", "s3://faces/", "file:///faces/x", "faces/x", "s3://[faces/x", "s3:///x", ""]
)
def test_what_is_no_object_is_refused(url: str) -> None:
    with pytest.raises(StorageError, match="s3://"):
        named_object(url)


def test_keys_of_objects_are_taken_to_the_letter() -> None:
    assert named_object("s3://faces/a//b?c#d%20.vrm") == ("faces", "a//b?c#d%20.vrm")
