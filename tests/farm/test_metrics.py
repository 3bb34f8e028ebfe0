"""What is counted, by how many series, and what becomes of it in a worker's many processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from farm import metrics
from farm.errors import DiskFullError, FarmError, ServiceError
from farm.exposition import Disks, kept
from farm.storage import LocalStore
from farm.worker.exposition import Processes
from farm.worker.gpu import Gpus
from tests.support import servers

TELLING = {
    "job", "batch", "model", "user", "owner", "worker", "pod", "host", "instance", "namespace", "path", "url", "id", "pid",
}  # fmt: skip
"""Labels that would grow without end, or that Prometheus sets itself."""


@pytest.fixture
def shown() -> Iterator[CollectorRegistry]:
    yield kept(metrics.ShownBy.WORKER)
    for metric in metrics.ALL:
        metric.sink = None


def values(text: bytes) -> dict[str, dict[tuple[str, ...], float]]:
    """Numbers by series and values of labels, in the order of the labels' names."""
    found: dict[str, dict[tuple[str, ...], float]] = {}
    for family in text_string_to_metric_families(text.decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(value for _, value in sorted(sample.labels.items()))] = sample.value
    return found


def test_no_label_names_what_grows_without_end_and_each_is_bounded() -> None:
    for metric in metrics.ALL:
        for given in metric.labels:
            assert given.name not in TELLING, metric.name
            label = metrics.Label(given.name, *given.known, most=given.most)
            for number in range(300):
                label.bounded(f"of {metric.name}, {number}")
            more = {label.bounded(f"more {number}") for number in range(300)}
            assert more == {metrics.OTHER}, metric.name


def test_a_name_is_given_once() -> None:
    names = [metric.name for metric in metrics.ALL]
    assert len(set(names)) == len(names)


def test_a_value_that_may_be_stays_and_what_is_over_the_bound_is_other() -> None:
    label = metrics.Label("colour", most=2)
    assert [label.bounded(value) for value in ("red", "blue", "green", "red")] == ["red", "blue", "other", "red"]
    fixed = metrics.Label("colour", "red")
    assert [fixed.bounded(value) for value in ("red", "blue")] == ["red", "other"]


def test_every_error_of_the_farm_finds_a_place_among_the_reasons() -> None:
    def codes(kind: type[FarmError]) -> set[str]:
        return {kind.code}.union(*(codes(below) for below in kind.__subclasses__()))

    (label,) = metrics.Counter("farm_test_total", "", labels=(metrics.Label("reason", most=60),)).labels
    metrics.ALL.pop()
    assert len(codes(FarmError)) > 20
    assert {label.bounded(code) for code in codes(FarmError)} == codes(FarmError)


def test_counting_does_nothing_in_a_process_that_shows_nothing() -> None:
    assert metrics.BLENDER_STARTS.sink is None
    metrics.BLENDER_STARTS.inc()
    program = "import sys, farm.metrics, farm.storage, farm.drawing.blender; print('prometheus_client' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


def test_what_can_happen_is_shown_before_it_does(shown: CollectorRegistry) -> None:
    before = values(generate_latest(shown))
    assert before["farm_models_total"][("quarantined",)] == 0
    metrics.MODELS.inc("quarantined")
    assert values(generate_latest(shown))["farm_models_total"][("quarantined",)] == 1


def test_errors_of_a_store_are_counted_by_kind(shown: CollectorRegistry, tmp_path: Path) -> None:
    store = LocalStore(tmp_path / "store")
    (tmp_path / "store" / "models").write_bytes(b"no folder")
    with pytest.raises(ServiceError):
        store.put("models/a", b"")
    counted = values(generate_latest(shown))["farm_store_errors_total"]
    assert counted == {("passing",): 0, ("refused",): 0, ("full",): 0, ("other",): 1}


def test_a_full_disk_is_an_error_of_its_own_kind(shown: CollectorRegistry, tmp_path: Path) -> None:
    with pytest.raises(DiskFullError), LocalStore(tmp_path)._working():
        Path("/dev/full").write_bytes(b"no room here")
    assert values(generate_latest(shown))["farm_store_errors_total"][("full",)] == 1


_PROCESS = r"""
import os, sys, time
from farm import metrics
from farm.worker.exposition import keep
keep()
def say():
    sys.stdout.write(f"{os.getpid()}\n")  # at once, whatever is said beside it
    sys.stdout.flush()
for _ in range(2):
    if os.fork() == 0:
        metrics.BLENDER_RESIDENT.set(100)
        metrics.BLENDER_STARTS.inc()
        metrics.RENDERER.set(1, "llvmpipe", "cpu")
        say()
        time.sleep(600)
say()
time.sleep(600)
"""


def test_a_worker_is_the_sum_of_its_processes_and_a_killed_one_takes_back_only_what_was_so_now(tmp_path: Path) -> None:
    environment = {**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    registry = CollectorRegistry()
    registry.register(Processes(tmp_path))
    parent = subprocess.Popen(
        [sys.executable, "-c", _PROCESS], stdout=subprocess.PIPE, text=True, env=environment, start_new_session=True
    )
    try:
        assert parent.stdout is not None
        said = [parent.stdout.readline() for _ in range(3)]
        child = next(int(line) for line in said if int(line) != parent.pid)
        both = values(generate_latest(registry))
        os.kill(child, signal.SIGKILL)
        servers.wait_until(lambda: not Path(f"/proc/{child}/exe").exists(), "the child's end")
        killed = values(generate_latest(registry))
    finally:
        os.killpg(parent.pid, signal.SIGKILL)
        parent.communicate()
    assert both["farm_blender_resident_bytes"] == {(): 200}
    assert both["farm_blender_starts_total"] == {(): 2}
    assert both["farm_renderer_info"] == {("cpu", "llvmpipe"): 1}
    assert killed["farm_blender_resident_bytes"] == {(): 100}
    assert killed["farm_blender_starts_total"] == {(): 2}


def test_disks_are_told_by_place_and_one_that_is_gone_is_left_out(tmp_path: Path) -> None:
    registry = CollectorRegistry()
    registry.register(Disks({"temporary": tmp_path, "store": tmp_path / "gone"}))
    found = values(generate_latest(registry))
    used = os.statvfs(tmp_path)
    assert found["farm_disk_bytes"] == {("temporary",): used.f_blocks * used.f_frsize}
    assert 0 < found["farm_disk_free_bytes"]["temporary",] <= found["farm_disk_bytes"]["temporary",]


def test_gpus_are_told_where_nvml_answers_and_else_that_there_are_none() -> None:
    import pynvml

    try:
        pynvml.nvmlInit()
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError:
        count = 0
    registry = CollectorRegistry()
    registry.register(Gpus())
    found = values(generate_latest(registry))
    assert found["farm_gpus"] == {(): count}
    assert len(found.get("farm_gpu_info", {})) == len(found.get("farm_gpu_memory_bytes", {})) == count
