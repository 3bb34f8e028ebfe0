"""What `farm render` spends before and after the drawing, told without a clock: what each process imports, what an end waits
for.
"""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable
from pathlib import Path

import pytest

from farm import environment
from farm.stack import EmbeddedStack
from tests.support.servers import wait_until

FARM = Path(sys.executable).with_name("farm")
SERVER = {"fastapi", "starlette", "uvicorn", "jinja2"}
QUEUE = {"celery", "kombu", "redis"}
BLENDER = {"bpy", "gpu", "mathutils"}
S3 = {"minio", "farm.storage.s3"}


def under(modules: set[str], loaded: Iterable[str]) -> set[str]:
    """Those of the loaded modules that are among `modules` or inside one of them."""
    return {name for name in loaded if any(name == module or name.startswith(f"{module}.") for module in modules)}


def imported_by(log: Path) -> set[str]:
    """The modules that a process with PYTHONPROFILEIMPORTTIME names in its log."""
    return set(re.findall(r"^import time:[^|]*\|[^|]*\| *(\S+)$", log.read_text(errors="replace"), re.MULTILINE))


def has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_the_command_line_starts_a_farm_with_nothing_of_server_queue_client_and_blender_imported() -> None:
    code = "import sys, farm.cli.render, farm.cli.growing; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert "farm.stack" in loaded
    assert under(SERVER | QUEUE | BLENDER | S3 | {"httpx", "farm.client", "rich.progress", "pyarrow"}, loaded) == set()


@pytest.mark.blender
def test_api_and_worker_import_neither_each_others_libraries_nor_those_of_a_store_that_is_not_theirs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPROFILEIMPORTTIME", "1")
    monkeypatch.setattr(environment, "_FARM", (*environment._FARM, "PYTHONPROFILEIMPORTTIME"))  # others do not get it
    logs = tmp_path / "logs"

    with EmbeddedStack(tmp_path, 1):
        wait_until(lambda: " ready." in (logs / "worker.log").read_text(errors="replace"), "the worker")

    api, worker = imported_by(logs / "api.log"), imported_by(logs / "worker.log")
    assert {"fastapi", "celery.app.base"} <= api
    assert {"celery.worker", "farm.drawing.render"} <= worker
    assert under({"bpy", "farm.drawing", "farm.worker.tasks", "celery.bin"} | S3, api) == set()
    assert under(SERVER | {"bpy", "httpx", "celery.bin"} | S3, worker) == set()


@pytest.mark.blender
def test_the_end_tells_every_part_before_it_waits_for_any(tmp_path: Path) -> None:
    stack = EmbeddedStack(tmp_path, 1, keep=True)
    with stack:
        valkey, worker, api = (stack._children[name].pid for name in ("valkey", "worker", "api"))
        os.kill(api, signal.SIGSTOP)  # it takes long to end
        stopping = threading.Thread(target=stack.stop)
        stopping.start()

        wait_until(lambda: has_ended(valkey) and has_ended(worker), "the others' end")

        assert not has_ended(api)
        os.kill(api, signal.SIGCONT)
        stopping.join(60)
        assert not stopping.is_alive()
        assert has_ended(api)


@pytest.mark.blender
def test_a_farm_that_is_not_kept_ends_without_asking_its_parts(tmp_path: Path) -> None:
    with EmbeddedStack(tmp_path, 0) as stack:
        pids = [stack.pid(name) for name in ("valkey", "api")]
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)  # it would hear no other signal

        started = time.monotonic()
        stack.stop()

        assert time.monotonic() - started < 8.0  # after ten seconds it would have been killed anyway
    assert all(has_ended(pid) for pid in pids)


@pytest.mark.blender
def test_a_render_has_no_api_and_its_worker_is_a_fork_of_its_command(mascots: dict[str, Path], tmp_path: Path) -> None:
    command = [
        str(FARM),
        "render",
        str(mascots["momo"]),
        "--out",
        str(tmp_path / "out"),
        "--samples",
        "1",
        "--size",
        "32",
    ]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "OPENBLAS_NUM_THREADS": "1"}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    children = Path(f"/proc/{running.pid}/task/{running.pid}/children")

    def forks() -> list[str]:
        own = Path(f"/proc/{running.pid}/cmdline").read_bytes()  # empty for a moment at first
        lines = (Path(f"/proc/{pid}/cmdline") for pid in children.read_text().split())
        return [str(line) for line in lines if line.read_bytes() == own]

    def logs() -> set[str]:
        return {file.name for file in tmp_path.glob("farm-scratch-*/farm/logs/*.log")}

    wait_until(lambda: len(forks()) == 1, "the worker")
    wait_until(lambda: {"valkey.log", "worker.log"} <= logs(), "the logs of what the farm has")
    assert "api.log" not in logs()

    said = running.communicate(timeout=200)[1]
    assert running.returncode == 0, said
    assert len(list((tmp_path / "out").glob("*/manifest.json"))) == 1


@pytest.mark.blender
def test_the_end_sleeps_only_as_long_as_subprocess_does_between_two_looks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sleep, slept = time.sleep, [0.0]

    def noted(seconds: float) -> None:
        slept.append(seconds)
        sleep(seconds)

    with EmbeddedStack(tmp_path, 1) as stack:
        monkeypatch.setattr(time, "sleep", noted)
        stack.stop()

    assert max(slept) <= 0.05
