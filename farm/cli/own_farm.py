"""The farm that a command starts for itself: what goes into it, and what is taken out and forgotten.

It has no API. That is for others, and takes a second of CPU to start: the store and Redis are the command's own, and what
the API would do by them, this does.
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from farm.annotations.annotations import Annotations
from farm.backgrounds import normalise
from farm.catalog import Catalog
from farm.cli.clips import MotionFile
from farm.cli.laying import lay_out
from farm.dataset.manifest import MANIFEST, read_manifest, result_object
from farm.dataset.output import RenderedModel
from farm.errors import ServiceError, StorageError
from farm.jobs.allowances import Memory
from farm.jobs.connection import Connection
from farm.jobs.orders import OrderBook
from farm.jobs.queue import Queue
from farm.jobs.states import Job
from farm.jobs.store import JobStore
from farm.jobs.submission import BatchControl, Entry, Request
from farm.jobs.workers import Workers
from farm.models.package import Package
from farm.morphs.annotation import MappingTable
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.stack import EmbeddedStack
from farm.storage import LocalStore
from farm.worker.celery_app import CeleryTickets, make_app

_NAME_CHARACTERS = 200
"""Of a model's label, as the API takes them."""


class OwnFarm:
    """A farm of started `processes`. Every method raises ServiceError, with what a process said that ended."""

    def __init__(self, processes: EmbeddedStack, backgrounds: Sequence[Path], motion: MotionFile | None = None) -> None:
        """Takes in backgrounds and motion. Raises BackgroundError and MotionError for files that were changed meanwhile."""
        self._stack = processes
        redis = processes.environment["FARM_REDIS_URL"]
        connection, self._store = Connection(redis), LocalStore(processes.store)
        self._jobs, self._workers = JobStore(connection), Workers(connection)
        self._book, self._catalog = OrderBook(self._store), Catalog(self._store)
        self._batches = BatchControl(
            self._catalog,
            Annotations(self._catalog, self._store, connection.lock),
            self._book,
            self._jobs,
            Queue(connection),
            CeleryTickets(make_app(Settings(redis_url=redis)), connection).issue,
            Memory(connection),
            preview_pixels=0,  # nobody here is bound to any number
        )
        for path in backgrounds:
            self._catalog.add_background(normalise(path.read_bytes(), str(path)))
        if motion is not None:
            motion.check()
            self._catalog.add_motion(motion.about, motion.path)

    @contextmanager
    def _watched(self) -> Iterator[None]:
        self._stack.check()
        try:
            yield
        except ServiceError:
            self._stack.check()  # says which process ended, and its last words
            raise

    def submit(self, package: Package, label: str, spec: RenderSpec, table: MappingTable | None) -> Job:
        """Have one model drawn, as a batch of its own: its job."""
        with self._watched():
            self._catalog.add(package)
            entry = Entry(package.id, label[:_NAME_CHARACTERS] or package.id[:8])
            batch, _ = self._batches.submit(Request([entry], spec, table))
            (job,) = self._jobs.jobs(batch.id)
            return job

    def job(self, job: str) -> Job:
        """How far a job is."""
        with self._watched():
            found = self._jobs.job(job)
            if not (found.state.ended or found.state.active):
                self._check_workers()
            return found

    def _check_workers(self) -> None:
        """Raise ServiceError when every worker has drained itself: nobody else would give them jobs again, so a job would
        wait for ever."""
        there = [worker for worker in self._workers.all() if worker.alive]
        if there and all(worker.drained for worker in there):
            raise ServiceError(f"Nothing can be drawn on this machine. {there[0].drained}")

    def bring(self, job: Job, out: Path) -> RenderedModel:
        """Lay the result of a done job out in the folder `out`, every file checked against the manifest."""
        with self._watched():
            key = result_object(job.render_key, MANIFEST)
            manifest = read_manifest(self._store.get(key), key)

            def bring(file: str, path: Path, size: int | None, sha256: str | None) -> None:
                data = self._store.stream(result_object(job.render_key, file))
                _write(data, path, size, sha256)

            return lay_out(manifest, job.name, bring, out)

    def drop(self, job: Job) -> None:
        """Forget a job that has ended, its result and its model."""
        with self._watched():
            self._jobs.remove_batch(job.batch)
            self._book.remove(job.batch)
            self._jobs.forget_removed(job.batch)
            self._store.delete_all(result_object(job.render_key, ""))
            self._store.delete_all(f"models/{job.model}/")


def _write(data: Iterable[bytes], path: Path, size: int | None, sha256: str | None) -> None:
    written, found = 0, hashlib.sha256()
    with path.open("wb") as sink:
        for piece in data:
            sink.write(piece)
            written += len(piece)
            found.update(piece)
    if size not in (None, written) or sha256 not in (None, found.hexdigest()):
        path.unlink()
        raise StorageError(f"{path.name} is not what the farm's worker stored there. Start the command again.")
