"""How many workers the work that is there wants. Pure: the API asks it for an autoscaler, and `farm simulate` for its policy.

What is held to, in this order:

- Whoever has a job keeps its pod: no fewer workers are wanted than have one.
- Workers that are there stay while a job is left for each of their Blenders: sending them away would save nothing, since
  the images cost the same time whoever draws them, and the rest would come later.
- All that is there is drawn within the target time, by workers as fast as was measured.
- No more workers than there are jobs for.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from math import ceil, isfinite

SLOT_SECONDS = 60
"""What workers report of their speed is summed up in slots of so many seconds of the farm's time."""
SLOTS_KEPT = 60
"""Those with reports, the newest: a farm that stood still for a week goes by what it knew before."""
_HALF_LIFE_SLOTS = 10.0
"""A slot that is older than the newest by so many counts for half."""
_ENOUGH_SECONDS = 10.0
"""Of a worker's time: one small model alone would say little."""
_MOST = 1_000_000
"""Workers; what is asked for is a number that an autoscaler can read, however slow one worker is."""


@dataclass(frozen=True, slots=True)
class Demand:
    """The work that is there and who is at it. What belongs to paused batches does not count, but for `busy`."""

    images: int
    """Left to draw, of jobs that wait or run."""
    jobs: int
    """That have not ended."""
    busy: int
    """Workers that have a job, whatever its batch."""
    present: int
    """Workers that are there and take jobs: those that are drained do not."""


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast one worker is, with all its Blenders."""

    images_per_second: float
    blenders: int
    """Of a worker, each of which does a job at a time."""
    measured: bool
    """Whether workers have reported it; else it is assumed."""


@dataclass(frozen=True, slots=True)
class Slot:
    """What workers have reported in `SLOT_SECONDS`."""

    images: float
    seconds: float
    """Of a worker with all its Blenders at work: a second of one of two Blenders is half a second."""


def pace(slots: Mapping[int, Slot], blenders: int, assumed: float) -> Pace:
    """The speed by what was reported in `slots`, by their numbers; newer ones weigh more.

    `assumed`: images a second of one worker, until enough was reported.
    """
    newest = max(slots, default=0)
    weights = {number: 0.5 ** ((newest - number) / _HALF_LIFE_SLOTS) for number in slots}
    images = sum(slots[number].images * weight for number, weight in weights.items())
    seconds = sum(slots[number].seconds * weight for number, weight in weights.items())
    blenders = max(1, blenders)
    if sum(slot.seconds for slot in slots.values()) < _ENOUGH_SECONDS or images <= 0:
        return Pace(assumed, blenders, measured=False)
    return Pace(images / seconds, blenders, measured=True)


def wanted_workers(demand: Demand, speed: Pace, target_seconds: float) -> int:
    """How many workers there should be; an autoscaler bounds it by what it may have.

    Asked again and again, it has all that is there at a moment drawn within `target_seconds` of it, by as many workers as
    the autoscaler may have, once they stand: the jobs that are last may each take their own time longer.
    """
    places = ceil(max(0, demand.jobs) / speed.blenders)
    needed = 0
    if places:
        exact = demand.images / speed.images_per_second / target_seconds  # their product may be 0
        needed = max(1, ceil(exact)) if isfinite(exact) and exact < _MOST else _MOST
    return min(_MOST, max(demand.busy, min(places, max(needed, demand.present))))
