"""Routes for operators and machines: health, metrics."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from api.apart import apart
from api.auth import needs
from api.exposition import Exposition
from api.schemas import Readiness, Status, TotalsView
from api.services import Services, ServicesOf
from farm.keys import Role

router = APIRouter(tags=["operations"])


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

    return await apart(ask)


@router.get(
    "/metrics",
    response_class=Response,
    responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}}},
)
async def metrics(request: Request) -> Response:
    """For Prometheus. It answers without Redis, too, and says so (`farm_redis_usable`)."""
    exposition: Exposition = request.app.state.exposition
    return Response(await apart(exposition.text), media_type=CONTENT_TYPE_LATEST)


def _alive(services: Services) -> int:
    return sum(worker.alive for worker in services.workers.all())


@router.get("/v1/totals", dependencies=[needs(Role.READ)])
def totals(services: ServicesOf) -> TotalsView:
    """The whole farm in numbers."""
    found = services.jobs.totals()
    return TotalsView(
        jobs=found.counts, backlog_images=found.backlog_images, rate=found.rate, workers_alive=_alive(services)
    )
