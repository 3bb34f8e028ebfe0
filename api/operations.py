"""Routes for operators and machines: health, metrics, autoscaling."""

from collections.abc import Iterator

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from api.parts import Parts, PartsOf
from api.schemas import Autoscale
from farm.jobs.states import State
from farm.jobs.store import Totals

router = APIRouter(tags=["operations"])


class _Totals(Collector):
    """The farm's numbers, read from the job store at each scrape: the store is the truth, the API keeps none."""

    def __init__(self, totals: Totals) -> None:
        self._totals = totals

    def collect(self) -> Iterator[Metric]:
        yield GaugeMetricFamily(
            "farm_backlog_images", "Images of queued and running jobs not drawn yet", value=self._totals.backlog_images
        )
        jobs = GaugeMetricFamily("farm_jobs", "Jobs by state", labels=["state"])
        for state, count in self._totals.counts.items():
            jobs.add_metric([state], count)
        yield jobs


@router.get("/healthz")
def healthz() -> dict[str, str]:
    """The process runs."""
    return {"status": "ok"}


@router.get("/readyz")
def readyz(parts: PartsOf) -> dict[str, str]:
    """Redis and the object store answer; 503 with the reason when one does not."""
    parts.store.exists("check/ready")
    return {"status": "ok", "redis": parts.jobs.check()}


@router.get("/metrics", response_class=Response)
def metrics(parts: PartsOf) -> Response:
    """For Prometheus."""
    return Response(_exposition(parts), media_type=CONTENT_TYPE_LATEST)


def _exposition(parts: Parts) -> bytes:
    registry = CollectorRegistry()
    registry.register(_Totals(parts.jobs.totals()))
    return generate_latest(registry)


@router.get("/v1/autoscale")
def autoscale(parts: PartsOf) -> Autoscale:
    """For KEDA's metrics-api trigger."""
    totals = parts.jobs.totals()
    return Autoscale(
        backlog_images=totals.backlog_images,
        queued_jobs=totals.counts[State.QUEUED],
        running_jobs=totals.counts[State.RENDERING],
    )
