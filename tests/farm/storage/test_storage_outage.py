"""The S3 store while its server is away for a time: a proxy before a real server makes it so."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from pydantic import SecretStr

from farm.errors import NotFoundError, ServiceError
from farm.settings import Settings
from farm.storage.s3 import S3Store
from tests.support import servers
from tests.support.faults import Fault, FaultyProxy

pytestmark = pytest.mark.s3
OUTAGES = [Fault.UNAVAILABLE, Fault.REFUSE]


@pytest.fixture
def proxy(s3: servers.S3Server) -> Iterator[FaultyProxy]:
    address = urlsplit(s3.endpoint)
    assert address.hostname is not None
    assert address.port is not None
    with FaultyProxy(address.hostname, address.port, seed=7) as proxy:
        yield proxy


def store_behind(proxy: FaultyProxy, patience: float, secret: str = servers.SECRET_KEY) -> S3Store:
    settings = Settings(
        s3_endpoint=proxy.endpoint, s3_access_key=SecretStr(servers.ACCESS_KEY), s3_secret_key=SecretStr(secret)
    )
    return S3Store("outage-tests", settings, patience)


@contextmanager
def outage(proxy: FaultyProxy, fault: Fault, seconds: float) -> Iterator[None]:
    """The fault begins now and ends after `seconds`, which the block must have waited for."""
    proxy.fault = fault
    healing = threading.Timer(seconds, setattr, (proxy, "fault", Fault.OK))
    begin = time.monotonic()
    healing.start()
    try:
        yield
        assert time.monotonic() - begin >= seconds, "the block did not need the server"
    finally:
        healing.cancel()
        healing.join()
        proxy.fault = Fault.OK


def test_a_healthy_proxy_changes_nothing(proxy: FaultyProxy, tmp_path: Path) -> None:
    store = store_behind(proxy, patience=0)
    source = tmp_path / "large"
    source.write_bytes(os.urandom(12 * 2**20))

    store.put_file("healthy/large", source)

    assert store.get("healthy/large") == source.read_bytes()
    assert store.list("healthy/") == ["healthy/large"]


@pytest.mark.parametrize("fault", OUTAGES)
def test_put_and_get_outlast_an_outage(proxy: FaultyProxy, fault: Fault, tmp_path: Path) -> None:
    store = store_behind(proxy, patience=10)
    store.put("outlast/there", b"there")
    source = tmp_path / "large"
    source.write_bytes(os.urandom(11 * 2**20))

    with outage(proxy, fault, 3.0):
        store.put("outlast/put", b"put")
    with outage(proxy, fault, 1.0):
        assert store.get("outlast/there") == b"there"
    with outage(proxy, fault, 1.0):
        store.put_file("outlast/file", source)

    assert store.get("outlast/put") == b"put"
    assert store.get("outlast/file") == source.read_bytes()
    assert proxy.seen[fault] > 3


@pytest.mark.parametrize("fault", OUTAGES)
def test_all_other_operations_outlast_an_outage(proxy: FaultyProxy, fault: Fault) -> None:
    store = store_behind(proxy, patience=10)
    for name in ("a/1", "b/1", "c"):
        store.put(f"others/{name}", b"12345")
    store.delete("others/new")

    with outage(proxy, fault, 0.5):
        assert store.exists("others/c")
    with outage(proxy, fault, 0.5):
        assert not store.exists("others/none")
    with outage(proxy, fault, 0.5):
        assert store.list("others/") == ["others/a/1", "others/b/1", "others/c"]
    with outage(proxy, fault, 0.5):
        assert store.folders("others/") == ["a", "b"]
    with outage(proxy, fault, 0.5):
        assert store.put_new("others/new", b"new")
    with outage(proxy, fault, 0.5):
        assert not store.put_new("others/new", b"newer")
    with outage(proxy, fault, 0.5):
        assert store.delete_all("others/") == 4


@pytest.mark.parametrize("fault", OUTAGES)
def test_when_patience_is_over_the_error_says_what_to_look_at(proxy: FaultyProxy, fault: Fault) -> None:
    store = store_behind(proxy, patience=1)
    store.put("over", b"")
    proxy.fault = fault

    begin = time.monotonic()
    with pytest.raises(ServiceError, match="FARM_S3_ENDPOINT"):
        store.put("over", b"new")
    assert 1.0 <= time.monotonic() - begin < 30.0  # by its own patience a client would go on for minutes
    with pytest.raises(ServiceError, match=proxy.endpoint):
        store.get("over")


def test_a_refusal_is_final_at_once(proxy: FaultyProxy) -> None:
    store_behind(proxy, patience=10).put("refused", b"")
    begin = time.monotonic()

    with pytest.raises(ServiceError, match="SignatureDoesNotMatch"):
        store_behind(proxy, patience=600, secret="wrong").get("refused")
    with pytest.raises(NotFoundError):
        store_behind(proxy, patience=600).get("nothing")
    assert time.monotonic() - begin < 60  # it did not wait for the answer to change


def test_a_download_that_is_cut_again_and_again_goes_on_where_it_stopped(proxy: FaultyProxy) -> None:
    # GIVEN an object of 3 MiB, and connections that carry from 1 kB to 400 kB each
    store = store_behind(proxy, patience=10)
    data = os.urandom(3 * 2**20)
    store.put("cut/down", data)
    proxy.fault, proxy.cut_bytes = Fault.CUT, (1_000, 400_000)

    # WHEN it is read, whole and in part
    whole = b"".join(store.stream("cut/down"))
    part = b"".join(store.stream("cut/down", 1_000_001, 1_500_000))

    # THEN every byte is there once
    assert whole == data
    assert part == data[1_000_001:2_500_001]
    assert proxy.seen[Fault.CUT] > 8


def test_an_outage_in_the_middle_of_a_download_is_outlasted(proxy: FaultyProxy) -> None:
    store = store_behind(proxy, patience=10)
    data = os.urandom(8 * 2**20)
    store.put("middle", data)

    pieces = store.stream("middle")
    read = next(pieces)
    with outage(proxy, Fault.REFUSE, 2.0):
        read += b"".join(pieces)

    assert read == data


def test_a_download_without_an_end_to_the_outage_fails_in_time(proxy: FaultyProxy) -> None:
    store = store_behind(proxy, patience=1)
    store.put("hopeless", os.urandom(8 * 2**20))

    pieces = store.stream("hopeless")
    next(pieces)
    proxy.fault = Fault.REFUSE
    begin = time.monotonic()
    with pytest.raises(ServiceError, match="does not answer"):
        list(pieces)
    assert time.monotonic() - begin < 30.0


def test_a_resumed_download_does_not_mix_two_versions(proxy: FaultyProxy) -> None:
    # GIVEN a download in its middle
    store = store_behind(proxy, patience=10)
    store.put("versions", bytes(8 * 2**20))
    pieces = store.stream("versions")
    next(pieces)

    # WHEN the object is replaced and the connection breaks
    store.put("versions", b"\1" * 8 * 2**20)
    proxy.fault = Fault.REFUSE
    time.sleep(0.2)
    proxy.fault = Fault.OK

    # THEN it is said, and reading again gives the new version
    with pytest.raises(ServiceError, match="replaced while it was read"):
        list(pieces)
    assert store.get("versions") == b"\1" * 8 * 2**20


def test_uploads_that_are_cut_are_sent_again_until_they_are_whole(proxy: FaultyProxy, tmp_path: Path) -> None:
    # GIVEN connections of which about half carry enough for a part of a large file
    store = store_behind(proxy, patience=30)
    store.put("cut/first", b"")
    source = tmp_path / "large"
    source.write_bytes(os.urandom(11 * 2**20))
    proxy.fault, proxy.cut_bytes = Fault.CUT, (2**20, 40 * 2**20)

    # WHEN files go up
    for number in range(6):
        store.put_file(f"cut/{number}", source)

    # THEN all are whole
    proxy.fault = Fault.OK
    for number in range(6):
        assert store.get(f"cut/{number}") == source.read_bytes()
    assert proxy.seen[Fault.CUT] > 0


def test_a_put_new_whose_answer_is_lost_knows_its_own_object(proxy: FaultyProxy) -> None:
    store = store_behind(proxy, patience=10)
    store.put("lost-answer/of-another", b"another")
    store.delete("lost-answer/own")

    with outage(proxy, Fault.LOSE_ANSWER, 0.5):
        assert store.put_new("lost-answer/own", b"own")
    with outage(proxy, Fault.LOSE_ANSWER, 0.5):
        assert not store.put_new("lost-answer/of-another", b"own")

    assert store.get("lost-answer/own") == b"own"
    assert store.get("lost-answer/of-another") == b"another"
    assert proxy.seen[Fault.LOSE_ANSWER] > 2


def test_writes_whose_answers_are_lost_are_done_once_as_seen_from_outside(proxy: FaultyProxy, tmp_path: Path) -> None:
    store = store_behind(proxy, patience=10)
    store.put("lost/first", b"1")
    source = tmp_path / "large"
    source.write_bytes(os.urandom(11 * 2**20))

    with outage(proxy, Fault.LOSE_ANSWER, 0.5):
        store.put("lost/put", b"put")
    with outage(proxy, Fault.LOSE_ANSWER, 0.5):
        store.put_file("lost/file", source)
    with outage(proxy, Fault.LOSE_ANSWER, 0.5):
        store.delete("lost/first")

    assert store.list("lost/") == ["lost/file", "lost/put"]
    assert store.get("lost/file") == source.read_bytes()
