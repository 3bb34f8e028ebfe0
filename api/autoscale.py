"""The route that autoscalers ask."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from api.apart import apart
from api.services import Services, ServicesOf
from farm.jobs.scaling import wanted_workers
from farm.jobs.states import State

router = APIRouter(tags=["operations"])
_MAX_SECONDS = 30 * 86_400
_MAX_RATE = 1_000_000

type Target = Annotated[
    float | None,
    Query(gt=0, le=_MAX_SECONDS, description="Within how many seconds all is to be drawn; else FARM_TARGET_SECONDS"),
]
type Assumed = Annotated[
    float | None,
    Query(
        gt=0,
        le=_MAX_RATE,
        description="Images a second of one worker, until workers have reported theirs; else FARM_ASSUMED_RATE",
    ),
]


class Autoscale(BaseModel):
    """The numbers that an autoscaler needs; running work counts, or it would stop workers in the middle of a model."""

    wanted_workers: int = Field(description="How many there should be; what there may be is the autoscaler's to know")
    backlog_images: int = Field(description="Left to draw, without those of paused batches")
    queued_jobs: int
    running_jobs: int
    open_jobs: int = Field(description="Of those, the ones that are not of paused batches")
    busy_workers: int = Field(description="Workers that have a job; none of them is asked away")
    present_workers: int = Field(description="Workers that are there and take jobs, drained ones not among them")
    images_per_second: float = Field(description="Of one worker, with all its Blenders")
    measured: bool = Field(description="Whether workers have reported that; else it is what was assumed")
    blenders: int = Field(description="Of one worker; each does a job at a time")
    target_seconds: float


@router.get("/v1/autoscale")
async def autoscale(services: ServicesOf, target_seconds: Target = None, assumed_rate: Assumed = None) -> Autoscale:
    """How many workers the work wants that waits or runs, for KEDA's metrics-api trigger."""
    settings = services.settings
    return await apart(
        lambda: _asked(services, target_seconds or settings.target_seconds, assumed_rate or settings.assumed_rate)
    )


def _asked(services: Services, target_seconds: float, assumed_rate: float) -> Autoscale:
    counts = services.jobs.totals().counts
    demand, speed = services.demands.present(), services.demands.pace(assumed_rate)
    return Autoscale(
        wanted_workers=wanted_workers(demand, speed, target_seconds),
        backlog_images=demand.images,
        queued_jobs=counts[State.QUEUED],
        running_jobs=sum(count for state, count in counts.items() if state.active),
        open_jobs=demand.jobs,
        busy_workers=demand.busy,
        present_workers=demand.present,
        images_per_second=speed.images_per_second,
        measured=speed.measured,
        blenders=speed.blenders,
        target_seconds=target_seconds,
    )
