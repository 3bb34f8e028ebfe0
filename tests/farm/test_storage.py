"""Both object stores behave alike: a directory, and a real S3 server."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic import SecretStr

from farm.errors import NotFoundError, ServiceError, StorageError
from farm.settings import Settings
from farm.stack import free_port
from farm.storage import LocalStore, ObjectStore, S3Store, open_store
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


def test_the_check_names_the_store(store: ObjectStore) -> None:
    assert store.check()
    assert not store.exists("check/probe")


@pytest.mark.s3
def test_a_wrong_secret_is_refused_with_a_sentence(s3: servers.S3Server) -> None:
    with pytest.raises(ServiceError, match="SignatureDoesNotMatch"):
        S3Store("storage-tests", s3_settings(s3, "wrong")).put("key", b"")


def test_an_absent_server_is_a_service_error_that_names_it() -> None:
    endpoint = f"http://127.0.0.1:{free_port()}"

    with pytest.raises(ServiceError, match=endpoint):
        S3Store(
            "bucket", Settings(s3_endpoint=endpoint, s3_access_key=SecretStr("a"), s3_secret_key=SecretStr("b"))
        ).get("x")


@pytest.mark.parametrize("key", ["../outside", "/etc/passwd", "a/../../b"])
def test_no_key_leaves_the_directory(tmp_path: Path, key: str) -> None:
    store = LocalStore(tmp_path / "store")

    with pytest.raises(StorageError, match="no object key"):
        store.put(key, b"")
    assert [path.name for path in tmp_path.iterdir()] == ["store"]


@pytest.mark.parametrize("url", ["", "ftp://x", "file://", "s3://", "/plain/path"])
def test_an_unknown_url_is_refused_with_what_to_set(url: str) -> None:
    with pytest.raises(StorageError, match="FARM_STORAGE_URL"):
        open_store(Settings(storage_url=url))
