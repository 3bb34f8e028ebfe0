"""A directory as store on file systems that lack what others have: hard links, room, rights, fsync of folders."""

import errno
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest

from farm import free_space, stack
from farm.errors import DiskFullError, ServiceError
from farm.storage import LocalStore
from tests.support.disks import needed_disk


@pytest.fixture(params=[errno.EPERM, errno.ENOTSUP, errno.ENOSYS, errno.EINVAL], ids=errno.errorcode.get)
def without_links(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """link(2) fails as it does on exFAT, SMB and FUSE file systems; all else is as on the disk."""

    def refuse(*_: object, **__: object) -> None:
        raise OSError(request.param, os.strerror(request.param))

    monkeypatch.setattr(os, "link", refuse)


@pytest.mark.usefixtures("without_links")
def test_only_the_first_put_new_stores_where_there_are_no_links(tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")

    assert store.put_new("new/once", b"first")
    assert not store.put_new("new/once", b"second")

    assert store.get("new/once") == b"first"
    assert [path.name for path in (tmp_path / "store").rglob("*")] == ["new", "once"]
    assert store.check()


@pytest.mark.usefixtures("without_links")
def test_of_several_put_new_at_once_exactly_one_stores_where_there_are_no_links(tmp_path: Path) -> None:
    stores = [LocalStore(tmp_path / "store") for _ in range(6)]
    start = Barrier(len(stores))
    for round_ in range(50):

        def put(number: int, round_: int = round_) -> bool:
            start.wait(60)
            return stores[number].put_new(f"race/{round_}", bytes([number]) * 1000)

        with ThreadPoolExecutor(len(stores)) as threads:
            stored = list(threads.map(put, range(len(stores))))

        assert stored.count(True) == 1
        assert stores[0].get(f"race/{round_}") == bytes([stored.index(True)]) * 1000


def test_a_link_that_fails_for_another_reason_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "link", refuse)
    with pytest.raises(ServiceError, match="Input/output"):
        LocalStore(tmp_path / "store").put_new("new/once", b"first")


def test_a_folder_that_needs_no_sync_is_none_the_worse(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync = os.fsync

    def files_alone(handle: int) -> None:
        if os.path.isdir(f"/proc/self/fd/{handle}"):  # noqa: PTH112
            raise OSError(errno.EINVAL, os.strerror(errno.EINVAL))
        sync(handle)

    monkeypatch.setattr(os, "fsync", files_alone)
    store = LocalStore(tmp_path / "store")
    store.put("a", b"a")
    assert store.put_new("b", b"b")
    assert store.list("") == ["a", "b"]


def test_a_file_system_without_rights_is_no_obstacle(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no rights here")

    monkeypatch.setattr(Path, "chmod", refuse)
    stack._make_private(tmp_path / "ours")
    assert (tmp_path / "ours").is_dir()

    # but not where somebody else has the folder
    monkeypatch.setattr(os, "getuid", lambda: 4242)
    with pytest.raises(PermissionError):
        stack._make_private(tmp_path / "ours")


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 8 MiB, with room for 100 files."""
    with needed_disk(tmp_path / "disk", 8 * 2**20, files=100) as made:
        yield made.place


def test_a_full_disk_is_named_and_what_was_there_stays(small_disk: Path) -> None:
    store = LocalStore(small_disk / "store")
    store.put("a/object", b"old")
    assert not free_space.takes_nothing(small_disk)

    for put in (store.put, store.put_new):
        with pytest.raises(DiskFullError, match=f"The disk of {small_disk}/store is full"):
            put("a/object", bytes(2**24))

    assert store.get("a/object") == b"old"
    assert store.list("") == ["a/object"]


def test_a_disk_without_names_for_files_is_full_too(small_disk: Path) -> None:
    store = LocalStore(small_disk / "store")
    for number in range(90):
        (small_disk / f"{number}").touch()
    with pytest.raises(DiskFullError), ThreadPoolExecutor(1) as thread:
        list(thread.map(lambda number: store.put(f"many/{number}", b""), range(20)))

    assert free_space.free_bytes(small_disk) > free_space.LEAST_BYTES
    assert free_space.takes_nothing(small_disk)
    assert free_space.takes_nothing(small_disk / "not" / "made")
