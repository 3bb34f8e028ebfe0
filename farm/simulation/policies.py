"""Who says how many workers there should be."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

from farm.jobs.scaling import Demand, Pace, wanted_workers


class PolicyName(StrEnum):
    """The policies that are compared."""

    FARM = "farm"
    """This farm's, by the function that its API uses."""
    FIXED = "fixed"
    """So many workers, always."""
    LIST_LENGTH = "list-length"
    """KEDA's trigger on the length of the queue's list, in which no running job stands."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a policy may look at."""

    demand: Demand
    pace: Pace
    waiting: int
    """Jobs in the queue."""


type Policy = Callable[[Outlook], float]
"""How many workers it wants: a number that the HorizontalPodAutoscaler rounds up."""


def farm_policy(target_seconds: float) -> Policy:
    """This farm's."""
    return lambda outlook: wanted_workers(outlook.demand, outlook.pace, target_seconds)


def list_length_policy(jobs_a_worker: float) -> Policy:
    """A worker for so many waiting jobs."""
    return lambda outlook: outlook.waiting / jobs_a_worker
