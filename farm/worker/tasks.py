"""The Celery task: one job, from the claim to its end. Imported by worker processes only."""

import logging
import os
import time
from dataclasses import dataclass
from functools import cache

from celery.signals import worker_process_init, worker_process_shutdown
from prometheus_client import multiprocess

from farm.dataset.manifest import MANIFEST, Manifest, result_object
from farm.errors import BlenderDiedError, ConflictError, FarmError, ModelError, NotFoundError, RenderError
from farm.jobs import states
from farm.jobs.states import State
from farm.jobs.store import JobStore
from farm.poses import Partition
from farm.process import die_with_parent
from farm.settings import Settings
from farm.spec import StyleName
from farm.storage import ObjectStore, open_store
from farm.worker import metrics
from farm.worker.blender import Blender
from farm.worker.celery_app import RENDER_TASK, enqueue, make_app
from farm.worker.render import Reporter, render

log = logging.getLogger(__name__)
app = make_app(Settings())
_REPORT_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class _Tools:
    """What a worker process keeps from job to job."""

    jobs: JobStore
    store: ObjectStore
    blender: Blender


@cache
def _tools() -> _Tools:
    settings = Settings()
    return _Tools(JobStore(settings.redis_url), open_store(settings), Blender(settings.require_gpu))


@worker_process_init.connect  # type: ignore[untyped-decorator]
def _begin(**_: object) -> None:
    die_with_parent()
    _tools().blender.launch()  # it gets ready while the first job is on its way


@worker_process_shutdown.connect  # type: ignore[untyped-decorator]
def _stop_blender(**_: object) -> None:
    if _tools.cache_info().currsize:
        _tools().blender.stop()
    if "PROMETHEUS_MULTIPROC_DIR" in os.environ:
        multiprocess.mark_process_dead(os.getpid())  # type: ignore[no-untyped-call]


@app.task(name=RENDER_TASK)  # type: ignore[untyped-decorator]
def render_job(job_id: str) -> None:
    """Render one job. Every outcome is in the job's record; the task itself always ends well."""
    tools = _tools()
    try:
        job = tools.jobs.change(job_id, states.claim)
    except (ConflictError, NotFoundError) as error:
        log.info("job %s is not taken: %s", job_id, error)
        return
    if job.state is not State.RENDERING:
        log.error("job %s is given up: %s", job_id, error_line(job.error))
        return
    attempt = job.attempt
    log.info("job %s: model %s (%s), attempt %d", job_id, job.name, job.model[:12], attempt)
    reported = 0.0

    def images(count: int) -> None:
        nonlocal reported
        now = time.monotonic()
        if now - reported >= _REPORT_SECONDS:
            reported = now
            # Raises StaleAttempt when the job was cancelled or went to another worker.
            tools.jobs.change(job_id, lambda j: states.progress(j, attempt, count))

    def drawn(style: StyleName, partition: Partition) -> None:
        metrics.IMAGES.labels(style, partition).inc()

    def stage(name: str, seconds: float) -> None:
        metrics.STAGES.labels(name).observe(seconds)

    try:
        spec = tools.jobs.batch(job.batch).spec
        try:
            manifest_bytes = tools.store.get(result_object(job.render_key, MANIFEST))
            warnings = Manifest.model_validate_json(manifest_bytes).warnings
            log.info("job %s was rendered before", job_id)
        except NotFoundError:
            warnings = render(job, spec, tools.store, tools.blender, Reporter(images, stage, drawn))
            metrics.RENDERER.labels(tools.blender.renderer).set(1)
        tools.jobs.change(job_id, lambda j: states.finish(j, attempt, warnings))
        metrics.MODELS.labels("done").inc()
    except ConflictError as error:
        log.info("job %s is left: %s", job_id, error)
        if tools.jobs.job(job_id).state is State.CANCELLED:
            metrics.MODELS.labels("cancelled").inc()
        else:
            metrics.LOST.labels("stale-attempt").inc()
    except (ModelError, RenderError) as error:
        _settle(tools, job_id, attempt, error, states.fail)
    except Exception as error:
        # Blender died, the store or Redis failed, or we have a bug: another attempt, up to the limit.
        if not isinstance(error, FarmError):
            log.exception("job %s broke down", job_id)
        _settle(tools, job_id, attempt, error, states.give_back)


def error_line(text: str) -> str:
    """The first line of an error, for a log."""
    return text.split("\n", 1)[0]


def _settle(tools: _Tools, job_id: str, attempt: int, error: Exception, step: states.Settlement) -> None:
    code = error.code if isinstance(error, FarmError) else "internal-error"
    message = str(error) if isinstance(error, FarmError) else f"{type(error).__name__}: {error}"
    log.warning("job %s: %s: %s", job_id, code, message)
    try:
        job = tools.jobs.change(job_id, lambda j: step(j, attempt, code, message))
    except ConflictError as stale:
        log.info("job %s: %s", job_id, stale)
        return
    if job.state is State.FAILED:
        metrics.MODELS.labels("failed").inc()
    if job.state is State.QUEUED:
        metrics.LOST.labels(code).inc()
        if not isinstance(error, BlenderDiedError):
            time.sleep(2.0 * attempt)  # a service is away: asking again at once would use the attempts up
        enqueue(app, job_id)
