"""A worker of the load tool: the farm's own, but for the renderer. ``python -m farm.stress.worker`` runs it.

The settings come from the environment, as a real worker's. Without Celery it is one process that asks for job after job.
"""

import os
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

import click

from farm.dataset.manifest import MANIFEST, result_object
from farm.errors import BlenderDiedError, FarmError, ModelError
from farm.jobs.connection import Connection
from farm.jobs.queue import Queue
from farm.jobs.states import Job
from farm.jobs.store import JobStore
from farm.jobs.workers import Workers
from farm.process import die_with_parent
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.storage import ObjectStore, open_store
from farm.stress.fates import Fate, Odds
from farm.worker import shutdown
from farm.worker.attempt import JobRunner, Rendered
from farm.worker.celery_app import RENDER_TASK, make_app, node
from farm.worker.heart import Heart
from farm.worker.presence import Presence

_SLICE_SECONDS = 0.25
"""A fake drawing says so often how far it is."""
_IDLE_SECONDS = 0.05


class FakeRenderer:
    """`farm.worker.attempt.Renderer` that draws nothing, for `seconds` a job, and notes each attempt in a ledger.

    `whole_worker`: the processes that end with WORKER_KILLED, the present one not among them.
    """

    name = "farm stress"

    def __init__(self, store: ObjectStore, odds: Odds, seconds: float, ledger: Path, whole_worker: list[int]) -> None:
        self._store, self._odds, self._seconds, self._whole_worker = store, odds, seconds, whole_worker
        ledger.mkdir(parents=True, exist_ok=True)
        self._ledger = os.open(ledger / str(os.getpid()), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self._interrupted = threading.Event()
        self._reason: FarmError | None = None

    def find(self, job: Job) -> Rendered | None:
        """Asks the store, as a real renderer does; nothing is ever there."""
        there = self._store.exists(result_object(job.render_key, MANIFEST))
        return Rendered((), job.samples) if there else None

    def render(self, job: Job, spec: RenderSpec, images: Callable[[int, int], None]) -> Rendered:
        """Take the time that drawing would, and end as the odds say."""
        self._interrupted.clear()
        fate = self._odds.fate(job.model, job.attempt)
        os.write(self._ledger, f"{job.model} {job.attempt} {fate}\n".encode())
        slices = max(1, round(self._seconds / _SLICE_SECONDS))
        for number in range(1, slices + 1):
            if self._interrupted.wait(self._seconds / slices) and self._reason is not None:
                raise self._reason
            if number == slices:
                self._meet(fate)
            images(job.images_total * number // slices, job.samples)
        return Rendered((), job.samples)

    def _meet(self, fate: Fate) -> None:
        match fate:
            case Fate.BAD_MODEL:
                raise ModelError("The load tool's dice say that this model cannot be drawn.")
            case Fate.BROKEN:
                raise BlenderDiedError("The load tool's dice say that this attempt breaks down.")
            case Fate.PROCESS_KILLED | Fate.WORKER_KILLED:
                if fate is Fate.WORKER_KILLED:
                    for process in self._whole_worker:
                        os.kill(process, signal.SIGKILL)
                os.kill(os.getpid(), signal.SIGKILL)

    def resident(self) -> int:
        """Nothing that could grow."""
        return 0

    def interrupt(self, error: FarmError) -> None:
        """Whoever draws gets `error`."""
        self._reason = error
        self._interrupted.set()


@click.command()
@click.option("--seed", type=int, required=True)
@click.option("--failures", type=float, required=True)
@click.option("--deaths", type=float, required=True)
@click.option("--seconds-per-job", type=float, required=True)
@click.option("--ledger", type=click.Path(path_type=Path), required=True)
@click.option("--celery/--no-celery", default=True)
def main(seed: int, failures: float, deaths: float, seconds_per_job: float, ledger: Path, celery: bool) -> None:
    """Run a worker until SIGTERM."""
    settings = Settings()
    odds = Odds(seed, failures, deaths)
    shutdown.prepare(Path(tempfile.mkdtemp(prefix="farm-worker-")))

    def make_runner(whole_worker: list[int]) -> JobRunner:
        connection = Connection(settings.redis_url, settings.lease_seconds)
        queue = Queue(connection)
        renderer = FakeRenderer(open_store(settings), odds, seconds_per_job, ledger, whole_worker)
        heart = Heart(queue, renderer, shutdown.due, settings.job_seconds, 2**40)
        heart.start()
        return JobRunner(node(settings), JobStore(connection), queue, Workers(connection), renderer, heart)

    (_run_celery if celery else _run_loop)(settings, make_runner)


def _run_celery(settings: Settings, make_runner: Callable[[list[int]], JobRunner]) -> None:
    """What `farm.worker.tasks` and `farm worker` do, with one pool process."""
    from celery.signals import worker_process_init, worker_ready

    app = make_app(settings)
    name = node(settings)
    presence = Presence(app, settings, name, concurrency=1)

    @cache
    def runner() -> JobRunner:
        return make_runner([os.getppid()])

    @app.task(name=RENDER_TASK)  # type: ignore[untyped-decorator]
    def render_next() -> None:
        runner().wake(shutdown.announced)

    @worker_process_init.connect(weak=False)  # type: ignore[untyped-decorator]
    def _begin(**_: object) -> None:
        die_with_parent()

    @worker_ready.connect(weak=False)  # type: ignore[untyped-decorator]
    def _ready(**_: object) -> None:
        presence.start()

    app.worker_main(
        ["worker", "--concurrency=1", f"--hostname={name}", "--loglevel=INFO", "--without-mingle", "--without-gossip"]
    )


def _run_loop(settings: Settings, make_runner: Callable[[list[int]], JobRunner]) -> None:
    """Job after job, without tickets."""
    told_to_stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: told_to_stop.set())
    presence = Presence(make_app(settings), settings, node(settings), concurrency=1)
    presence.start()
    runner = make_runner([])
    while not told_to_stop.is_set():
        if not runner.work():
            time.sleep(_IDLE_SECONDS)
    presence.stop()


if __name__ == "__main__":
    sys.exit(main())
