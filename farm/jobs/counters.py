"""The counters of a batch: what new jobs add up to, and what the numbers that Redis keeps say."""

import json
from collections.abc import Iterable, Mapping

from farm.jobs.batches import Batch, BatchRecord
from farm.jobs.effects import IMAGES_DONE, IMAGES_TOTAL, effects
from farm.jobs.states import Job, State

ERROR = "error:"
"""Before an error code, it names the counter of the jobs that ended with it (`Job.reason`)."""
_RATE_SLOT_SECONDS = 10
_RATE_SLOTS = 6


def sums(jobs: Iterable[Job]) -> tuple[dict[str, int], dict[str, int], int, int]:
    """The counters of new jobs, the uses of their models, the images they owe, how many have not ended."""
    counts: dict[str, int] = {}
    models: dict[str, int] = {}
    backlog = open_jobs = 0
    for job in jobs:
        follows = effects(None, job)
        for name, change in (*follows.counts.items(), *((ERROR + code, n) for code, n in follows.errors.items())):
            counts[name] = counts.get(name, 0) + change
        if follows.model_uses:
            models[job.model] = models.get(job.model, 0) + follows.model_uses
        backlog += follows.backlog
        open_jobs += follows.open
    return counts, models, backlog, open_jobs


def by_state(values: Mapping[str, str | int]) -> dict[State, int]:
    """Jobs by state, of counters as Redis has them."""
    return {state: int(values.get(state, 0)) for state in State}


def rate(slots: dict[str, str], time: float) -> float:
    """Images a second over the last minute before `time`, from images by ten-second slot."""
    present = int(time // _RATE_SLOT_SECONDS)
    recent = {int(slot): int(images) for slot, images in slots.items() if int(slot) > present - _RATE_SLOTS}
    if not recent:
        return 0.0
    # From the first slot that has anything: a batch that began ten seconds ago is not six times as slow as it is.
    seconds = time - min(recent) * _RATE_SLOT_SECONDS
    return sum(recent.values()) / max(1.0, seconds)


def batch_of(batch: str, values: dict[str, str], images_per_second: float) -> Batch:
    """The batch that Redis keeps as `values`."""
    return Batch(
        id=batch,
        record=BatchRecord.from_json(json.loads(values["record"])),
        sequence=int(values["sequence"]),
        priority=int(values.get("priority", 0)),
        paused=values.get("paused") == "1",
        counts=by_state(values),
        images_total=int(values.get(IMAGES_TOTAL, 0)),
        images_done=int(values.get(IMAGES_DONE, 0)),
        errors={name.removeprefix(ERROR): int(count) for name, count in values.items() if name.startswith(ERROR)},
        rate=images_per_second,
        ended_at=float(values["ended"]) if "ended" in values else None,
    )
