"""A worker may be called anything: it is probed, listed, drained and taken back by its name."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from farm.client import FarmClient
from farm.jobs.connection import Connection
from farm.jobs.workers import Workers
from tests.support import servers

pytestmark = pytest.mark.blender
NAMES = [
    "a b/c%d%h 初音 'x\" *?[#@&;\nbreak\x1b[31m/../drain",
    b"\xff\xfe".decode("utf-8", "surrogateescape") + "x" * 230,
]


@contextmanager
def running(name: str, folder: Path, environment: dict[str, str]) -> Iterator[dict[str, str]]:
    own = {**environment, "FARM_WORKER_NAME": name, "TMPDIR": str(folder)}
    with servers.worker_process(folder, own):
        servers.wait_until(lambda: " ready." in (folder / "worker.log").read_text(errors="replace"), "the worker")
        yield own


def says(log: Path, words: str) -> bool:
    return words in log.read_text(errors="replace")


def farm(environment: dict[str, str], *words: str) -> "subprocess.CompletedProcess[bytes]":
    command = [sys.executable, "-m", "farm", *words]
    return subprocess.run(command, env={**os.environ, **environment}, capture_output=True, check=False, timeout=300)


def test_a_worker_of_any_name_is_probed_listed_drained_and_taken_back(tmp_path: Path) -> None:
    with servers.redis_server(tmp_path / "valkey") as url:
        settings = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{tmp_path / 'store'}"}
        registry = Workers(Connection(url))
        with servers.api_server(tmp_path / "api", settings) as api, FarmClient(api.url) as client:
            for number, name in enumerate(NAMES):
                with running(name, tmp_path / str(number), settings) as environment:
                    servers.wait_until(lambda: any(w.alive for w in registry.all()), f"{name!r} being known")
                    (known,) = [worker.name for worker in registry.all() if worker.alive]
                    assert known.isprintable()
                    assert farm(environment, "probe", "worker", "--timeout", "60").returncode == 0

                    assert [worker.name for worker in client.workers()] == [known]
                    assert client.drain_worker(known, "to see").drained
                    assert client.resume_worker(known).drained == ""
                    log = tmp_path / str(number) / "worker.log"
                    drained = farm(environment, "drain", known, "--api", api.url)
                    assert drained.returncode == 0, drained.stderr
                    servers.wait_until(partial(says, log, "takes no more jobs"), "the drain")
                    assert farm(environment, "drain", "--timeout", "60").returncode == 0
                registry.leave(known)
