"""The farm that a command starts for itself: what goes into it, and what is taken out and forgotten."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Self

from farm.backgrounds import normalise
from farm.catalog import Catalog
from farm.cli.clips import MotionFile
from farm.cli.following import lay_out
from farm.client import FarmClient, JobView, ModelRef
from farm.dataset.manifest import result_object
from farm.dataset.output import RenderedModel
from farm.errors import ServiceError
from farm.jobs.connection import Connection
from farm.jobs.orders import OrderBook
from farm.jobs.store import JobStore
from farm.jobs.workers import Workers
from farm.models.package import Package
from farm.spec import RenderSpec
from farm.stack import EmbeddedStack
from farm.storage import LocalStore

_PATIENCE_SECONDS = 5.0
"""With the API of our own: it does not come back when it is gone."""


class OwnFarm:
    """A farm of started `processes`, in a `with`. Every method raises ServiceError, with what a process said that ended."""

    def __init__(self, processes: EmbeddedStack, backgrounds: Sequence[Path], motion: MotionFile | None = None) -> None:
        self._stack, self._backgrounds, self._motion = processes, backgrounds, motion

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            self._store = LocalStore(self._stack.store)
            connection = Connection(self._stack.environment["FARM_REDIS_URL"])
            self._jobs, self._workers = JobStore(connection), Workers(connection)
            self._book = OrderBook(self._store)
            self._catalog = Catalog(self._store)
            for path in self._backgrounds:
                self._catalog.add_background(normalise(path.read_bytes(), str(path)))
            if self._motion is not None:
                self._motion.check()
                self._catalog.add_motion(self._motion.about, self._motion.path)
            client = FarmClient(self._stack.api_url, self._stack.api_key, patience=_PATIENCE_SECONDS)
            self._client = stack.enter_context(client)
            self._open = stack.pop_all()
        return self

    def __exit__(self, *error: Any) -> None:
        self._open.__exit__(*error)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self._stack.check()
        try:
            yield
        except ServiceError:
            self._stack.check()  # says which process ended, and its last words
            raise

    def submit(self, package: Package, label: str, spec: RenderSpec, mapping: str | None, name: str) -> JobView:
        """Have one model drawn, as a batch of its own: its job."""
        with self._watched():
            self._catalog.add(package)
            batch = self._client.submit([ModelRef(package.id, label)], spec, mapping, name)
            (job,) = self._client.jobs(batch.id)
            return job

    def job(self, job: str) -> JobView:
        """How far a job is."""
        with self._watched():
            found = self._client.job(job)
            if not (found.state.ended or found.state.active):
                self._check_workers()
            return found

    def _check_workers(self) -> None:
        """Raise ServiceError when every worker has drained itself: nobody else would give them jobs again, so a job would
        wait for ever."""
        there = [worker for worker in self._workers.all() if worker.alive]
        if there and all(worker.drained for worker in there):
            raise ServiceError(f"Nothing can be drawn on this machine. {there[0].drained}")

    def bring(self, job: JobView, out: Path) -> RenderedModel:
        """Lay the result of a done job out in the folder `out`."""
        with self._watched():
            return lay_out(self._client, job, out)

    def drop(self, job: JobView) -> None:
        """Forget a job that has ended, its result and its model."""
        with self._watched():
            self._jobs.remove_batch(job.batch)
            self._book.remove(job.batch)
            self._jobs.forget_removed(job.batch)
            self._store.delete_all(result_object(job.render_key, ""))
            self._store.delete_all(f"models/{job.model}/")
