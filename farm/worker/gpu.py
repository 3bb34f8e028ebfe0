"""What NVML, the library of NVIDIA's driver, says of the GPUs that a worker sees. Where it does not answer, nothing."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from threading import Lock
from typing import Any

from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from farm import metrics
from farm.exposition import family

log = logging.getLogger(__name__)

type _Numbers = dict[tuple[str, ...], float]


class Gpus(Collector):
    """Name, use and memory of each GPU, asked for when Prometheus asks."""

    def __init__(self) -> None:
        self._asked = Lock()
        """A driver that hangs keeps one thread, not one at each scrape."""
        self._told = False

    def collect(self) -> Iterator[Metric]:
        """Read them. No series of what a GPU, a share of one (MIG) or a driver does not tell."""
        if not self._asked.acquire(blocking=False):
            return
        try:
            found = self._read()
        finally:
            self._asked.release()
        yield family(metrics.GPUS, len(found[metrics.GPU_INFO]))
        for metric, numbers in found.items():
            yield family(metric, numbers)

    def _read(self) -> dict[metrics.Measured, _Numbers]:
        found: dict[metrics.Measured, _Numbers] = {
            metric: {} for metric in (metrics.GPU_INFO, metrics.GPU_BUSY, metrics.GPU_MEMORY, metrics.GPU_MEMORY_USED)
        }
        try:
            import pynvml
        except ImportError:
            return found
        try:
            pynvml.nvmlInit()
        except pynvml.NVMLError as error:
            if not self._told:
                log.info("NVML does not answer (%s): no metrics of GPUs", error)
            self._told = True
            return found
        try:
            for number in range(pynvml.nvmlDeviceGetCount()):
                self._read_one(pynvml, number, found)
        except pynvml.NVMLError as error:
            log.info("NVML stopped answering: %s", error)
        finally:
            pynvml.nvmlShutdown()
        return found

    def _read_one(self, nvml: Any, number: int, found: dict[metrics.Measured, _Numbers]) -> None:
        gpu = str(number)
        device = nvml.nvmlDeviceGetHandleByIndex(number)

        def tell(metric: metrics.Measured, ask: Callable[[], float], *more: str) -> None:
            with suppress(nvml.NVMLError):  # not of this GPU
                found[metric][gpu, *more] = ask()

        name = "unknown"
        with suppress(nvml.NVMLError):
            name = nvml.nvmlDeviceGetName(device)
        found[metrics.GPU_INFO][gpu, name] = 1
        tell(metrics.GPU_BUSY, lambda: nvml.nvmlDeviceGetUtilizationRates(device).gpu / 100)
        tell(metrics.GPU_MEMORY, lambda: nvml.nvmlDeviceGetMemoryInfo(device).total)
        tell(metrics.GPU_MEMORY_USED, lambda: nvml.nvmlDeviceGetMemoryInfo(device).used)
