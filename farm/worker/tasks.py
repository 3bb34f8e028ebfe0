"""The Celery task and the life of a worker's processes. Imported by worker processes only."""

import logging
import os
import signal
import tempfile
import time
from collections.abc import Callable
from functools import cache
from pathlib import Path

from celery.signals import worker_process_init, worker_process_shutdown
from prometheus_client import multiprocess

from farm import free_space, metrics
from farm.catalog import Catalog
from farm.dataset.manifest import MANIFEST, read_manifest, result_object
from farm.drawing import ahead, checkpoints
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender, is_software
from farm.drawing.render import Reporter, render
from farm.errors import FarmError, NotFoundError, RenderError, StorageError
from farm.inspection.drawing import draw_pictures
from farm.inspection.pictured import by_pictures, with_understudies
from farm.inspection.pictures import KeptPictures
from farm.jobs.connection import Connection
from farm.jobs.queue import Queue
from farm.jobs.states import Job, Work
from farm.jobs.store import JobStore
from farm.jobs.workers import Workers
from farm.poses import Partition
from farm.process import die_with_parent
from farm.settings import Settings
from farm.spec import RenderSpec, StyleName
from farm.storage import ObjectStore, open_store
from farm.worker import exposition, shutdown
from farm.worker.attempt import JobRunner, Rendered
from farm.worker.celery_app import RENDER_TASK, make_app, node
from farm.worker.heart import Heart

log = logging.getLogger(__name__)
app = make_app(Settings())
_ROOM_SECONDS = 2.0
_STORE_PATIENCE_SECONDS = 60.0
"""How long a worker waits for an object store that is away, before it hands its job back."""


class BlenderRenderer:
    """Draws with Blender and stores in the object store: `farm.worker.attempt.Renderer`."""

    def __init__(self, store: ObjectStore, blender: Blender) -> None:
        self._store, self._blender, self._pictures = store, blender, KeptPictures(store)
        self.name = ""

    def find(self, job: Job) -> Rendered | None:
        """What the job is to leave, if it is in the store already.

        Raises RenderError when it is one of an earlier version, under whose key nothing may be drawn over it.
        """
        if job.work is Work.INSPECTION:
            return Rendered((), job.samples) if self._pictures.drawn([job.model]) else None
        key = result_object(job.render_key, MANIFEST)
        try:
            data = self._store.get(key)
        except NotFoundError:
            return None
        # Those of an attempt that ended between the manifest and its own clearing up.
        checkpoints.discard(self._store, job.render_key)
        try:
            manifest = read_manifest(data, key)
        except StorageError as error:
            raise RenderError(
                "The job was ordered before an update of the farm, and its result is of then, too. Submit the model in a new "
                "batch, which renders it anew."
            ) from error
        return Rendered(manifest.warnings, manifest.samples)

    def render(self, job: Job, spec: RenderSpec, images: Callable[[int, int], None]) -> Rendered:
        """Make the job's result, or its inspection."""
        made = self._inspect(job, images) if job.work is Work.INSPECTION else self._render(job, spec, images)
        if self._blender.renderer:
            self.name = self._blender.renderer
            metrics.RENDERER.set(1, self.name, "cpu" if is_software(self.name) else "gpu")
        return made

    def _inspect(self, job: Job, images: Callable[[int, int], None]) -> Rendered:
        catalog = Catalog(self._store)
        package, inventory = catalog.package(job.model), catalog.inventory(job.model)
        drawn = draw_pictures(
            self._blender, job.model, package, inventory, lambda count: images(min(count, job.samples), job.samples)
        )
        # Before the record: whoever sees that the pictures are there finds what they decide, too.
        catalog.keep_pictures(job.model, {morph.index: morph.change for morph in drawn.inspection.morphs})
        self._pictures.keep(drawn)
        return Rendered((), job.samples)

    def _render(self, job: Job, spec: RenderSpec, images: Callable[[int, int], None]) -> Rendered:
        samples = job.samples

        def planned(count: int) -> None:
            nonlocal samples
            samples = count

        def drawn(style: StyleName, partition: Partition) -> None:
            metrics.IMAGES.inc(style, partition)

        def stage(name: str, seconds: float) -> None:
            metrics.STAGES.observe(seconds, name)

        assignment = Assignment(job.model, job.annotation, job.samples, job.render_key, spec, job.provenance)
        catalog = Catalog(self._store)
        assignment = with_understudies(by_pictures(assignment, catalog, self._blender), catalog)
        reporter = Reporter(lambda count: images(count, samples), stage, drawn, planned)
        manifest = render(assignment, self._store, self._blender, reporter)
        return Rendered(manifest.warnings, manifest.samples)

    def resident(self) -> int:
        """Bytes of Blender's memory."""
        return self._blender.resident()

    def interrupt(self, error: FarmError) -> None:
        """Kill Blender; whoever waits for it gets `error`."""
        self._blender.interrupt(error)


@cache
def _blender() -> Blender:
    settings = Settings()
    return Blender(settings.require_gpu, int(settings.blender_memory_gib * 2**30), ahead.take())


@cache
def _runner() -> JobRunner:
    settings = Settings()
    connection = Connection(settings.redis_url, settings.lease_seconds)
    queue = Queue(connection)
    renderer = BlenderRenderer(open_store(settings, _STORE_PATIENCE_SECONDS), _blender())
    memory = int(settings.blender_memory_gib * 2**30)
    heart = Heart(queue, renderer, shutdown.due, settings.job_seconds, memory)
    heart.start()
    return JobRunner(node(settings), JobStore(connection), queue, Workers(connection), renderer, heart)


def _reserve() -> None:
    """Have the room to count in; without, this process takes no job, and Celery puts another in its place in a while."""
    told = False
    while "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        try:
            exposition.reserve()
            return
        except OSError as error:
            if not free_space.is_want_of(error):
                raise
            if not told:
                place = Path(tempfile.gettempdir())
                log.warning("this process waits. %s", free_space.full(place, free_space.ROOM_FOR_TEMPORARY))
            told = True
            time.sleep(_ROOM_SECONDS)


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _begin(**_: object) -> None:
    die_with_parent()
    # A closing terminal tells all processes; the main one says what is done about it.
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    _reserve()
    _blender().launch()  # it gets ready while the first job is on its way


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _end(**_: object) -> None:
    _blender().stop()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]


# Nobody is told of tickets: Flower shows the attempts (`farm.flower`), and a ticket may wake a worker for none or for many.
@app.task(name=RENDER_TASK, send_events=False)  # type: ignore[untyped-decorator]
def render_next() -> None:
    """Render the next job, if there is one. Every outcome is in the job's record; the task itself always ends well."""
    _runner().wake(shutdown.announced)
