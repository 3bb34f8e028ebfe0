"""Redis falls silent, takes no writes, or fails over, under workers of real processes: they wait, say so, and are back within
a minute.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis

from api.services import Services, make_services
from farm.errors import ServiceError
from farm.jobs.submission import Entry, Request
from farm.models.package import Package
from farm.process import spawn
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.stack import free_port
from tests.support.faults import Fault, FaultyProxy
from tests.support.fixtures import read_mascot
from tests.support.redises import PASSWORD, answers, serving, watched
from tests.support.servers import asked, end, wait_until, worker_process

BACK_SECONDS = 60.0
"""Within which all goes on when Redis does."""
REFUSED_SECONDS = 30.0
"""Within which who submits hears that it cannot be."""


class Farm:
    """Workers that only pretend to draw, and what the API does, done here."""

    def __init__(self, url: str, folder: Path, package: Package, worker: subprocess.Popen[bytes], log: Path) -> None:
        self.services, self.worker, self.log = _services(url, folder), worker, log
        self.services.catalog.add(package)
        self._package, self._seed = package, 0

    def submit(self) -> str:
        """A batch of one model that no batch before was."""
        self._seed += 1
        entry = Entry(self._package.id, self._package.name)
        return self.services.batches.submit(Request([entry], RenderSpec(seed=self._seed, samples=2, size=48)))[0].id

    def ended(self, batch: str) -> bool:
        """Whether it has; False while Redis does not say."""
        try:
            return self.services.jobs.batch(batch).ended
        except ServiceError:
            return False

    def works(self, seconds: float = 4 * BACK_SECONDS) -> None:
        """A batch is taken and done within `seconds`."""
        begun = time.monotonic()
        batch = ""
        while time.monotonic() - begun < seconds and not (batch and self.ended(batch)):
            try:
                batch = batch or self.submit()
            except ServiceError:
                pass
            time.sleep(0.2)
        assert batch, "nobody could submit"
        assert self.ended(batch), f"the job was not done: {self.log.read_text()[-4000:]}"
        assert self.worker.poll() is None

    def is_refused_in_time(self) -> str:
        """The sentence with which a submission is refused."""
        begun = time.monotonic()
        with pytest.raises(ServiceError) as refused:
            self.submit()
        assert time.monotonic() - begun < REFUSED_SECONDS
        return str(refused.value)


def _services(url: str, folder: Path) -> Services:
    return make_services(Settings(redis_url=url, storage_url=f"file://{folder}/store"))


@contextmanager
def farm_on(url: str, folder: Path, package: Package) -> Iterator[Farm]:
    """A worker, ready, that pretends to draw; Celery, keeper and lease are the real ones."""
    environment = {"FARM_REDIS_URL": url, "FARM_STORAGE_URL": f"file://{folder}/store", "FARM_WORKER_NAME": "w"}
    command = [
        sys.executable, "-P", "-m", "farm.stress.worker", "--seed=1", "--failures=0", "--deaths=0", "--seconds-per-job=0.1",
        f"--ledger={folder / 'ledger'}",
    ]  # fmt: skip
    (folder / "metrics").mkdir(parents=True)
    process = spawn(command, folder / "log", {**environment, "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics")})
    try:
        yield Farm(url, folder, package, process, folder / "log")
    finally:
        end(process)


@pytest.fixture
def package(mascots: dict[str, Path]) -> Package:
    return read_mascot(mascots, "momo")


@pytest.mark.parametrize("how", [pytest.param("the network", marks=pytest.mark.long), "the server"])
def test_a_redis_that_falls_silent_is_missed_and_found_again(how: str, package: Package, tmp_path: Path) -> None:
    port = free_port()
    with (
        serving(tmp_path / "redis", port) as server,
        redis.Redis(port=port) as client,
        FaultyProxy("127.0.0.1", port) as proxy,
    ):
        wait_until(lambda: answers(client), "the server")
        with farm_on(f"redis://127.0.0.1:{proxy.port}/0", tmp_path / "farm", package) as farm:
            farm.works()

            if how == "the network":
                proxy.fault = Fault.SILENT
            else:
                os.kill(server.pid, signal.SIGSTOP)
            assert "does not answer" in farm.is_refused_in_time()
            time.sleep(20)
            assert "does not answer" in farm.is_refused_in_time()
            proxy.fault = Fault.OK
            os.kill(server.pid, signal.SIGCONT)

            farm.works(BACK_SECONDS)


def test_a_redis_that_takes_no_writes_is_waited_for(tmp_path: Path) -> None:
    port = free_port()
    with serving(tmp_path / "redis", port), redis.Redis(port=port) as client:
        wait_until(lambda: answers(client), "the server")
        environment = {
            "FARM_REDIS_URL": f"redis://127.0.0.1:{port}/0",
            "FARM_STORAGE_URL": f"file://{tmp_path}/store",
            "FARM_WORKER_NAME": "w",
        }
        client.replicaof("127.0.0.1", "1")  # before the worker is there
        with worker_process(tmp_path / "farm", environment) as (worker, metrics):

            def usable() -> float | None:
                answer = asked(metrics)
                lines = [line for line in (answer or (0, ""))[1].splitlines() if line.startswith("farm_redis_usable ")]
                return float(lines[0].split()[1]) if lines else None

            def said() -> str:
                return (tmp_path / "farm" / "worker.log").read_text()

            wait_until(lambda: usable() == 0 and "is a read-only replica" in said(), "the worker saying so")
            client.replicaof("NO", "ONE")
            wait_until(lambda: usable() == 1, "the worker going on", BACK_SECONDS)

            for setting, sentence in (
                ("min-replicas-to-write", "min-replicas-to-write"),
                ("maxmemory", "no memory left"),
            ):
                before = client.config_get(setting)[setting]
                client.config_set(setting, 1)
                wait_until(lambda: usable() == 0, f"the worker missing its {setting}")
                assert sentence in said()
                client.config_set(setting, before)
                wait_until(lambda: usable() == 1, "the worker going on", BACK_SECONDS)
            assert worker.poll() is None
            assert said().count("Unrecoverable error") == 0
            wait_until(lambda: client.zcard("farm:workers") == 1, "the worker being listed")


@pytest.mark.parametrize("how", ["dies", "is demoted"])
def test_a_primary_that_dies_or_is_demoted_is_left_for_the_next(how: str, package: Package, tmp_path: Path) -> None:
    with watched(tmp_path) as servers, farm_on(servers.url, tmp_path / "farm", package) as farm:
        farm.works()
        first = servers.primary()

        if how == "dies":
            servers.processes[first].kill()
            wait_until(lambda: servers.primary() != first, "another primary")
        else:
            servers.fail_over()

        farm.works(BACK_SECONDS)
        with redis.Redis(port=servers.primary(), password=PASSWORD, db=2) as client:
            assert client.exists("farm:batches") == 1
        assert PASSWORD not in farm.log.read_text()
