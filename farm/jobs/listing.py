"""Pages of batches and jobs for whoever looks at a farm: filtered, and never more work than a page is worth."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

from farm.errors import NotFoundError
from farm.jobs.batches import Batch
from farm.jobs.queue import Queue
from farm.jobs.states import Job, State
from farm.jobs.store import JobStore

_AT_ONCE = 100
_LOOKED_AT = 2000
"""Batches that one page looks at; a rare name is found over several pages, some of them empty."""


class BatchState(StrEnum):
    """How a batch stands, for people."""

    ACTIVE = "active"
    """Jobs wait or run."""
    PAUSED = "paused"
    """Jobs wait, and nobody takes them."""
    ENDED = "ended"
    """Every job has ended."""


@dataclass(frozen=True, slots=True)
class Page[T]:
    """A page of a list."""

    items: Sequence[T]
    next: int | None
    """Where the next page begins; None: there is no more."""


def state_of(batch: Batch) -> BatchState:
    """How the batch stands."""
    if batch.ended:
        return BatchState.ENDED
    return BatchState.PAUSED if batch.paused else BatchState.ACTIVE


def page_of_batches(
    jobs: JobStore, limit: int, before: int | None = None, wanted: BatchState | None = None, name: str = ""
) -> Page[Batch]:
    """Up to `limit` batches, newest first: of those with a sequence below `before`, those that stand as `wanted` and
    have `name` in their names. The page may be empty although it has a next one."""
    found: list[Batch] = []
    last = 0
    for looked_at, batch in enumerate(_newest(jobs, before)):
        if len(found) == limit or looked_at == _LOOKED_AT:
            return Page(found, last)
        last = batch.sequence
        if (wanted is None or state_of(batch) is wanted) and name in batch.record.name:
            found.append(batch)
    return Page(found, None)


def _newest(jobs: JobStore, before: int | None) -> Iterator[Batch]:
    while page := jobs.batches(_AT_ONCE, before):
        yield from page
        before = page[-1].sequence


def page_of_jobs(
    jobs: JobStore, batch: str, limit: int, first: int = 0, states: frozenset[State] = frozenset()
) -> Page[Job]:
    """Up to `limit` jobs of the batch in order of submission, from place `first` on. Raises NotFoundError."""
    found = jobs.jobs(batch, first, limit + 1, states)
    return Page(found[:limit], found[limit].index if len(found) > limit else None)


def jobs_by_worker(jobs: JobStore, queue: Queue) -> dict[str, list[Job]]:
    """What every worker is at."""
    found: dict[str, list[Job]] = {}
    for job_id in queue.leased():
        try:
            job = jobs.job(job_id)
        except NotFoundError:
            continue  # its batch was forgotten meanwhile
        if job.state.active:
            found.setdefault(job.worker, []).append(job)
    return found
