"""Routes for operators and machines: health, metrics."""

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.apart import apart
from api.auth import needs
from api.schemas import Readiness, Status, TotalsView
from api.services import Services, ServicesOf
from farm.jobs.batches import Totals
from farm.keys import Role

router = APIRouter(tags=["operations"])


class _Totals(Collector):
    """The farm's numbers, read from the job store at each scrape: the store is the truth, the API keeps none."""

    def __init__(self, totals: Totals, workers_alive: int) -> None:
        self._totals = totals
        self._workers_alive = workers_alive

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "farm_backlog_images",
            "Images of queued and running jobs not drawn yet, without those of paused batches",
            value=self._totals.backlog_images,
        )
        yield GaugeMetricFamily(
            "farm_images_per_second", "Images drawn a second over the last minute", value=self._totals.rate
        )
        yield GaugeMetricFamily(
            "farm_workers_alive", "Workers heard of within the last 30 s", value=self._workers_alive
        )
        jobs = GaugeMetricFamily("farm_jobs", "Jobs by state", labels=["state"])
        for state, count in self._totals.counts.items():
            jobs.add_metric([state], count)
        yield jobs


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
async def metrics(services: ServicesOf) -> Response:
    """For Prometheus."""
    return Response(await apart(lambda: _exposition(services)), media_type=CONTENT_TYPE_LATEST)


def _exposition(services: Services) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Totals(services.jobs.totals(), _alive(services)))
    return generate_latest(registry)


def _alive(services: Services) -> int:
    return sum(worker.alive for worker in services.workers.all())


@router.get("/v1/totals", dependencies=[needs(Role.READ)])
def totals(services: ServicesOf) -> TotalsView:
    """The whole farm in numbers."""
    found = services.jobs.totals()
    return TotalsView(
        jobs=found.counts, backlog_images=found.backlog_images, rate=found.rate, workers_alive=_alive(services)
    )
