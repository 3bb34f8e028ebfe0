"""What an operator wants to know at a glance: how batches stand, why jobs failed, what keeps the farm from working."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from farm.dataset.contact_sheet import chosen_samples
from farm.dataset.manifest import image_file, view_suffix
from farm.jobs.batches import Batch, Totals
from farm.jobs.listing import Page
from farm.jobs.states import Job, State
from farm.jobs.store import JobStore
from farm.jobs.workers import Worker
from farm.pipe import View
from farm.poses import Partition
from farm.spec import RenderSpec, StyleName


FAILURES = frozenset((State.FAILED, State.QUARANTINED))
"""How a job ends that went wrong."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why jobs of a batch failed."""

    code: str
    count: int
    """Failed and quarantined jobs with this code."""
    example: Job | None
    """The first of them, whose sentence says more; None when it was tried again meanwhile."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Where one picture of a result is found."""

    style: StyleName
    partition: Partition
    file: str


def reasons(jobs: JobStore, batch: Batch) -> list[Reason]:
    """The batch's failures by their codes, the most frequent first. Raises NotFoundError."""
    wanted = {code for code, count in batch.errors.items() if count}
    examples: dict[str, Job] = {}
    for job in _failures(jobs, batch.id, 0) if wanted else ():
        examples.setdefault(job.error_code, job)
        if wanted <= examples.keys():
            break
    found = [Reason(code, batch.errors[code], examples.get(code)) for code in wanted]
    return sorted(found, key=lambda reason: (-reason.count, reason.code))


def page_of_failures(jobs: JobStore, batch: str, code: str, limit: int, first: int = 0) -> Page[Job]:
    """Up to `limit` of the batch's jobs that failed with `code`, from place `first` on. Raises NotFoundError."""
    found: list[Job] = []
    for job in _failures(jobs, batch, first):
        if job.error_code == code:
            if len(found) == limit:
                return Page(found, job.index)
            found.append(job)
    return Page(found, None)


def _failures(jobs: JobStore, batch: str, first: int) -> Iterator[Job]:
    """The batch's failed and quarantined jobs, read in parts: whoever asks seldom needs all of them."""
    at_once = 100
    while part := jobs.jobs(batch, first, at_once, FAILURES):
        yield from part
        if len(part) < at_once:
            return
        first = part[-1].index + 1


def failed(counts: Mapping[State, int]) -> int:
    """How many of these jobs went wrong."""
    return sum(counts[state] for state in FAILURES)


def running(counts: Mapping[State, int]) -> int:
    """How many of these jobs workers have."""
    return sum(count for state, count in counts.items() if state.active)


def standing_word(batch: Batch) -> str:
    """One word for how the batch stands; for one that has ended, for how."""
    if not batch.ended:
        return "paused" if batch.paused else "rendering" if running(batch.counts) else "queued"
    if failed(batch.counts):
        return "failures"
    return "cancelled" if batch.counts[State.CANCELLED] else "done"


def backlog_seconds(totals: Totals) -> float | None:
    """Until the farm has drawn all that it is asked for, at the rate of the last minute; None when that cannot be said."""
    if totals.rate <= 0 or totals.backlog_images == 0:
        return None
    return totals.backlog_images / totals.rate


def trouble(totals: Totals, workers: Sequence[Worker]) -> str:
    """What an operator should do something about, or nothing goes on; empty: all is well."""
    if not any(count for state, count in totals.counts.items() if not state.ended):
        return ""
    alive = [worker for worker in workers if worker.alive]
    if not alive:
        return "Jobs wait and no worker is there. Start one with `farm worker`, or look into the workers' logs."
    if all(worker.drained for worker in alive):
        return "Jobs wait and every worker is drained. See below why, and give one of them jobs again."
    return ""


def some_pictures(job: Job, spec: RenderSpec) -> list[Picture]:
    """A few pictures of a done job, spread over its samples: one partition and style each, in turns."""
    kinds = [(style, partition) for partition in spec.partitions for style in spec.styles]
    suffix = view_suffix(spec, View())
    return [
        Picture(*kinds[turn % len(kinds)], image_file(job.model, sample, suffix))
        for turn, sample in enumerate(chosen_samples(job.samples))
    ]
