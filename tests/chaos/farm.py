"""The farm under test: real Valkey with its append-only file, a real store, the API and workers, each a process of its own
that can be killed and started again.
"""

import hashlib
import json
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from api.services import Services, make_services
from farm.catalog import Catalog
from farm.drawing.blender import Blender
from farm.drawing.render import Reporter, render
from farm.errors import ServiceError
from farm.jobs.batches import Batch
from farm.jobs.connection import LEASE_SECONDS
from farm.jobs.states import Job
from farm.jobs.submission import Entry, Request
from farm.models.package import Package
from farm.process import spawn
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.stack import free_port
from farm.storage import LocalStore, ObjectStore
from farm.storage.s3 import S3Store
from farm.valkey import valkey_command
from tests.chaos.ground import Ground
from tests.chaos.processes import descendants, gone, signal_all
from tests.support.audit import audit
from tests.support.clocks import Clock
from tests.support.faults import FaultyProxy
from tests.support.fixtures import assignment_for
from tests.support.servers import PATIENCE_SECONDS, S3Server, asked, end, wait_until

SHORT_LEASE_SECONDS = 15.0
"""For a long run, in which many run out. Tests keep the farm's own: on a busy machine a worker may be silent for seconds, and
is none the less there."""
QUIET = Reporter(images=lambda count: None, stage=lambda name, seconds: None, drawn=lambda style, partition: None)

type Results = dict[str, str]
"""Key of every object under renders/ to the SHA-256 of its bytes."""


def results_of(store: ObjectStore) -> Results:
    """What lies in a store under renders/."""
    found: Results = {}
    last = ""
    while keys := store.list("renders/", last):
        found.update({key: hashlib.sha256(store.get(key)).hexdigest() for key in keys})
        last = keys[-1]
    return found


def undisturbed(folder: Path, packages: list[Package], specs: list[RenderSpec]) -> Results:
    """What the models give when nothing goes wrong: one process, one after the other."""
    store = LocalStore(folder)
    blender = Blender()
    try:
        for package in packages:
            Catalog(store).add(package)
            for spec in specs:
                render(assignment_for(package, spec), store, blender, QUIET)
    finally:
        blender.stop()
    return results_of(store)


@dataclass
class RunningWorker:
    """A worker process and where it writes."""

    name: str
    process: subprocess.Popen[bytes]
    metrics: str
    log: Path
    environment: dict[str, str] = field(default_factory=dict)
    line: FaultyProxy | None = None
    """Its way to Redis, where that can be disturbed."""
    clock: Clock | None = None
    """Where it has one of its own."""
    held: ExitStack = field(default_factory=ExitStack)
    """What goes when it has gone."""

    @property
    def tree(self) -> list[int]:
        """It and all processes below it."""
        return [self.process.pid, *descendants(self.process.pid)]


class Farm:
    """Start with `farm_under_test`."""

    def __init__(
        self, folder: Path, s3: S3Server | None, stack: ExitStack, lease_seconds: float, ground: Ground | None
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder = folder
        self.ground = ground
        self._redis_port, self._api_port = free_port(), free_port()
        self.redis_url = f"redis://127.0.0.1:{self._redis_port}/0"
        self.api_url = f"http://127.0.0.1:{self._api_port}"
        self.proxy: FaultyProxy | None = None
        self.api_line = None if ground is None else stack.enter_context(self._line())
        self.environment = {
            "FARM_REDIS_URL": self.redis_url,
            "FARM_API_URL": self.api_url,
            "FARM_LEASE_SECONDS": str(lease_seconds),
            "FARM_SHUTDOWN_SECONDS": "1",
            "FARM_RATE_LIMIT": "0",
        }
        if s3 is None:
            self.environment["FARM_STORAGE_URL"] = f"file://{folder / 'store'}"
            self.store: ObjectStore = LocalStore(folder / "store")
        else:
            bucket = f"chaos-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
            host, _, port = s3.endpoint.removeprefix("http://").partition(":")
            self.proxy = stack.enter_context(FaultyProxy(host, int(port)))
            direct = s3.environment(bucket)
            self.environment |= direct | {"FARM_S3_ENDPOINT": self.proxy.endpoint}
            # The test itself looks at the store past the proxy.
            fields = {name.removeprefix("FARM_").lower(): value for name, value in direct.items()}
            self.store = S3Store(bucket, Settings.model_validate(fields))
        fields = {name.removeprefix("FARM_").lower(): value for name, value in self.environment.items()}
        self.services: Services = make_services(Settings.model_validate(fields))
        self.workers: dict[str, RunningWorker] = {}
        self._redis: subprocess.Popen[bytes] | None = None
        self._api: subprocess.Popen[bytes] | None = None
        stack.callback(self._stop)

    def _stop(self) -> None:
        for worker in self.workers.values():
            trees = worker.tree
            signal_all(trees, signal.SIGKILL)
            worker.process.wait(PATIENCE_SECONDS)
            worker.held.close()
        for process in (self._api, self._redis):
            if process is not None:
                end(process)

    # Redis

    def _line(self) -> FaultyProxy:
        return FaultyProxy("127.0.0.1", self._redis_port)

    def _by(self, line: FaultyProxy | None) -> dict[str, str]:
        """How a process finds Redis by this way, and where its temporary files go."""
        found = {} if line is None else {"FARM_REDIS_URL": f"redis://127.0.0.1:{line.port}/0"}
        if self.ground is not None and self.ground.temporary is not None:
            found["TMPDIR"] = str(self.ground.temporary.place)
        return found

    def start_redis(self) -> None:
        """Start Valkey as in production: append-only file, no eviction."""
        home = self.folder / "valkey"
        environment: dict[str, str] = {}
        if self.ground is not None:
            home = home if self.ground.redis_disk is None else self.ground.redis_disk.place
            environment = {} if self.ground.redis_clock is None else self.ground.redis_clock.environment
        home.mkdir(parents=True, exist_ok=True)
        options = ["--bind", "127.0.0.1", "--port", str(self._redis_port), "--save", "", "--dir", str(home)]
        durable = ["--appendonly", "yes", "--maxmemory-policy", "noeviction"]
        self._redis = spawn([*valkey_command(), *options, *durable], self.folder / "valkey.log", environment)
        wait_until(self._redis_answers, "Valkey answering")

    def _redis_answers(self) -> bool:
        try:
            self.services.connection.check()
        except ServiceError:  # it refuses, or reads its file
            return False
        return True

    def kill_redis(self) -> None:
        """SIGKILL: nothing is written any more."""
        assert self._redis is not None
        end(self._redis)

    def pause_redis(self, stopped: bool) -> None:
        """SIGSTOP: it keeps its connections and says nothing, until it goes on."""
        assert self._redis is not None
        self._redis.send_signal(signal.SIGSTOP if stopped else signal.SIGCONT)

    # The API

    def start_api(self) -> None:
        """Start the API, on the same port each time."""
        command = [sys.executable, "-m", "farm", "api", "--port", str(self._api_port)]
        self._api = spawn(command, self.folder / "api.log", self.environment | self._by(self.api_line))
        wait_until(self._api_answers, "the API answering")

    def _api_answers(self) -> bool:
        answer = asked(f"{self.api_url}/healthz")
        return answer is not None and answer[0] == 200

    def stop_api(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the API."""
        assert self._api is not None
        end(self._api, how)

    # Workers

    def start_worker(
        self, name: str, environment: dict[str, str] | None = None, clock: Clock | None = None
    ) -> RunningWorker:
        """Start a worker with one Blender."""
        home = self.folder / name
        home.mkdir(parents=True, exist_ok=True)
        (home / "tmp").mkdir(exist_ok=True)
        port, held = free_port(), ExitStack()
        line = None if self.ground is None else held.enter_context(self._line())
        own = {"FARM_WORKER_NAME": name, "TMPDIR": str(home / "tmp"), **self._by(line), **(environment or {})}
        own |= {} if clock is None else clock.environment
        command = [sys.executable, "-m", "farm", "worker", "--metrics-port", str(port)]
        process = spawn(command, home / "worker.log", self.environment | own)
        metrics = f"http://127.0.0.1:{port}/metrics"
        self.workers[name] = RunningWorker(name, process, metrics, home / "worker.log", own, line, clock, held)
        return self.workers[name]

    def kill_worker(self, name: str) -> None:
        """SIGKILL to the worker's main process alone; the kernel ends what hangs on it."""
        worker = self.workers.pop(name)
        tree = worker.tree
        worker.process.kill()
        worker.process.wait(PATIENCE_SECONDS)
        gone(tree)
        worker.held.close()

    def stop_worker(self, name: str) -> None:
        """SIGTERM, as Kubernetes does, and wait until it has ended."""
        worker = self.workers.pop(name)
        tree = worker.tree
        worker.process.terminate()
        worker.process.wait(PATIENCE_SECONDS)
        gone(tree)
        worker.held.close()

    def let_leases_run_out(self) -> None:
        """As if their time had gone by. Only the leases of those who do not speak any more stay so."""
        leases = self.services.connection.redis
        assert (
            leases.zadd("farm:leases", dict.fromkeys(leases.zrange("farm:leases", 0, -1), 1.0), xx=True, ch=True) == 1
        )

    def drawn_by(self, worker: RunningWorker) -> int:
        """Images that the worker has drawn itself."""
        answer = asked(worker.metrics, PATIENCE_SECONDS)
        assert answer is not None
        lines = [line for line in answer[1].splitlines() if line.startswith("farm_images_rendered_total{")]
        return round(sum(float(line.rsplit(" ", 1)[1]) for line in lines))

    # Work

    def submit(self, packages: list[Package], spec: RenderSpec) -> str:
        """A batch of these models; its id."""
        for package in packages:
            self.services.catalog.add(package)
        entries = [Entry(package.id, package.name) for package in packages]
        batch, _ = self.services.batches.submit(Request(entries, spec))
        return batch.id

    def batch(self, batch: str) -> Batch | None:
        """The batch; None while Redis does not answer."""
        try:
            return self.services.jobs.batch(batch)
        except ServiceError:
            return None

    def has_drawn(self, batch: str, images: int = 1) -> bool:
        """Whether the batch has so many images."""
        found = self.batch(batch)
        return found is not None and found.images_done >= images

    def has_ended(self, batch: str) -> bool:
        """Whether the batch has ended."""
        found = self.batch(batch)
        return found is not None and found.ended

    def wait_for_images(self, batch: str, images: int = 1) -> None:
        """Wait until the batch has so many images."""
        wait_until(lambda: self.has_drawn(batch, images), f"{images} images of batch {batch}")

    def wait_for_end(self, batches: list[str], seconds: float = 3 * PATIENCE_SECONDS) -> None:
        """Wait until all have ended."""
        for batch in batches:
            wait_until(partial(self.has_ended, batch), f"{batch} ending", seconds)

    def jobs(self, batch: str) -> list[Job]:
        """The batch's jobs."""
        return self.services.jobs.jobs(batch)

    def endings(self) -> Counter[str]:
        """How often each job became done, by the stream of events."""
        events = self.services.connection.redis.xrange("farm:events")
        data = [json.loads(values["data"]) for _, values in events if values["kind"] == "job"]
        return Counter(event["job"] for event in data if event["state"] == "done")

    def complaints(self, batches: list[str], expected: Results, wiped: bool = False) -> list[str]:
        """What is wrong now that the batches have ended; empty: every job is done exactly once, with the right bytes.

        `wiped`: Redis was, and the events of what was done before went with it.
        """
        found: list[str] = []
        endings = self.endings()
        for batch in batches:
            for job in self.jobs(batch):
                if job.state != "done":
                    found.append(f"job {job.id} is {job.state}: {job.error_code}: {job.error}")
                if endings[job.id] != 1 and not (wiped and endings[job.id] == 0):
                    found.append(f"job {job.id} became done {endings[job.id]} times")
        results = results_of(self.store)
        for key in sorted(results.keys() | expected.keys()):
            if key not in expected:
                found.append(f"{key} is left over")
            elif key in results and results[key] != expected[key]:
                found.append(f"{key} has other bytes than the undisturbed run")
            elif key not in results:
                found.append(f"{key} is missing")
        return found + audit(self.services.connection)


@contextmanager
def farm_under_test(
    folder: Path,
    s3: S3Server | None = None,
    workers: int = 1,
    api: bool = False,
    lease_seconds: float = LEASE_SECONDS,
    ground: Ground | None = None,
) -> Iterator[Farm]:
    """A farm with so many workers, all up; `ground`: what it is to stand on."""
    with ExitStack() as stack:
        farm = Farm(folder, s3, stack, lease_seconds, ground)
        farm.start_redis()
        if api:
            farm.start_api()
        for number in range(workers):
            farm.start_worker(f"w{number}")
        yield farm
