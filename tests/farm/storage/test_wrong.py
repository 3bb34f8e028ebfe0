"""Stores that are absent, refuse, are full, or were killed in a put."""

import resource
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr

from farm.errors import NotFoundError, ServiceError, StorageError
from farm.settings import Settings
from farm.stack import free_port
from farm.storage import LocalStore, open_store
from farm.storage.s3 import S3Store
from tests.farm.storage.access import s3_settings
from tests.support import servers


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


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_store_that_sends_elsewhere_is_not_followed(status: int) -> None:
    """Whoever answers for a bucket that models are registered from could have the farm ask anybody, inside its network."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def __getattr__(self, name: str) -> Callable[[], None]:  # `do_GET` and all others
            if name.startswith("do_"):
                return self._answer
            raise AttributeError(name)

        def _answer(self) -> None:
            asked.append(self.path)
            self.send_response(status)
            self.send_header("location", f"http://127.0.0.1:{server.server_port}/latest/meta-data")
            self.send_header("content-length", "0")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        settings = Settings(
            s3_endpoint=f"http://127.0.0.1:{server.server_port}",
            s3_access_key=SecretStr("key"),
            s3_secret_key=SecretStr("secret"),
        )
        store = S3Store("models", settings, patience=0.5)
        tries: list[Callable[[], object]] = [
            lambda: store.get("a"), lambda: store.put("a", b"x"), lambda: store.list(""), lambda: store.size("a"),
            lambda: list(store.stream("a")), lambda: store.delete("a"),
        ]  # fmt: skip
        for attempt in tries:
            with pytest.raises((ServiceError, StorageError, NotFoundError)):
                attempt()
        server.shutdown()
    assert asked
    assert not [path for path in asked if "meta-data" in path]
