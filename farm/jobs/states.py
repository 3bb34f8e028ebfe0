"""The state machine of a job (one model in one batch), without I/O.

    queued -> rendering -> done
       ^          |------> failed        (the model is at fault, or the attempts are used up)
       |__________|                      (Blender died: another attempt)
    queued, rendering -> cancelled

Every change names the attempt that makes it. An attempt that is no longer the job's own (its worker was thought lost
and the job went to another) is refused with StaleAttempt: of two workers on one job, one counts.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from typing import Any

from farm.errors import ConflictError

MAX_ATTEMPTS = 3

type Settlement = Callable[["Job", int, str, str], "Job"]
"""How an attempt ends badly: (job, attempt, error code, message) to the new job."""


class State(StrEnum):
    """Where a job stands."""

    QUEUED = "queued"
    """Waits for a worker."""
    RENDERING = "rendering"
    """A worker has it."""
    DONE = "done"
    """Its manifest is in the store."""
    FAILED = "failed"
    """It cannot be done; `error_code` and `error` say why."""
    CANCELLED = "cancelled"
    """A user took it back."""

    @property
    def ended(self) -> bool:
        """Whether nothing more will happen to the job by itself."""
        return self in (State.DONE, State.FAILED, State.CANCELLED)


class StaleAttempt(ConflictError):
    """Another attempt owns the job, or it has ended."""

    code = "stale-attempt"


@dataclass(frozen=True, slots=True)
class Job:
    """One model in one batch."""

    id: str
    batch: str
    model: str
    """Content hash of the model."""
    name: str
    """The model's label, for people."""
    annotation: dict[str, str]
    samples: int
    images_total: int
    render_key: str
    state: State = State.QUEUED
    attempt: int = 0
    """How many attempts have begun; the present one's number while rendering."""
    images_done: int = 0
    error_code: str = ""
    error: str = ""
    warnings: tuple[str, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        return asdict(self)

    @staticmethod
    def from_json(values: dict[str, Any]) -> "Job":
        """The inverse of `to_json`."""
        return Job(**{**values, "state": State(values["state"]), "warnings": tuple(values["warnings"])})


def claim(job: Job) -> Job:
    """A worker begins an attempt. A job that is rendering may be claimed again: its worker was lost."""
    if job.state.ended:
        raise StaleAttempt(f"Job {job.id} is {job.state} already.")
    if job.attempt >= MAX_ATTEMPTS:
        return replace(
            job,
            state=State.FAILED,
            error_code=job.error_code or "attempts-used-up",
            error=job.error or f"Its worker was lost {MAX_ATTEMPTS} times; see the workers' logs.",
        )
    return replace(job, state=State.RENDERING, attempt=job.attempt + 1, images_done=0)


def _own(job: Job, attempt: int) -> None:
    if job.state is not State.RENDERING or job.attempt != attempt:
        raise StaleAttempt(f"Attempt {attempt} of job {job.id} is over: the job is {job.state}, attempt {job.attempt}.")


def progress(job: Job, attempt: int, images_done: int) -> Job:
    """The attempt has drawn `images_done` images so far."""
    _own(job, attempt)
    return replace(job, images_done=max(job.images_done, min(images_done, job.images_total)))


def finish(job: Job, attempt: int, warnings: tuple[str, ...]) -> Job:
    """The manifest is stored."""
    _own(job, attempt)
    return replace(job, state=State.DONE, images_done=job.images_total, warnings=warnings, error_code="", error="")


def fail(job: Job, attempt: int, code: str, message: str) -> Job:
    """The model cannot be drawn; trying again would not help."""
    _own(job, attempt)
    return replace(job, state=State.FAILED, error_code=code, error=message)


def give_back(job: Job, attempt: int, code: str, message: str) -> Job:
    """The attempt broke down; the job waits again, or has failed when its attempts are used up."""
    _own(job, attempt)
    state = State.FAILED if attempt >= MAX_ATTEMPTS else State.QUEUED
    return replace(job, state=state, images_done=0, error_code=code, error=message)


def cancel(job: Job) -> Job:
    """A user takes the job back; an ended job stays as it is."""
    return job if job.state.ended else replace(job, state=State.CANCELLED)
