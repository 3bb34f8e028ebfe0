"""Routes for batches."""

from typing import Annotated

from fastapi import APIRouter, Query

from api.parts import PartsOf
from api.schemas import BatchRequest, BatchView, JobView, batch_view, job_view
from farm.jobs.submission import Entry, cancel_batch, submit
from farm.morphs.annotation import read_table

router = APIRouter(prefix="/v1/batches", tags=["batches"])


@router.post("", status_code=201)
def create(request: BatchRequest, parts: PartsOf) -> BatchView:
    """Render a list of models: one job a model."""
    table = read_table(request.mapping) if request.mapping is not None else None
    entries = [Entry(entry.id, entry.name or entry.id[:8]) for entry in request.models]
    return batch_view(submit(entries, request.spec, table, request.name, parts.catalog, parts.jobs, parts.enqueue))


@router.get("")
def newest(parts: PartsOf, limit: Annotated[int, Query(ge=1, le=100)] = 20) -> list[BatchView]:
    """The newest batches."""
    return [batch_view(batch) for batch in parts.jobs.batches(limit)]


@router.get("/{batch_id}")
def show(batch_id: str, parts: PartsOf) -> BatchView:
    """A batch and how far it is."""
    return batch_view(parts.jobs.batch(batch_id))


@router.get("/{batch_id}/jobs")
def jobs_of(
    batch_id: str,
    parts: PartsOf,
    first: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1000)] = 1000,
) -> list[JobView]:
    """The batch's jobs, in the order of submission."""
    parts.jobs.batch(batch_id)
    return [job_view(job) for job in parts.jobs.jobs(batch_id, first, limit)]


@router.post("/{batch_id}/cancel")
def cancel(batch_id: str, parts: PartsOf) -> BatchView:
    """Take back every job that has not ended."""
    return batch_view(cancel_batch(batch_id, parts.jobs))
