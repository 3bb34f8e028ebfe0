"""What the API shows Prometheus: what it counts itself, and the farm as Redis has it, read at each scrape."""

import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from farm import metrics
from farm.errors import ServiceError
from farm.exposition import Disks, family, kept
from farm.jobs.connection import Connection
from farm.jobs.standing import memory, standing
from farm.jobs.store import JobStore
from farm.jobs.workers import Workers
from farm.metrics import ShownBy
from farm.settings import Settings
from farm.storage.addresses import parsed
from farm.worker.celery_app import CeleryTickets, make_app

log = logging.getLogger(__name__)
_SHORT_LEASE_SECONDS = 12.0
"""With it a connection waits three seconds for an answer: Prometheus gives up after ten, and would miss all the rest."""


class Exposition:
    """Made once for the application, which from then on keeps what it counts."""

    def __init__(self, settings: Settings) -> None:
        self._own = kept(ShownBy.API)
        places = {"temporary": Path(tempfile.gettempdir())}
        if isinstance(store := parsed(settings.storage_url), Path):
            places["store"] = store
        self._own.register(Disks(places))
        connection = Connection(settings.redis_url, _SHORT_LEASE_SECONDS)
        self._farm = _Farm(connection, CeleryTickets(make_app(settings), connection))

    def text(self) -> bytes:
        """All of it, in Prometheus' text format."""
        read = CollectorRegistry()
        read.register(self._farm)  # which asks at once, and so tells whether Redis does what it should
        return generate_latest(read) + generate_latest(self._own)


class _Farm(Collector):
    """The store is the truth, the API keeps none of it."""

    def __init__(self, connection: Connection, tickets: CeleryTickets) -> None:
        self._connection, self._tickets = connection, tickets
        self._jobs, self._workers = JobStore(connection), Workers(connection)

    def describe(self) -> list[Metric]:
        """Nothing: to be registered must not ask Redis."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Nothing where Redis does not answer, or takes no writes."""
        try:
            self._jobs.check()
            read = self._read()
        except ServiceError as error:
            metrics.REDIS.set(0)
            log.warning("no metrics of the farm: %s", error)
            return
        metrics.REDIS.set(1)
        yield from read

    def _read(self) -> list[Metric]:
        totals, now = self._jobs.totals(), standing(self._connection)
        alive = [worker for worker in self._workers.all() if worker.alive]
        numbers = {
            metrics.BACKLOG: totals.backlog_images,
            metrics.RATE: totals.rate,
            metrics.BATCHES: now.batches_open,
            metrics.DELAYED: now.delayed,
            metrics.TICKETS: self._tickets.pending(),
            metrics.LEASES: now.leases,
            metrics.OVERDUE: now.overdue,
            metrics.WORKERS: len(alive),
            metrics.DRAINED: sum(bool(worker.drained) for worker in alive),
            metrics.UNTOLD: now.untold,
        }
        if taken := memory(self._connection):
            numbers[metrics.REDIS_MEMORY] = taken.used
            if taken.limit:
                numbers[metrics.REDIS_LIMIT] = taken.limit
        jobs: dict[tuple[str, ...], float] = {(str(state),): count for state, count in totals.counts.items()}
        return [family(metrics.JOBS, jobs), *(family(metric, number) for metric, number in numbers.items())]
