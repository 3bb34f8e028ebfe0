"""Tells how fast this worker draws, by which the farm works out how many workers it wants."""

import logging
import time

from farm.errors import ServiceError
from farm.jobs.workers import Workers

log = logging.getLogger(__name__)
_REPORT_SECONDS = 10.0
"""Between two reports of a long attempt; a shorter one reports when it has its result."""


class Pacing:
    """One for each attempt, from its first second on. What an attempt that breaks down has not told yet is not told."""

    def __init__(self, workers: Workers, worker: str, resumed: bool) -> None:
        """`resumed`: earlier attempts may have drawn what this one begins with."""
        self._workers, self._worker = workers, worker
        self._since = time.monotonic()
        self._told: int | None = None if resumed else 0
        self._drawn = 0

    def drawn(self, count: int) -> None:
        """The job has so many images."""
        if self._told is None:
            self._told = count  # of earlier attempts, for the most part: one's own are these for one shot at most
        self._drawn = count
        if time.monotonic() - self._since >= _REPORT_SECONDS:
            self.end()

    def end(self) -> None:
        """Tell what was drawn since the last time. A Redis that does not answer is no reason to end an attempt."""
        now = time.monotonic()
        images, seconds = self._drawn - (self._told or 0), now - self._since
        self._since, self._told = now, self._drawn
        if images <= 0:
            return
        try:
            self._workers.drew(self._worker, images, seconds)
        except ServiceError as error:
            log.warning("the worker's speed is not told: %s", error)
