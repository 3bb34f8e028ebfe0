"""What the farm has, as HTTP shows it."""

from collections.abc import Mapping
from datetime import UTC, datetime

from api.schemas import AttemptView, BatchView, JobView, ModelView, RefusedModel, WebhookRequest, WorkerJob, WorkerView
from farm.jobs.batches import Batch, Webhook
from farm.jobs.states import Job
from farm.jobs.workers import Worker
from farm.models.incoming import Refusal
from farm.uploads import TakenModel


def model_view(model: TakenModel) -> ModelView:
    """A model as HTTP shows it."""
    return ModelView(id=model.id, name=model.name, inventory=model.inventory)


def refused_model(refusal: Refusal) -> RefusedModel:
    """A refused model as HTTP shows it."""
    return RefusedModel(name=refusal.name, code=refusal.error.code, message=str(refusal.error))


def webhook_of(request: WebhookRequest | None) -> Webhook | None:
    """A webhook as the farm keeps it."""
    return Webhook(request.url, request.secret) if request else None


def batch_view(batch: Batch) -> BatchView:
    """A batch as HTTP shows it."""
    return BatchView(
        id=batch.id,
        name=batch.record.name,
        created=datetime.fromisoformat(batch.record.created),
        owner=batch.record.owner,
        spec=batch.record.spec,
        priority=batch.priority,
        paused=batch.paused,
        jobs=batch.counts,
        images_total=batch.images_total,
        images_done=batch.images_done,
        errors=batch.errors,
        rate=batch.rate,
        eta_seconds=batch.eta_seconds,
        ended=batch.ended,
        ended_at=_moment(batch.ended_at) if batch.ended_at is not None else None,
    )


def job_view(job: Job) -> JobView:
    """A job as HTTP shows it."""
    return JobView(
        id=job.id,
        batch=job.batch,
        model=job.model,
        name=job.name,
        state=job.state,
        attempt=job.attempt,
        worker=job.worker,
        samples=job.samples,
        images_total=job.images_total,
        images_done=job.images_done,
        annotation=job.annotation,
        provenance=job.provenance,
        render_key=job.render_key,
        error_code=job.error_code,
        error=job.error,
        warnings=list(job.warnings),
        attempts=[
            AttemptView(
                number=attempt.number,
                worker=attempt.worker,
                code=attempt.code,
                error=attempt.error,
                at=_moment(attempt.at),
                counted=attempt.counted,
            )
            for attempt in job.attempts
        ],
    )


def worker_view(worker: Worker, jobs: Mapping[str, list[Job]]) -> WorkerView:
    """A worker as HTTP shows it; `jobs` is what every worker is at."""
    return WorkerView(
        name=worker.name,
        alive=worker.alive,
        seen_seconds=worker.seen_seconds,
        started=_moment(worker.started),
        concurrency=worker.concurrency,
        renderer=worker.renderer,
        done=worker.done,
        lost=worker.lost,
        blamed=worker.blamed,
        drained=worker.drained,
        jobs=[
            WorkerJob(
                id=job.id,
                name=job.name,
                images_done=job.images_done,
                images_total=job.images_total,
                state=job.state,
            )
            for job in jobs.get(worker.name, [])
        ],
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds, 3), UTC)
