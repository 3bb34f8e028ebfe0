"""A worker whose temporary folder is on a full disk: it waits for room, and no process of it dies in the middle of a job."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.process import spawn
from farm.stack import free_port
from farm.worker import exposition
from tests.support.disks import Disk, needed_disk
from tests.support.servers import PATIENCE_SECONDS, asked, end, wait_until

COUNTING = """
import os, sys
from farm.worker import exposition
exposition.keep()
child = os.fork()
if child:
    sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
from farm import metrics
exposition.reserve()
print("begun", flush=True)
sys.stdin.readline()
for metric in metrics.ALL:
    if metrics.ShownBy.WORKER in metric.roles and not isinstance(metric, metrics.Measured):
        for number in range(20):
            metric.sink(tuple(f"value-{number}-of-{label.name}" for label in metric.labels), 1.0)
"""


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Disk]:
    with needed_disk(tmp_path / "disk", 8 * 2**20) as made:
        yield made


def test_what_is_counted_while_the_disk_is_full_ends_no_process(small: Disk) -> None:
    """GIVEN a process of a pool that has counted nothing yet WHEN the disk fills THEN it may count what it likes."""
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(small.place)}
    process = subprocess.Popen(
        [sys.executable, "-c", COUNTING], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "begun\n"

    small.fill()
    process.communicate("\n", timeout=PATIENCE_SECONDS)

    assert process.returncode == 0


def test_a_process_that_finds_no_room_leaves_nothing_that_would_spoil_the_numbers_of_the_others(
    small: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(small.place))
    small.fill()
    with pytest.raises(OSError, match="No space"):
        exposition.reserve()

    assert list(exposition.Processes(small.place).collect()) == []


@pytest.mark.parametrize("full_by_then", [True, False])
def test_a_worker_whose_disk_is_full_when_it_starts_waits_says_so_once_and_starts(
    small: Disk, redis_url: str, tmp_path: Path, full_by_then: bool
) -> None:
    environment = {
        "FARM_REDIS_URL": redis_url,
        "FARM_STORAGE_URL": f"file://{tmp_path}/store",
        "FARM_WORKER_NAME": "w",
        "TMPDIR": str(small.place),
    }
    if full_by_then:
        small.fill()
    log, port = tmp_path / "log", free_port()
    command = [sys.executable, "-P", "-m", "farm", "worker", "--metrics-port", str(port)]
    process = spawn(command, log, environment)
    try:
        if not full_by_then:  # but before it has begun to work
            wait_until(lambda: any(small.place.iterdir()), "its folder")
            small.fill()
        wait_until(lambda: "The worker waits" in log.read_text(), "the sentence")
        assert f"The disk of {small.place} is full." in log.read_text()
        assert process.poll() is None

        small.size = 2**28
        small.free()

        wait_until(lambda: asked(f"http://127.0.0.1:{port}/metrics") is not None, "the worker being there")
        said = log.read_text()
        assert said.count("The worker waits") == said.count("There is room again") == 1
        assert "Traceback" not in said
    finally:
        end(process, signal.SIGTERM)
