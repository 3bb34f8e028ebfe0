"""What follows from a change of a job: counters, lease, queue. Pure; `lua/commit.lua` carries it out in the same step."""

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from farm.jobs.states import Job, State

IMAGES_TOTAL, IMAGES_DONE = "images_total", "images_done"


@dataclass(frozen=True, slots=True)
class Effects:
    """What changes beside the job itself."""

    counts: dict[str, int]
    """Changes of the counters of the batch and of the farm: jobs by state, images_total, images_done."""
    backlog: int
    """Change of the images that the farm still owes: those of jobs that have not ended and that are not drawn."""
    errors: dict[str, int]
    """Changes of the batch's jobs without pictures by code: `Job.reason`."""
    drawn: int
    """Images that became known as drawn; never negative, for the rate."""
    leased: bool
    """Whether a worker has the job afterwards; its lease begins anew."""
    unqueued: bool
    """Whether it was queued and is not any more: wherever it waited, it gives up its place."""
    queued: Literal["", "front", "back"]
    """Where in its batch's queue it goes: in front when a worker had it, since it was there before; else behind."""
    wait: float
    """Seconds before it does."""
    open: int
    """Change of the number of jobs that have not ended."""
    model: str
    model_uses: int
    """Change of the number of jobs that have not ended and need the model."""


def effects(before: Job | None, after: Job) -> Effects:
    """What follows when a job goes from `before` (None: it is new) to `after`."""
    counts: Counter[str] = Counter()
    errors: Counter[str] = Counter()
    backlog = opened = 0
    for job, sign in ((before, -1), (after, 1)):
        if job is None:
            continue
        counts[job.state] += sign
        counts[IMAGES_DONE] += sign * job.images_done
        counts[IMAGES_TOTAL] += sign * job.images_total
        if job.reason:
            errors[job.reason] += sign
        if not job.state.ended:
            opened += sign
            # Ended jobs leave the backlog with all their images.
            backlog += sign * (job.images_total - job.images_done)
    waited, waits = before is not None and before.state is State.QUEUED, after.state is State.QUEUED
    queued: Literal["", "front", "back"] = ""
    if waits and not waited:
        queued = "front" if before is not None and before.state.active else "back"
    return Effects(
        counts={name: change for name, change in counts.items() if change},
        backlog=backlog,
        errors={code: change for code, change in errors.items() if change},
        drawn=max(0, counts[IMAGES_DONE]),
        leased=after.state.active,
        unqueued=waited and not waits,
        queued=queued,
        wait=after.wait if queued else 0.0,
        open=opened,
        model=after.model,
        model_uses=opened,
    )
