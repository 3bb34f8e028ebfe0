"""Routes for batches."""

import hashlib
from typing import Annotated

from fastapi import APIRouter, Header, Query, Response

from api.auth import PrincipalOf, needs
from api.ownership import NO_PREVIEW_AGAIN, OWN_BATCH
from api.schemas import (
    BatchesPage,
    BatchPath,
    BatchRequest,
    BatchView,
    JobsPage,
    PriorityRequest,
    RetryAnswer,
    RetryRequest,
    WebhookView,
)
from api.services import ServicesOf
from api.views import batch_view, job_view, webhook_of
from farm.errors import ForbiddenError, NotFoundError
from farm.jobs.listing import BatchState, page_of_batches, page_of_jobs
from farm.jobs.states import State
from farm.jobs.submission import Entry, Request
from farm.jobs.webhooks import check_webhook, deliveries
from farm.keys import Role
from farm.morphs.annotation import read_table

router = APIRouter(prefix="/v1/batches", tags=["batches"])
_REPLAYED = "Idempotent-Replayed"


@router.post(
    "",
    status_code=201,
    dependencies=[needs(Role.SUBMIT)],
    responses={
        200: {
            "model": BatchView,
            "description": "The batch that this request made before",
            "headers": {_REPLAYED: {"schema": {"const": "true"}}},
        }
    },
)
def create(
    request: BatchRequest,
    services: ServicesOf,
    who: PrincipalOf,
    response: Response,
    idempotency_key: Annotated[
        str,
        Header(pattern="^[ -~]{1,200}$", description="Your own name for this request: sent again, it makes nothing"),
    ] = "",
) -> BatchView:
    """Render a list of models: one job a model.

    Under an `Idempotency-Key` that came before with the same request, the answer is 200 and shows the batch of then;
    with another request it is 409.
    """
    if request.priority > 0 and not who.may(Role.OPERATE):
        raise ForbiddenError(f"A priority above 0 needs the role {Role.OPERATE}; leave it out, or ask an operator.")
    webhook = webhook_of(request.webhook)
    if webhook is not None:
        check_webhook(webhook, services.settings.webhook_private)
    batch, new = services.batches.submit(
        Request(
            entries=[Entry(entry.id, entry.name or entry.id[:8]) for entry in request.models],
            spec=services.asked(request.spec),
            table=read_table(request.mapping) if request.mapping is not None else None,
            name=request.name,
            priority=request.priority,
            paused=request.paused,
            webhook=webhook,
            owner=who.name,
            bound=not who.may(Role.OPERATE),
            # Two users who take the same key mean two requests.
            idempotency_key=f"{who.name}\0{idempotency_key}" if idempotency_key else "",
            fingerprint=hashlib.sha256(request.model_dump_json().encode()).hexdigest() if idempotency_key else "",
        )
    )
    if not new:
        response.status_code = 200
        response.headers[_REPLAYED] = "true"
    return batch_view(batch)


@router.get("", dependencies=[needs(Role.READ)])
def batches(
    services: ServicesOf,
    cursor: Annotated[str, Query(pattern="^([0-9]{1,15})?$", description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
    state: Annotated[BatchState | None, Query(description="Only batches that stand like this")] = None,
    name: Annotated[str, Query(max_length=200, description="Only batches with this in their names")] = "",
) -> BatchesPage:
    """The batches, newest first."""
    page = page_of_batches(services.jobs, limit, int(cursor) if cursor else None, state, name)
    return BatchesPage(
        batches=[batch_view(batch) for batch in page.items], next=None if page.next is None else str(page.next)
    )


@router.get("/{batch_id}", dependencies=[needs(Role.READ)])
def show(batch_id: BatchPath, services: ServicesOf) -> BatchView:
    """A batch and how far it is."""
    return batch_view(services.jobs.batch(batch_id))


@router.get("/{batch_id}/webhook", dependencies=[needs(Role.READ)])
def webhook(batch_id: BatchPath, services: ServicesOf) -> WebhookView:
    """How it went to tell the batch's webhook that it has ended; 404 for a batch without one."""
    services.jobs.batch(batch_id)
    (delivery,) = deliveries(services.connection, [batch_id])
    if delivery is None:
        raise NotFoundError(f"Batch {batch_id} has no webhook; one is named when a batch is submitted.")
    return WebhookView(state=delivery.state, tries=delivery.tries, last=delivery.last)


@router.get("/{batch_id}/jobs", dependencies=[needs(Role.READ)])
def jobs_of(
    batch_id: BatchPath,
    services: ServicesOf,
    cursor: Annotated[str, Query(pattern="^([0-9]{1,6})?$", description="`next` of the page before")] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    state: Annotated[list[State], Query(max_length=len(State), description="Only jobs in one of these states")] = [],  # noqa: B006 - FastAPI copies it
) -> JobsPage:
    """The batch's jobs, in the order of submission."""
    page = page_of_jobs(services.jobs, batch_id, limit, int(cursor or 0), frozenset(state))
    return JobsPage(jobs=[job_view(job) for job in page.items], next=None if page.next is None else str(page.next))


@router.post("/{batch_id}/cancel", dependencies=[needs(Role.SUBMIT), OWN_BATCH])
def cancel(batch_id: BatchPath, services: ServicesOf) -> BatchView:
    """Take back every job that has not ended; workers stop within seconds."""
    return batch_view(services.batches.cancel(batch_id))


@router.post("/{batch_id}/pause", dependencies=[needs(Role.SUBMIT), OWN_BATCH])
def pause(batch_id: BatchPath, services: ServicesOf) -> BatchView:
    """Stop the batch's jobs within seconds; what is drawn is kept."""
    return batch_view(services.batches.set_paused(batch_id, True))


@router.post("/{batch_id}/resume", dependencies=[needs(Role.SUBMIT), OWN_BATCH])
def resume(batch_id: BatchPath, services: ServicesOf) -> BatchView:
    """Let the jobs of a paused batch go on."""
    return batch_view(services.batches.set_paused(batch_id, False))


@router.post("/{batch_id}/retry", dependencies=[needs(Role.SUBMIT), OWN_BATCH, NO_PREVIEW_AGAIN])
def retry(batch_id: BatchPath, services: ServicesOf, request: RetryRequest | None = None) -> RetryAnswer:
    """Try jobs again that failed or were quarantined, or, when asked to, cancelled."""
    retried = services.batches.retry(batch_id, frozenset((request or RetryRequest()).states))
    return RetryAnswer(retried=retried, batch=batch_view(services.jobs.batch(batch_id)))


@router.put("/{batch_id}/priority", dependencies=[needs(Role.OPERATE)])
def set_priority(batch_id: BatchPath, request: PriorityRequest, services: ServicesOf) -> BatchView:
    """Change which batches go first; acts on queued and running jobs within seconds."""
    return batch_view(services.batches.set_priority(batch_id, request.priority))
