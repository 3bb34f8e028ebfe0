"""One behaviour of both stores: objects are put, read in ranges, put once, deleted."""

import os
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import pytest

from farm.errors import NotFoundError, StorageError
from farm.storage import LocalStore, ObjectStore


def test_what_is_put_comes_back(store: ObjectStore) -> None:
    store.put("a/b/c.bin", b"\0\1\2" * 1000)

    assert store.get("a/b/c.bin") == b"\0\1\2" * 1000
    assert store.exists("a/b/c.bin")


def test_a_second_put_replaces_the_first(store: ObjectStore) -> None:
    store.put("twice", b"first")
    store.put("twice", b"second")

    assert store.get("twice") == b"second"


def test_a_large_file_goes_up_and_comes_down_in_pieces(store: ObjectStore, tmp_path: Path) -> None:
    source = tmp_path / "large"
    source.write_bytes(os.urandom(12 * 2**20))

    store.put_file("large.tar", source)

    pieces = list(store.stream("large.tar"))
    assert b"".join(pieces) == source.read_bytes()
    assert len(pieces) > 1


def test_an_absent_object_is_not_found(store: ObjectStore) -> None:
    store.put("something", b"")

    assert not store.exists("nothing")
    with pytest.raises(NotFoundError, match="nothing"):
        store.get("nothing")
    assert store.get("something") == b""


@pytest.mark.parametrize(
    ("start", "length"), [(0, None), (0, 10), (7, None), (7, 10), (7, 0), (90, 50), (99, 1), (100, None), (5000, 3)]
)
def test_a_range_is_the_slice_of_the_object(store: ObjectStore, start: int, length: int | None) -> None:
    data = bytes(range(100))
    store.put("ranged", data)

    assert b"".join(store.stream("ranged", start, length)) == data[start:][:length]


def test_a_range_in_a_large_object_is_exact(store: ObjectStore) -> None:
    data = os.urandom(3 * 2**20)
    store.put("large-range", data)

    assert b"".join(store.stream("large-range", 12345, 2**21)) == data[12345:][: 2**21]


@pytest.mark.parametrize(("start", "length"), [(-1, None), (0, -1)])
def test_a_negative_range_is_refused(store: ObjectStore, start: int, length: int | None) -> None:
    with pytest.raises(StorageError, match="from byte"):
        store.stream("any", start, length)


@pytest.mark.parametrize("length", [None, 0, 5])
def test_a_range_of_an_absent_object_is_not_found_before_the_first_piece(
    store: ObjectStore, length: int | None
) -> None:
    with pytest.raises(NotFoundError, match="nothing"):
        store.stream("nothing", 3, length)


def test_an_object_has_a_size_and_a_folder_has_none(store: ObjectStore) -> None:
    store.put("sized/object", b"12345")
    store.put("sized/empty", b"")

    assert (store.size("sized/object"), store.size("sized/empty")) == (5, 0)
    for key in ("sized", "sized/none", "sized/object/below"):
        assert not store.exists(key)
        with pytest.raises(NotFoundError, match=key):
            store.size(key)
        with pytest.raises(NotFoundError, match=key):
            store.get(key)


def test_of_many_objects_those_that_are_there_have_sizes(store: ObjectStore) -> None:
    there = {f"asked/{number}": number for number in range(40)}
    for key, size in there.items():
        store.put(key, bytes(size))

    assert store.sizes([*there, "asked", "asked/none", "asked/3/below"]) == there
    assert store.sizes([]) == {}


def test_what_is_deleted_is_gone_and_deleting_again_is_no_error(store: ObjectStore) -> None:
    store.put("deleted/one", b"1")

    store.delete("deleted/one")
    store.delete("deleted/one")
    store.delete("deleted/one/below")

    assert not store.exists("deleted/one")
    assert store.list("deleted/") == []
    assert "deleted" not in store.list("")


def test_a_whole_folder_is_deleted_and_its_neighbours_stay(store: ObjectStore) -> None:
    for key in ("whole/a", "whole/b/c", "whole/b/d/e", "whole-2/a", "whole.txt"):
        store.put(key, b"")

    assert store.delete_all("whole/") == 3
    assert store.delete_all("whole/") == 0
    assert store.list("whole") == ["whole-2/a", "whole.txt"]


@pytest.mark.parametrize("prefix", ["", "whole", "/", "../", "a/../../"])
def test_only_a_folder_is_deleted_as_a_whole(store: ObjectStore, prefix: str) -> None:
    with pytest.raises(StorageError):
        store.delete_all(prefix)


def test_deleting_and_putting_in_one_folder_do_not_hurt_each_other(store: ObjectStore) -> None:
    def put_and_delete(name: str) -> None:
        for _ in range(20):
            store.put(f"busy/folder/{name}", name.encode())
            assert store.get(f"busy/folder/{name}") == name.encode()
            store.delete(f"busy/folder/{name}")

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(put_and_delete, "abcd"))

    assert store.list("busy/") == []


def test_only_the_first_put_new_stores(store: ObjectStore) -> None:
    store.delete("new/once")

    assert store.put_new("new/once", b"first")
    assert not store.put_new("new/once", b"second")
    assert store.get("new/once") == b"first"
    assert store.list("new/") == ["new/once"]


def test_of_several_put_new_at_once_exactly_one_stores(store: ObjectStore) -> None:
    start = Barrier(4)
    for round_ in range(10):
        key = f"race/{round_}"
        store.delete(key)

        def put(name: bytes, key: str = key) -> bool:
            start.wait(10)
            return store.put_new(key, name * 1000)

        with ThreadPoolExecutor(4) as threads:
            stored = list(threads.map(put, [b"0", b"1", b"2", b"3"]))

        assert stored.count(True) == 1
        assert store.get(key) == str(stored.index(True)).encode() * 1000


def test_a_client_without_keys_puts_through_a_presigned_url(store: ObjectStore) -> None:
    signed = store.presigned_put("uploads/狐 b+c.zip", 60, 4)

    if isinstance(store, LocalStore):
        assert signed is None
        return
    assert signed is not None
    url, headers = signed.url, signed.headers
    with httpx.Client(trust_env=False) as client:

        def put(address: str, content: bytes, **changed: str) -> int:
            return client.put(address, content=content, headers=headers | changed).status_code

        assert client.put(url, content=b"sent").status_code == 403, "without what was signed"
        assert put(url, b"longer", **{"Content-Length": "6"}) == 403
        assert put(url, b"one", **{"Content-Length": "3"}) == 403
        assert put(url, b"sent", **{"If-None-Match": '"x"'}) == 403
        assert put(url.replace("/uploads/", "/others/"), b"none") == 403
        assert put(url.replace("X-Amz-Expires=60", "X-Amz-Expires=600"), b"none") == 403
        assert put(url, b"sent") == 200
        assert put(url, b"more") == 412, "once"
    assert store.get("uploads/狐 b+c.zip") == b"sent"
    with pytest.raises(StorageError, match="604800"):
        store.presigned_put("uploads/a b.zip", 10**6, 4)


def test_a_presigned_url_is_good_for_one_put_of_its_length_and_for_nothing_else(store: ObjectStore) -> None:
    if isinstance(store, LocalStore):
        assert store.presigned_put("uploads/once.zip", 60, 4) is None
        return
    signed, brief = store.presigned_put("uploads/once.zip", 60, 4), store.presigned_put("uploads/brief.zip", 1, 4)
    assert signed is not None
    assert brief is not None
    with httpx.Client(trust_env=False) as client:
        without = {name: value for name, value in signed.headers.items() if name != "Content-Length"}
        assert client.put(signed.url, content=iter([b"endless"]), headers=without).status_code >= 400, "of no length"
        assert client.put(signed.url, content=b"", headers=without).status_code == 403
        for method in ("GET", "HEAD", "DELETE", "POST"):
            assert client.request(method, signed.url, headers=without).status_code >= 400, method
        assert client.put(f"{signed.url}&partNumber=1&uploadId=x", content=b"sent", headers=signed.headers).is_error
        assert client.put(signed.url.replace("%3B", "%3b%3b"), content=b"sent", headers=signed.headers).is_error
        assert not store.exists("uploads/once.zip")

        def put(body: bytes) -> int:
            return httpx.put(signed.url, content=body, headers=signed.headers, trust_env=False).status_code

        bodies = [bytes([65 + number]) * 4 for number in range(8)]
        with ThreadPoolExecutor(8) as threads:  # at once: one is taken, and stays
            answers = list(threads.map(put, bodies))
        assert answers.count(200) == 1
        assert set(answers) <= {200, 409, 412}
        assert store.get("uploads/once.zip") == bodies[answers.index(200)]
        time.sleep(2.5)
        assert client.put(brief.url, content=b"late", headers=brief.headers).status_code == 403
        assert not store.exists("uploads/brief.zip")


def test_the_check_names_the_store_and_leaves_nothing(store: ObjectStore) -> None:
    assert store.check()
    assert store.list("check/") == []


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "a/../../b", "", ".", "a//b", "a/", "a\0", "a/.put-b"])
def test_what_is_no_key_is_refused_by_every_method(store: ObjectStore, key: str) -> None:
    for method in (
        lambda: store.put(key, b""),
        lambda: store.put_file(key, Path(__file__)),
        lambda: store.put_new(key, b""),
        lambda: store.get(key),
        lambda: store.size(key),
        lambda: store.sizes(["a", key]),
        lambda: store.exists(key),
        lambda: store.delete(key),
        lambda: store.presigned_put(key, 60, 1),
    ):
        with pytest.raises(StorageError, match="no object key"):
            method()
