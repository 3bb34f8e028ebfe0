"""What a worker's main process does beside Celery: it shows that it is there, obeys a drain, and keeps the farm going."""

import logging
import threading

from celery import Celery
from kombu.exceptions import OperationalError

from farm import metrics
from farm.errors import ServiceError
from farm.jobs.connection import Connection
from farm.jobs.keeper import Keeper
from farm.jobs.workers import BEAT_SECONDS, Workers
from farm.settings import Settings
from farm.worker.celery_app import QUEUE, CeleryTickets

log = logging.getLogger(__name__)
_LOOK_SECONDS = 1.0


class Presence:
    """Start it when the worker is ready, stop it when it ends."""

    def __init__(self, app: Celery, settings: Settings, name: str, concurrency: int) -> None:
        connection = Connection(settings.redis_url, settings.lease_seconds)
        self._app, self._name, self._concurrency = app, name, concurrency
        self._workers = Workers(connection)
        tickets = CeleryTickets(app, connection)
        self._keeper = Keeper(connection, None, tickets, settings.history_days, name)
        self._over = threading.Event()
        self._registered = False
        self._trouble = ""
        self._thread = threading.Thread(target=self._run, name="presence", daemon=True)

    def start(self) -> None:
        """The worker takes jobs from now on. It is there as soon as Redis can be told so."""
        try:
            self._register()
        except ServiceError as error:
            self._cannot(error)
        self._thread.start()
        self._keeper.start()

    def _register(self) -> None:
        self._workers.register(self._name, self._concurrency)
        self._registered = True
        metrics.REDIS.set(1)

    def stop(self) -> None:
        """The worker ends."""
        self._over.set()
        self._keeper.stop()
        try:
            self._workers.leave(self._name)
        except ServiceError as error:
            log.warning("the worker's end is not told: %s", error)

    def _run(self) -> None:
        looks, consuming = 0, True
        while not self._over.wait(_LOOK_SECONDS):
            try:
                if not self._registered:
                    self._register()
                if looks % int(BEAT_SECONDS / _LOOK_SECONDS) == 0:
                    self._workers.beat(self._name, self._concurrency)
                looks += 1
                drained = self._workers.drained(self._name)
                if bool(drained) == consuming:
                    self._consume(not drained, drained)
                    consuming = not drained
                self._can()
            except (ServiceError, OperationalError) as error:
                looks = 0  # it may be forgotten by then, and has to write before it can say that all is well
                self._cannot(error)

    def _can(self) -> None:
        metrics.REDIS.set(1)
        if self._trouble:
            log.warning("Redis works again for this worker")
        self._trouble = ""

    def _cannot(self, error: Exception) -> None:
        metrics.REDIS.set(0)
        if str(error) != self._trouble:  # once, not once a second
            log.warning("the worker takes no jobs and waits: %s", error)
        self._trouble = str(error)

    def _consume(self, consuming: bool, reason: str) -> None:
        # A drained worker must leave the tickets to others; the queue itself gives it no job either.
        if consuming:
            log.warning("this worker takes jobs again")
            self._app.control.add_consumer(QUEUE, destination=[self._name])
        else:
            log.warning("this worker takes no more jobs: %s", reason)
            self._app.control.cancel_consumer(QUEUE, destination=[self._name])
