"""The state machine of a job (one model in one batch), without I/O.

    queued -> leased -> rendering -> uploading -> done
       ^         |          |            |
       |_________|__________|____________|------> failed        (the model is at fault: no attempt could end better)
                 |                       '------> quarantined   (three attempts broke down)
                 '-- handed back, or lost with its worker: waits, then queued again
    all but the ended -> cancelled;   failed, quarantined, cancelled -> queued, when a user asks for a retry

Every change names the attempt that makes it. An attempt that is no longer the job's own (its worker was thought lost
and the job went to another) is refused with StaleAttempt: of two workers on one job, one counts.

A pause belongs to the batch, not to the job: a paused batch's jobs are queued, and nobody takes them.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields, replace
from enum import StrEnum
from typing import Any, Literal, get_args

from farm.errors import ConflictError, WithdrawnModelError
from farm.morphs.provenance import NOBODYS, Provenance
from farm.morphs.refs import Annotation, packed, unpacked

MAX_ATTEMPTS = 3
"""Attempts that may break down before a job is quarantined."""
MAX_WAIT_SECONDS = 60.0
WORKER_LOST = "worker-lost"
"""The code of an attempt whose worker fell silent."""
MAX_FORGIVEN = 5
"""Attempts that may be forgiven to a job: one at which worker after worker falls silent is not looked at by chance."""
KEPT_ATTEMPTS = 10
"""Ended attempts that a job remembers; a job handed back every minute for a month must not grow."""


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    """Waits for a worker."""
    LEASED = "leased"
    """A worker has it and loads the model."""
    RENDERING = "rendering"
    """Blender draws it."""
    UPLOADING = "uploading"
    """Everything is drawn; the shards go to the store."""
    DONE = "done"
    """Its manifest is in the store."""
    FAILED = "failed"
    """The model cannot be drawn; `error_code` and `error` say why."""
    QUARANTINED = "quarantined"
    """Attempts on it broke down `MAX_ATTEMPTS` times; a person should look at it before it costs more workers."""
    CANCELLED = "cancelled"
    """A user took it back."""

    @property
    def active(self) -> bool:
        """Whether a worker has the job."""
        return self in _ACTIVE

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self in _ENDED

    @property
    def went_wrong(self) -> bool:
        """Whether the job ended without pictures, and nobody wanted that."""
        return self in WENT_WRONG


class Work(StrEnum):
    """What a job is to leave in the store."""

    RESULT = "result"
    """Samples of a model, as the batch's specification says."""
    INSPECTION = "inspection"
    """The pictures by which a person annotates the model, see `farm.inspection`."""


type Retriable = Literal[State.FAILED, State.QUARANTINED, State.CANCELLED]
WENT_WRONG: tuple[Retriable, ...] = (State.FAILED, State.QUARANTINED)
RETRIABLE: tuple[State, ...] = get_args(Retriable.__value__)
"""How a job ends without pictures; a user may have it tried again."""
_ACTIVE = frozenset((State.LEASED, State.RENDERING, State.UPLOADING))
_ENDED = frozenset((State.DONE, *RETRIABLE))


class StaleAttempt(ConflictError):
    """Another attempt owns the job, or it has ended."""

    code = "stale-attempt"


@dataclass(frozen=True, slots=True)
class Attempt:
    """An attempt that ended without a result."""

    number: int
    worker: str
    code: str
    error: str
    at: float
    """When it ended: seconds since the epoch by the store's clock, the only clock that all agree on."""
    counted: bool
    """Whether it counts towards `MAX_ATTEMPTS`: a hand-back or an outage of a service does not."""


@dataclass(frozen=True, slots=True)
class Job:
    """One model in one batch."""

    id: str
    """`<batch>-<index>`; the index is its place in the batch, from 0."""
    model: str
    """Content hash of the model."""
    name: str
    """The model's label, for people."""
    annotation: Annotation
    samples: int
    """As ordered, until an attempt tells how many the model's pictures allow."""
    images_total: int
    """Pictures of so many samples."""
    render_key: str
    provenance: Provenance = NOBODYS
    work: Work = Work.RESULT
    state: State = State.QUEUED
    attempt: int = 0
    """How many attempts have begun; the present one's number while a worker has the job."""
    worker: str = ""
    """Who has the job, or had it last."""
    images_done: int = 0
    wait: float = 0.0
    """Seconds for which a job just given back is not handed out."""
    error_code: str = ""
    error: str = ""
    warnings: tuple[str, ...] = ()
    attempts: tuple[Attempt, ...] = ()
    """Those that ended without a result, oldest first."""

    @property
    def batch(self) -> str:
        """The batch it belongs to."""
        return self.id.rpartition("-")[0]

    @property
    def index(self) -> int:
        """Its place in the batch."""
        return int(self.id.rpartition("-")[2])

    @property
    def withdrawn(self) -> bool:
        """Whether its model was taken back: there are no pictures of it, or no longer."""
        return self.state.ended and self.error_code == WithdrawnModelError.code

    @property
    def reason(self) -> str:
        """The code of why it has no pictures though somebody may look for them; else empty."""
        return self.error_code if self.state.went_wrong or self.withdrawn else ""

    @property
    def losses(self) -> int:
        """Attempts that count towards `MAX_ATTEMPTS`."""
        return sum(attempt.counted for attempt in self.attempts)

    @property
    def present_counts(self) -> bool:
        """Whether the newest attempt ended, and counts towards `MAX_ATTEMPTS`."""
        return any(attempt.counted and attempt.number == self.attempt for attempt in self.attempts[-1:])

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; fields that have their default are left out, since farms hold a million of these."""
        values = {f.name: value for f in fields(self) if (value := getattr(self, f.name)) != f.default}
        values["annotation"] = packed(self.annotation)
        if self.provenance != NOBODYS:
            values["provenance"] = self.provenance.model_dump()
        if self.attempts:
            values["attempts"] = [asdict(attempt) for attempt in self.attempts]
        return values

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Job":
        """The inverse of `to_json`; jobs of earlier versions, whose annotation knows names alone, are read as well."""
        return Job(
            **{
                **values,
                "annotation": unpacked(values["annotation"]),
                "provenance": Provenance.model_validate(values.get("provenance", {})),
                "state": State(values.get("state", State.QUEUED)),
                "work": Work(values.get("work", Work.RESULT)),
                "warnings": tuple(values.get("warnings", ())),
                "attempts": tuple(Attempt(**attempt) for attempt in values.get("attempts", ())),
            }
        )


def job_id(batch: str, index: int) -> str:
    """The id of the job at a place in a batch."""
    return f"{batch}-{index}"


INVARIANTS: dict[str, Callable[[Job], bool]] = {
    "images drawn lie between none and all": lambda job: 0 <= job.images_done <= job.images_total,
    "a done job has all its images": lambda job: job.state is not State.DONE or job.images_done == job.images_total,
    "who works on a job is known": lambda job: not job.state.active or (job.worker != "" and job.attempt > 0),
    "a job that went wrong says why": lambda job: (
        not job.state.went_wrong or (job.error_code != "" and job.error != "")
    ),
    "a queued job has attempts left": lambda job: job.state is not State.QUEUED or job.losses < MAX_ATTEMPTS,
    "only quarantined jobs and those after them used up their attempts": lambda job: job.losses <= MAX_ATTEMPTS,
    "attempts end in their order, before the present one": lambda job: (
        list(numbers := [attempt.number for attempt in job.attempts]) == sorted(set(numbers))
        and (not numbers or numbers[-1] <= job.attempt)
    ),
    "only a queued job waits": lambda job: job.wait == 0 or job.state is State.QUEUED,
    "its memory is bounded": lambda job: len(job.attempts) <= KEPT_ATTEMPTS,
}
"""What holds for every job at any time, by name."""


def broken_invariants(job: Job) -> list[str]:
    """The names of the invariants that do not hold for `job`."""
    return [name for name, holds in INVARIANTS.items() if not holds(job)]


def claim(job: Job, worker: str) -> Job:
    """A worker begins an attempt on a queued job."""
    if job.state is not State.QUEUED:
        raise StaleAttempt(f"Job {job.id} is {job.state} already.")
    return replace(job, state=State.LEASED, attempt=job.attempt + 1, worker=worker, wait=0.0)


def _own(job: Job, attempt: int) -> None:
    if not job.state.active or job.attempt != attempt:
        raise StaleAttempt(f"Attempt {attempt} of job {job.id} is over: the job is {job.state}, attempt {job.attempt}.")


def with_samples(job: Job, samples: int | None) -> Job:
    """The job with so many samples, and as many images as they have; None: as it is."""
    if samples is None or samples == job.samples:
        return job
    total = job.images_total // job.samples * samples
    return replace(job, samples=samples, images_total=total, images_done=min(job.images_done, total))


def progress(job: Job, attempt: int, images_done: int, samples: int | None = None) -> Job:
    """The attempt has `images_done` images so far, those that it found from earlier attempts included.

    `samples` is how many the result will have, where that is known to the attempt.
    """
    _own(job, attempt)
    job = with_samples(job, samples)
    done = max(0, min(images_done, job.images_total))
    state = State.UPLOADING if done == job.images_total else State.RENDERING
    return replace(job, state=state, images_done=done)


def finish(job: Job, attempt: int, warnings: tuple[str, ...] = (), samples: int | None = None) -> Job:
    """The manifest is stored, of so many samples. Said twice, since the answer to the first was lost, it changes nothing."""
    if job.state is State.DONE and job.attempt == attempt:
        return job
    _own(job, attempt)
    job = with_samples(job, samples)
    return replace(
        job, state=State.DONE, images_done=job.images_total, warnings=warnings, error_code="", error=""
    )  # fmt: skip


def fail(job: Job, attempt: int, code: str, error: str) -> Job:
    """The model cannot be drawn; trying again would not help."""
    _own(job, attempt)
    return replace(job, state=State.FAILED, error_code=code, error=error)


def lose(job: Job, attempt: int, code: str, error: str, at: float) -> Job:
    """The attempt broke down: the job waits and is tried again, or is quarantined when that happened too often."""
    given_back = _ended(job, attempt, code, error, at, counted=True)
    if given_back.losses < MAX_ATTEMPTS:
        return given_back
    return replace(given_back, state=State.QUARANTINED, wait=0.0)


def forgive(job: Job, attempt: int) -> Job:
    """The worker that was thought lost in this attempt speaks: it was cut off, or its machine slept.

    So nothing is said against the job, and one that was quarantined for it is queued again.
    """
    lost = [a for a in job.attempts if a.code == WORKER_LOST]
    if sum(not a.counted for a in lost) >= MAX_FORGIVEN or not any(a.number == attempt and a.counted for a in lost):
        return job
    attempts = tuple(replace(a, counted=a.counted and a.number != attempt) for a in job.attempts)
    state = State.QUEUED if job.state is State.QUARANTINED else job.state
    return replace(job, attempts=attempts, state=state)


def hand_back(job: Job, attempt: int, code: str, error: str, at: float, wait: float = 0.0, kept: bool = False) -> Job:
    """The worker stops, or a service is away: nobody can say anything against the job, which is queued again.

    `wait` is how many seconds it is not to be handed out. `kept`: what is drawn stands in checkpoints, so the images still
    count.
    """
    given_back = _ended(job, attempt, code, error, at, counted=False)
    images = job.images_done if kept else 0
    return replace(given_back, wait=min(wait, MAX_WAIT_SECONDS), images_done=images)


def _ended(job: Job, attempt: int, code: str, error: str, at: float, counted: bool) -> Job:
    _own(job, attempt)
    ended = Attempt(job.attempt, job.worker, code, error, at, counted)
    # What counts is kept before what does not: hand-backs must not push a loss out of memory.
    kept = [*job.attempts, ended]
    if len(kept) > KEPT_ATTEMPTS:
        kept.remove(next((a for a in kept if not a.counted), kept[0]))
    after = replace(
        job, state=State.QUEUED, images_done=0, error_code=code, error=error, attempts=tuple(kept)
    )  # fmt: skip
    return replace(after, wait=min(MAX_WAIT_SECONDS, 2.0**after.losses))


def cancel(job: Job) -> Job:
    """A user takes the job back; an ended job stays as it is."""
    return job if job.state.ended else replace(job, state=State.CANCELLED, wait=0.0)


def withdraw(job: Job, error: str) -> Job:
    """Its model is taken back, as the sentence `error` tells: it is cancelled unless it has ended, and says why."""
    return replace(cancel(job), error_code=WithdrawnModelError.code, error=error)


def retry(job: Job) -> Job:
    """A user wants a failed, quarantined or cancelled job tried again, with all its attempts; others stay as they are, and
    those whose model was withdrawn."""
    if job.state not in RETRIABLE or job.withdrawn:
        return job
    forgiven = tuple(replace(attempt, counted=False) for attempt in job.attempts)
    return replace(job, state=State.QUEUED, images_done=0, error_code="", error="", attempts=forgiven, wait=0.0)
