"""Routes for operators and machines: health, metrics, autoscaling."""

from collections.abc import Callable
from functools import cache

from anyio import CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.auth import needs
from api.exposition import Exposition
from api.schemas import Autoscale, Readiness, Status, TotalsView
from api.services import Services, ServicesOf
from farm.jobs.states import State
from farm.keys import Role

router = APIRouter(tags=["operations"])
_APART = 4


@cache
def _threads() -> CapacityLimiter:
    return CapacityLimiter(_APART)


async def _apart[T](ask: Callable[[], T]) -> T:
    """`ask` in one of few threads that other routes do not use: what watches the farm does not wait for its work."""
    return await to_thread.run_sync(ask, limiter=_threads())


@router.get("/healthz")
async def healthz() -> Status:
    """The process runs. In the event loop itself: this waits for no work."""
    return Status()


@router.get("/readyz")
async def readyz(services: ServicesOf) -> Readiness:
    """Redis takes writes, and the object store answers; 503 when one does not."""

    def ask() -> Readiness:
        services.store.exists("check/ready")
        return Readiness(redis=services.jobs.check())

    return await _apart(ask)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """For Prometheus. It answers without Redis, too, and says so (`farm_redis_usable`)."""
    exposition: Exposition = request.app.state.exposition
    return Response(await _apart(exposition.text), media_type=CONTENT_TYPE_LATEST)


def _alive(services: Services) -> int:
    return sum(worker.alive for worker in services.workers.all())


@router.get("/v1/totals", dependencies=[needs(Role.READ)])
def totals(services: ServicesOf) -> TotalsView:
    """The whole farm in numbers."""
    found = services.jobs.totals()
    return TotalsView(
        jobs=found.counts, backlog_images=found.backlog_images, rate=found.rate, workers_alive=_alive(services)
    )


@router.get("/v1/autoscale")
async def autoscale(services: ServicesOf) -> Autoscale:
    """For KEDA's metrics-api trigger."""
    found = await _apart(services.jobs.totals)
    return Autoscale(
        backlog_images=found.backlog_images,
        queued_jobs=found.counts[State.QUEUED],
        running_jobs=sum(count for state, count in found.counts.items() if state.active),
    )
