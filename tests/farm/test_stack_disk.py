"""The embedded farm whose disk is full, whose Valkey cannot read its file, and whose folder has any name."""

import errno
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from farm.client import FarmClient, ModelRef
from farm.errors import DiskFullError, ServiceError
from farm.process import signal_group, spawn
from farm.spec import RenderSpec
from farm.stack import EmbeddedStack, free_port
from tests.farm.test_stack import answers, home, kept, process_of  # noqa: F401
from tests.support.disks import needed_disk
from tests.support.servers import PATIENCE_SECONDS, asked, wait_until

pytestmark = pytest.mark.blender


def fill(place: Path) -> Path:
    """Leave nothing free on the disk of `place`; the file that fills it."""
    filler = place / "filler"
    with filler.open("ab", buffering=0) as sink:
        try:
            while True:
                sink.write(bytes(2**16))
        except OSError as error:
            assert error.errno == errno.ENOSPC
    return filler


@contextmanager
def farm_up(home: Path, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:  # noqa: F811
    port = free_port()
    command = [sys.executable, "-m", "farm", "up", "--home", str(home), "--port", str(port), "--workers", "1"]
    process = spawn(command, log, {"XDG_STATE_HOME": str(log.parent / "state")})
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        signal_group(process, signal.SIGTERM)
        process.wait(PATIENCE_SECONDS)


def is_up(url: str) -> bool:
    answer = asked(f"{url}/readyz")
    return answer is not None and answer[0] == 200


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def test_a_farm_on_a_full_disk_waits_says_so_once_and_goes_on_when_there_is_room(tmp_path: Path) -> None:
    with needed_disk(tmp_path / "disk", 64 * 2**20) as made:
        place, filler, log = made.place, fill(made.place), tmp_path / "log"
        with farm_up(place / "home", log) as (process, url):
            # WHEN it is started there THEN it waits, and says for what
            wait_until(lambda: b"is full" in log.read_bytes(), "the sentence")
            assert f"The disk of {place / 'home'} is full." in re.sub(r"\s+", " ", log.read_text())

            # AND starts when there is room
            filler.unlink()
            wait_until(lambda: is_up(url), "the farm being up")

            # WHEN the disk fills and its processes end, more often than a healthy farm's may THEN it waits again
            fill(place)
            for _ in range(3):
                for child in children_of(process.pid):
                    signal_group_of(child)
            wait_until(lambda: log.read_bytes().count(b"is full") == 2, "the second sentence")
            assert process.poll() is None

            # AND goes on
            filler.unlink()
            wait_until(lambda: is_up(url), "the farm being up again")
        said = log.read_text()
        assert "Traceback" not in said
        assert said.count("The farm waits") == 2
        assert said.count("There is room again") == 2


def signal_group_of(pid: int) -> None:
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:
        pass


def test_a_farm_for_the_purpose_says_that_the_disk_is_full(tmp_path: Path) -> None:
    with needed_disk(tmp_path / "disk", 8 * 2**20) as made:
        place = made.place
        fill(place)

        with pytest.raises(DiskFullError, match=f"The disk of {place}/home is full"), EmbeddedStack(place / "home", 1):
            pass


def submitted(stack: EmbeddedStack) -> str:
    with FarmClient(stack.api_url) as client:
        model = next(client.models())
        return client.submit([ModelRef(model, "momo")], RenderSpec(samples=1, size=32), paused=True, name="night").id


def names_of(stack: EmbeddedStack) -> list[str]:
    with FarmClient(stack.api_url) as client:
        return [batch.name for batch in client.batches()]


def damage(home: Path) -> list[bytes]:  # noqa: F811
    """Make the append-only file one that Valkey cannot read; what its files hold then."""
    (file,) = (home / "valkey" / "appendonlydir").glob("*.incr.aof")
    data = file.read_bytes()
    file.write_bytes(data[:100] + b"\xff" * 200 + data[300:])
    return sorted(path.read_bytes() for path in (home / "valkey" / "appendonlydir").iterdir())


def test_a_damaged_file_is_put_aside_and_everything_is_made_again_from_the_store(home: Path) -> None:  # noqa: F811
    with kept(home) as stack:
        batch = submitted(stack)
    held = damage(home)

    with kept(home) as stack:
        (aside,) = stack.put_aside
        assert names_of(stack) == ["night"]
        with FarmClient(stack.api_url) as client:
            assert client.batch(batch).paused
    assert sorted(path.read_bytes() for path in aside.iterdir()) == held

    # WHEN it happens again THEN the first is kept as well
    damage(home)
    with kept(home) as stack:
        assert stack.put_aside[0] != aside
        assert names_of(stack) == ["night"]
    assert sorted(path.read_bytes() for path in aside.iterdir()) == held


def test_a_lost_file_is_no_end_either(home: Path) -> None:  # noqa: F811
    with kept(home) as stack:
        submitted(stack)
    folder = home / "valkey" / "appendonlydir"
    for lost in ("*.manifest", "*.base.rdb"):
        (file,) = folder.glob(lost)
        file.unlink()
        with kept(home) as stack:
            assert names_of(stack) == ["night"]

    shutil.rmtree(folder)
    folder.write_text("no folder at all")
    with kept(home) as stack:
        assert names_of(stack) == ["night"]


def test_valkey_that_dies_with_its_files_gone_comes_back_with_the_batches(home: Path) -> None:  # noqa: F811
    with kept(home) as stack:
        submitted(stack)
        for path in (home / "valkey" / "appendonlydir").iterdir():
            path.unlink()
        (home / "valkey" / "valkey.conf").unlink()

        os.kill(stack.pid("valkey"), signal.SIGKILL)
        wait_until(lambda: "valkey" in stack.mend(), "Valkey being missed")

        wait_until(lambda: answers(stack), "the API answering")
        assert names_of(stack) == ["night"]


def test_a_file_that_is_not_at_fault_stays_where_it_is(home: Path) -> None:  # noqa: F811
    with kept(home) as stack:
        submitted(stack)
    held = sorted((home / "valkey" / "appendonlydir").iterdir())

    stack = kept(home)
    with socket.socket() as other:
        other.bind(("127.0.0.1", stack._redis_port))
        other.listen()
        with pytest.raises(ServiceError, match="embedded valkey ended"), stack:
            pass

    assert sorted((home / "valkey" / "appendonlydir").iterdir()) == held
    assert [path.name for path in (home / "valkey").glob("appendonlydir*")] == ["appendonlydir"]


def test_a_farm_lives_in_folders_of_any_name(mascots: dict[str, Path], tmp_path: Path) -> None:
    place = tmp_path / "project #3" / 'a "b" \\c' / "100%25 狐?x=1" / "line\nbreak [two]*" / "home"
    place.parent.mkdir(parents=True)
    before = set(tmp_path.iterdir())

    with kept(place) as stack, FarmClient(stack.api_url) as client:
        uploaded, refused = client.upload(mascots["momo"])
        assert not refused
        batch = client.submit([ModelRef(uploaded[0].id, "momo")], RenderSpec(samples=1, size=32), paused=True)

    # THEN everything is in it, where a farm that starts again finds it
    assert json.loads((place / "store" / "batches" / batch.id / "order.json").read_bytes())["id"] == batch.id
    assert set(tmp_path.iterdir()) == before
    for file in (place / "valkey" / "appendonlydir").iterdir():
        file.unlink()
    with kept(place) as stack, FarmClient(stack.api_url) as client:
        assert client.batch(batch.id).paused
