"""One behaviour of both stores: keys and folders are listed in order, page by page."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from farm.errors import StorageError
from farm.storage import LocalStore, ObjectStore

KEYS = ["l/0", "l/a!/x", "l/a", "l/a/x", "l/a/y/z", "l/a0", "l/ab/x y+z%", "l/b/日本語.pmx", "l/b/\N{DANCER}"]


def fill(store: ObjectStore) -> list[str]:
    keys = [key for key in KEYS if key != "l/a"]  # a bucket, but no directory, holds an object and a folder of one name
    for key in keys:
        store.put(key, b"")
    return sorted(keys)


def test_keys_are_listed_in_order_at_any_depth(store: ObjectStore) -> None:
    keys = fill(store)

    assert store.list("l/") == keys
    for prefix in ("l/a", "l/a/", "l/b/日", "l/none", "none/"):
        assert store.list(prefix) == [key for key in keys if key.startswith(prefix)]


@pytest.mark.parametrize("limit", [1, 2, 3, 100])
def test_pages_of_a_listing_join_to_the_whole(store: ObjectStore, limit: int) -> None:
    keys = fill(store)

    listed: list[str] = []
    while page := store.list("l/", listed[-1] if listed else "", limit):
        assert len(page) <= limit
        listed += page

    assert listed == keys


def test_a_cursor_need_not_be_a_key_that_is_still_there(store: ObjectStore) -> None:
    keys = fill(store)

    for after in ("l/a", "l/a/", "l/a/m", "l/aa", "m", "a", "l/a/y/zz"):
        assert store.list("l/", after) == [key for key in keys if key > after]


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_pages_of_folders_join_to_the_whole(store: ObjectStore, limit: int) -> None:
    fill(store)

    listed: list[str] = []
    while page := store.folders("l/", listed[-1] if listed else "", limit):
        listed += page

    assert listed == ["a!", "a", "ab", "b"]  # in the order of "a!/" and "a/"
    assert store.folders("l/none/") == []
    with pytest.raises(StorageError, match="slash"):
        store.folders("l")


def test_more_than_a_thousand_keys_are_listed_page_by_page(store: ObjectStore) -> None:
    keys = [f"many/{number:04}/{part}" for number in range(550) for part in ("a", "b")]
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda key: store.put(key, b""), keys))

    assert store.list("many/", limit=2000) == keys
    assert store.list("many/") == keys[:1000]
    assert store.list("many/", keys[999]) == keys[1000:]
    assert store.folders("many/", "0009", 500) == [f"{number:04}" for number in range(10, 510)]
    assert store.folders("many/", "0540") == [f"{number:04}" for number in range(541, 550)]


def test_probes_of_other_checks_are_in_no_listing(store: ObjectStore) -> None:
    store.put("check/of-another", b"probe")

    assert "check/of-another" not in store.list("")
    assert store.list("check/") == ["check/of-another"]
    assert store.delete_all("check/") == 1


@pytest.mark.parametrize("prefix", ["../", "/etc/", "a/../../"])
def test_no_listing_leaves_the_directory(store: ObjectStore, prefix: str) -> None:
    for method in (store.list, store.folders):
        with pytest.raises(StorageError, match="no object key"):
            method(prefix)


def test_a_folder_without_objects_is_none(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    (tmp_path / "batches" / "empty" / "deep").mkdir(parents=True)
    store.put("batches/full/record.json", b"{}")

    assert store.folders("batches/") == ["full"]
