"""What an operator wants to know at a glance: how batches stand, why jobs failed, what keeps the farm from working."""

from collections import OrderedDict
from collections.abc import Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from threading import Lock

from farm.dataset.contact_sheet import chosen_samples
from farm.dataset.manifest import image_file, view_suffix
from farm.errors import WithdrawnModelError
from farm.jobs.batches import Batch, Totals
from farm.jobs.listing import Page
from farm.jobs.states import WENT_WRONG, Job, State
from farm.jobs.store import JobStore
from farm.jobs.workers import Worker
from farm.pipe import View
from farm.poses import Partition
from farm.spec import RenderSpec, StyleName

_REMEMBERED = 1000
"""Examples of failures."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Why jobs of a batch failed."""

    code: str
    count: int
    """Jobs with this code that have no pictures (`Job.reason`)."""
    example: Job | None
    """One of them, whose sentence says more; None when they were tried again meanwhile."""


@dataclass(frozen=True, slots=True)
class Picture:
    """Where one picture of a result is found."""

    style: StyleName
    partition: Partition
    file: str


class Reasons:
    """Why jobs failed. To be kept while batches are looked at again and again: it remembers the examples that it found."""

    def __init__(self, jobs: JobStore) -> None:
        self._jobs = jobs
        self._lock = Lock()
        self._examples: OrderedDict[tuple[str, str], str] = OrderedDict()
        """(batch, code) to the id of a job that failed like this; a rare one stands behind thousands that did not."""

    def of(self, batch: Batch) -> list[Reason]:
        """The batch's failures by their codes, the most frequent first. Raises NotFoundError."""
        wanted = {code for code, count in batch.errors.items() if count}
        examples = {code: job for code in wanted if (job := self._remembered(batch.id, code))}
        if wanted - examples.keys():
            for job in _failures(self._jobs, batch.id, 0, wanted):
                examples.setdefault(job.error_code, job)
                if wanted <= examples.keys():
                    break
            self._remember(batch.id, examples)
        found = [Reason(code, batch.errors[code], examples.get(code)) for code in wanted]
        return sorted(found, key=lambda reason: (-reason.count, reason.code))

    def _remembered(self, batch: str, code: str) -> Job | None:
        """The example found before, if it still is one."""
        with self._lock:
            known = self._examples.get((batch, code))
        if known is None:
            return None
        job = self._jobs.job(known)
        return job if job.reason == code else None

    def _remember(self, batch: str, examples: Mapping[str, Job]) -> None:
        with self._lock:
            for code, job in examples.items():
                self._examples[batch, code] = job.id
                self._examples.move_to_end((batch, code))
            while len(self._examples) > _REMEMBERED:
                self._examples.popitem(last=False)


def page_of_failures(jobs: JobStore, batch: str, code: str, limit: int, first: int = 0) -> Page[Job]:
    """Up to `limit` of the batch's jobs that failed with `code`, from place `first` on. Raises NotFoundError."""
    found: list[Job] = []
    for job in _failures(jobs, batch, first, {code}):
        if job.error_code == code:
            if len(found) == limit:
                return Page(found, job.index)
            found.append(job)
    return Page(found, None)


def _failures(jobs: JobStore, batch: str, first: int, codes: Set[str]) -> Iterator[Job]:
    """The batch's jobs with one of `codes` for a `reason`, read in pieces: whoever asks seldom needs all of them."""
    at_once = 100
    states = State if WithdrawnModelError.code in codes else WENT_WRONG  # done and cancelled ones may say so, too
    while piece := jobs.jobs(batch, first, at_once, frozenset(states)):
        yield from (job for job in piece if job.reason in codes)
        if len(piece) < at_once:
            return
        first = piece[-1].index + 1


def failed(counts: Mapping[State, int]) -> int:
    """How many of these jobs went wrong."""
    return sum(counts[state] for state in WENT_WRONG)


def running(counts: Mapping[State, int]) -> int:
    """How many of these jobs workers have."""
    return sum(count for state, count in counts.items() if state.active)


def state_word(batch: Batch) -> str:
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
