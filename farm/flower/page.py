"""Flower as the farm runs it: over the farm's events, and to look only.

Flower hears what the workers tell (that they are there), and here, besides, what became of the jobs. That is read from the
farm's stream of changes, from its beginning: a Flower that starts, or was away, shows the same as one that was there. No
worker does anything for it, so nothing that goes wrong here can touch a job.

Flower's buttons are off. They speak to Celery, which carries wake-ups and knows no job: a worker that is shut down by them,
or a process that is terminated, would cost an attempt where the farm's own pause, cancel and drain cost none.
"""

import logging
import signal
import sys
import threading
from collections.abc import Iterable
from typing import Any

from celery import Celery
from flower.events import Events as FlowerEvents
from flower.options import options
from flower.urls import settings as web_settings
from tornado.ioloop import IOLoop

from farm.errors import ServiceError
from farm.flower.guard import GuardedFlower
from farm.flower.rows import AttemptRows, CeleryEvent
from farm.jobs.address import read_address
from farm.jobs.connection import Connection
from farm.jobs.events import BEGINNING, Event, Events, EventsLostError
from farm.settings import Settings
from farm.worker.broker import log_in
from farm.worker.celery_app import make_app

log = logging.getLogger(__name__)
MAX_ROWS = 20_000
"""Rows that Flower keeps; the oldest go. One takes about 10 KiB."""
COLUMNS = "args,name,state,result,exception,uuid,runtime,worker,received"
_FORGOTTEN_SECONDS = 24 * 3600
"""A worker that is silent for so long is shown no more, here as on the operators' page."""
_ANSWER_MILLISECONDS = 5000.0
"""How long a worker may take to say how it is; Flower's own second is short for a machine that draws on all cores."""
_LOOK_SECONDS = 1.0
_PAGE = 250
"""Events that are read at once, and told before more are read."""


class FarmEvents(FlowerEvents):  # type: ignore[misc]  # Flower has no types
    """Flower's events, and the farm's."""

    def __init__(self, app: Celery, loop: IOLoop, events: Events) -> None:
        super().__init__(
            app, loop, max_tasks_in_memory=MAX_ROWS, max_workers_in_memory=options.max_workers, enable_events=False
        )
        self._events, self._rows = events, AttemptRows()
        self._follower = threading.Thread(target=self._follow, name="follower", daemon=True)
        self._over = threading.Event()

    def start(self) -> None:
        """Listen to workers, and follow the farm."""
        super().start()
        self._follower.start()

    def stop(self) -> None:
        """End."""
        self._over.set()
        super().stop()

    def formatted(self, task: Any) -> Any:
        """A row as it is shown: one that runs tells how far it is."""
        task.result = self._rows.progress(task.uuid) or task.result
        return task

    def _follow(self) -> None:
        position, trouble = BEGINNING, ""
        while not self._over.is_set():
            try:
                found, position = self._events.read(position, limit=_PAGE)
                self._tell(celery_event for event in found for celery_event in self._told(event))
                trouble = ""
                if found:
                    continue
            except EventsLostError:
                self._tell(self._rows.lost_sight())
                position = BEGINNING
                continue
            except ServiceError as error:
                if str(error) != trouble:  # once, not once a second
                    log.warning("Flower does not hear of jobs: %s", error)
                trouble = str(error)
            except (
                Exception
            ) as error:  # whatever it is: a follower that ended would show old rows for ever, and not say so
                if repr(error) != trouble:
                    log.exception("events of the farm cannot be read")
                trouble = repr(error)
            self._over.wait(_LOOK_SECONDS)

    def _told(self, event: Event) -> list[CeleryEvent]:
        try:
            return list(self._rows.told(event))
        except (KeyError, TypeError, ValueError) as error:  # another version wrote it
            log.warning("event %s says nothing that Flower can show: %s", event.id, error)
            return []

    def _tell(self, events: Iterable[CeleryEvent]) -> None:
        """Give them to Flower, and wait until it has them: its loop also answers browsers, and must not be buried."""
        told = threading.Event()
        for event in events:
            self.on_event(event)
        self.io_loop.add_callback(told.set)
        while not told.wait(_LOOK_SECONDS) and not self._over.is_set():
            pass


def serve(settings: Settings, host: str | None, port: int) -> None:
    """Run Flower on `host` and `port` until SIGTERM or Ctrl-C.

    `host` None: all addresses where FARM_FLOWER_BASIC_AUTH asks who comes, else this machine's own.
    """
    login = settings.flower_basic_auth.get_secret_value()
    options.address = host or ("0.0.0.0" if login else "127.0.0.1")  # noqa: S104 - with a password
    options.port = port
    options.basic_auth = [login] if login else []
    options.max_tasks, options.tasks_columns = MAX_ROWS, COLUMNS
    options.purge_offline_workers = _FORGOTTEN_SECONDS
    options.read_only = True
    options.inspect_timeout = _ANSWER_MILLISECONDS
    app, loop = make_app(settings), IOLoop.current()
    log_in(app, read_address(settings.redis_url))
    events = FarmEvents(app, loop, Events(Connection(settings.redis_url)))
    options.format_task = lambda task: events.formatted(task)  # it takes nothing else that can be called
    page = GuardedFlower(options, app, events, loop, **web_settings)
    logging.getLogger("tornado.access").setLevel(logging.ERROR)  # who was refused is told by a line a request

    def ended(*_: object) -> None:
        sys.exit(0)

    signal.signal(signal.SIGTERM, ended)
    page.start_http_server()
    log.info("Visit me at http://%s:%d", options.address, port)
    try:
        page.start()
    except KeyboardInterrupt:
        pass
    finally:
        page.stop()
