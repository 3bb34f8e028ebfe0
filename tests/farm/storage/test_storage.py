"""Both object stores behave alike: a directory, and a real S3 server."""

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import httpx
import pytest
from pydantic import SecretStr

from farm.errors import NotFoundError, ServiceError, StorageError
from farm.settings import Settings
from farm.stack import free_port
from farm.storage import LocalStore, ObjectStore, open_store
from farm.storage.s3 import S3Store
from tests.support import servers


def s3_settings(server: servers.S3Server, secret: str = servers.SECRET_KEY) -> Settings:
    return Settings(
        s3_endpoint=server.endpoint, s3_access_key=SecretStr(servers.ACCESS_KEY), s3_secret_key=SecretStr(secret)
    )


@pytest.fixture(params=["directory", pytest.param("s3", marks=pytest.mark.s3)])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[ObjectStore]:
    if request.param == "directory":
        yield LocalStore(tmp_path / "store")
    else:
        yield S3Store("storage-tests", s3_settings(request.getfixturevalue("s3")))


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


def test_the_check_names_the_store_and_leaves_nothing(store: ObjectStore) -> None:
    assert store.check()
    assert store.list("check/") == []


def test_probes_of_other_checks_are_in_no_listing(store: ObjectStore) -> None:
    store.put("check/of-another", b"probe")

    assert "check/of-another" not in store.list("")
    assert store.list("check/") == ["check/of-another"]
    assert store.delete_all("check/") == 1


@pytest.mark.s3
def test_a_bucket_that_is_not_there_is_an_empty_store_until_the_first_put(s3: servers.S3Server, tmp_path: Path) -> None:
    settings = s3_settings(s3)
    reader = S3Store("not-there", settings)

    assert (reader.list(""), reader.folders("a/"), reader.exists("a")) == ([], [], False)
    assert reader.delete_all("a/") == 0
    reader.delete("a")
    with pytest.raises(NotFoundError):
        reader.get("a")

    (tmp_path / "file").write_bytes(bytes(4 * 2**20))
    S3Store("made-by-put", settings).put("a", bytes(4 * 2**20))
    S3Store("made-by-put-file", settings).put_file("a", tmp_path / "file")
    assert S3Store("made-by-put-new", settings).put_new("a", b"")
    signed = S3Store("made-by-presigning", settings).presigned_put("a", 60, 1)
    assert signed is not None
    assert httpx.put(signed.url, content=b"1", headers=signed.headers, trust_env=False).status_code == 200
    for bucket in ("made-by-put", "made-by-put-file", "made-by-put-new", "made-by-presigning"):
        assert S3Store(bucket, settings).list("") == ["a"]


@pytest.mark.s3
def test_a_wrong_secret_is_refused_with_a_sentence(s3: servers.S3Server) -> None:
    with pytest.raises(ServiceError, match="SignatureDoesNotMatch"):
        S3Store("storage-tests", s3_settings(s3, "wrong")).put("key", b"")


def test_an_absent_server_is_a_service_error_that_names_it() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(ServiceError, match=endpoint):
        S3Store(
            "bucket",
            Settings(s3_endpoint=endpoint, s3_access_key=SecretStr("a"), s3_secret_key=SecretStr("b")),
            patience=0.5,
        ).get("x")


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "a/../../b", "", ".", "a//b", "a/", "a\0", "a/.put-b"])
def test_what_is_no_key_is_refused_by_every_method(store: ObjectStore, key: str) -> None:
    for method in (
        lambda: store.put(key, b""),
        lambda: store.put_file(key, Path(__file__)),
        lambda: store.put_new(key, b""),
        lambda: store.get(key),
        lambda: store.size(key),
        lambda: store.exists(key),
        lambda: store.delete(key),
        lambda: store.presigned_put(key, 60, 1),
    ):
        with pytest.raises(StorageError, match="no object key"):
            method()


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


_KILLED_IN_A_PUT = """
import io, os, signal, sys
from pathlib import Path
from farm.storage import LocalStore

class Killer(io.RawIOBase):
    def readable(self): return True
    def readinto(self, buffer):
        if self.tell_once: os.kill(os.getpid(), signal.SIGKILL)
        self.tell_once = True
        buffer[:5] = b"parts"
        return 5
    tell_once = False

class Source:
    def open(self, mode): return Killer()

LocalStore(Path(sys.argv[1])).put_file("results/one/shard.tar", Source())
"""


def test_what_a_killed_put_leaves_is_seen_by_nobody_and_goes_with_its_folder(tmp_path: Path) -> None:
    # GIVEN an object, and a process that is killed while it puts another in its place
    store = LocalStore(tmp_path / "store")
    store.put("results/one/shard.tar", b"old")
    killed = subprocess.run(
        [sys.executable, "-c", _KILLED_IN_A_PUT, str(tmp_path / "store")], timeout=servers.PATIENCE_SECONDS
    )
    assert killed.returncode == -signal.SIGKILL
    left = [path.name for path in (tmp_path / "store").rglob(".put-*")]
    assert len(left) == 1

    # THEN the old object is whole, and the rest is not to be seen
    assert store.get("results/one/shard.tar") == b"old"
    assert store.list("") == ["results/one/shard.tar"]
    with pytest.raises(StorageError):
        store.get(f"results/one/{left[0]}")

    # WHEN the object is deleted, nothing is left that counts, and deleting the folder takes the rest away
    store.delete("results/one/shard.tar")
    assert store.folders("results/") == []
    assert store.delete_all("results/") == 0
    assert list((tmp_path / "store").iterdir()) == []


def test_a_full_disk_is_a_service_error_and_the_old_object_stays(tmp_path: Path) -> None:
    # GIVEN an object, and no more room than 1 MiB in any file (the kernel refuses to write on, as on a full disk)
    store = LocalStore(tmp_path / "store")
    store.put("a/object", b"old")
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, limit[1]))

    # WHEN more is put THEN it is refused with a sentence
    try:
        for put in (store.put, store.put_new):
            with pytest.raises(ServiceError, match="Free space"):
                put("a/object", bytes(2**21))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)

    # AND only the old object is there
    assert store.get("a/object") == b"old"
    assert [path.name for path in (tmp_path / "store" / "a").iterdir()] == ["object"]


@pytest.mark.parametrize("url", ["", "ftp://x", "file://", "s3://", "/plain/path"])
def test_an_unknown_url_is_refused_with_what_to_set(url: str) -> None:
    with pytest.raises(StorageError, match="FARM_STORAGE_URL"):
        open_store(Settings(storage_url=url))
