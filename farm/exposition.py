"""Keeps the numbers of `farm.metrics` in a process that shows them to Prometheus, by its client library."""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Literal

import prometheus_client
from prometheus_client import CollectorRegistry
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from farm import metrics
from farm.metrics import ShownBy

_SHOWN_AT_ONCE = 20
"""Series of one metric that are there from the start, with 0: of a series that is born with 1, no rate ever tells."""


def kept(role: ShownBy) -> CollectorRegistry:
    """From now on this process keeps what `role` counts; the registry shows it.

    Where processes share PROMETHEUS_MULTIPROC_DIR, it shows this one's part alone. Processes that it forks keep theirs.
    Called again, all begins anew.
    """
    registry = CollectorRegistry()
    # A second series for each, which nobody asks for.
    prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]  # the library says no types here
    for metric in metrics.ALL:
        if role in metric.roles and not isinstance(metric, metrics.Measured):
            _keep(metric, registry)
    return registry


def _keep(metric: metrics.Metric, registry: CollectorRegistry) -> None:
    names = [label.name for label in metric.labels]
    match metric:
        case metrics.Counter():
            counter = prometheus_client.Counter(metric.name, metric.meaning, names, registry=registry)
            metric.sink = lambda values, number: (counter.labels(*values) if names else counter).inc(number)
            _begin(metric, counter)
        case metrics.Timing():
            histogram = prometheus_client.Histogram(
                metric.name, metric.meaning, names, registry=registry, buckets=metric.buckets
            )
            metric.sink = lambda values, number: (histogram.labels(*values) if names else histogram).observe(number)
        case metrics.Gauge():
            mode: Literal["livesum", "livemax"] = "livesum" if metric.whole == "sum" else "livemax"
            gauge = prometheus_client.Gauge(
                metric.name, metric.meaning, names, registry=registry, multiprocess_mode=mode
            )
            metric.sink = lambda values, number: (gauge.labels(*values) if names else gauge).set(number)


def _begin(metric: metrics.Counter, counter: prometheus_client.Counter) -> None:
    """Show 0 for what has not happened, where it is known beforehand what can."""
    known = [label.known for label in metric.labels]
    series = list(product(*known))
    if all(known) and known and len(series) <= _SHOWN_AT_ONCE:
        for values in series:
            counter.labels(*values)


def family(metric: metrics.Measured, numbers: Mapping[tuple[str, ...], float] | float) -> Metric:
    """What was read of a metric, by label values."""
    made = GaugeMetricFamily(metric.name, metric.meaning, labels=[label.name for label in metric.labels])
    for values, number in numbers.items() if isinstance(numbers, Mapping) else [((), numbers)]:
        made.add_metric(metric.bounded(values), number)
    return made


class Disks(Collector):
    """How full the disks are on which the farm's folders are, by the values of the label `place`."""

    def __init__(self, places: Mapping[str, Path]) -> None:
        self._places = places

    def collect(self) -> Iterator[Metric]:
        """Read it."""
        size: dict[tuple[str, ...], float] = {}
        free: dict[tuple[str, ...], float] = {}
        for place, folder in self._places.items():
            with suppress(OSError):  # who works there says that it is gone
                usage = shutil.disk_usage(folder)
                size[place,], free[place,] = usage.total, usage.free
        yield family(metrics.DISK, size)
        yield family(metrics.DISK_FREE, free)
