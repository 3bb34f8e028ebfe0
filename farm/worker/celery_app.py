"""The Celery application: how workers are woken over Redis.

The broker carries tickets, not jobs. Whoever gets a ticket asks `farm.jobs.queue` for a job; which one that is, by
priority and order, is decided in that moment. A ticket that is lost, late or delivered twice can therefore neither
lose nor repeat work: the keeper issues what is missing, and a ticket too many finds nothing to do.
"""

import os
import socket
from collections.abc import Callable
from contextlib import nullcontext

import celery.utils.imports
import redis
from celery import Celery
from kombu.exceptions import OperationalError

from farm.jobs.address import read_address
from farm.jobs.connection import Connection
from farm.logs import plain
from farm.settings import Settings
from farm.worker import broker

RENDER_TASK = "farm.render"
QUEUE = "render"
VISIBILITY_SECONDS = 3600
"""After this a ticket whose worker never acknowledged it is delivered again. Nothing waits for that."""


def make_app(settings: Settings) -> Celery:
    """A Celery application on the settings' Redis. Raises ServiceError for an address that is none."""
    broker.install()
    # Celery goes first through the current folder for modules of its own, and of Python, that it needs late.
    celery.utils.imports.cwd_in_path = nullcontext
    # It prefers its own variables to what it is told, and whoever runs the API by uvicorn's command may have some.
    for name in [name for name in os.environ if name.startswith("CELERY_")]:
        del os.environ[name]
    address = read_address(settings.redis_url)
    app = Celery("facefarm", broker=address.celery_url(login=False))
    app.conf.update(
        task_default_queue=QUEUE,
        task_ignore_result=True,
        # A ticket is acknowledged when its job has ended, and a worker takes no second one meanwhile.
        task_acks_late=True,
        worker_prefetch_multiplier=1,
        # A killed pool process gives its ticket back; its job goes by its lease.
        task_reject_on_worker_lost=True,
        # Nobody waits for a result that it may have sent before; the default holds its worker up for ten seconds.
        worker_lost_wait=0.5,
        broker_transport_options=broker.options(address, VISIBILITY_SECONDS),
        broker_use_ssl=dict(address.tls) if address.tls is not None else None,  # Flower asks
        visibility_timeout=VISIBILITY_SECONDS,
        broker_connection_retry_on_startup=True,
        broker_connection_max_retries=None,
        # What Redis refuses (`broker.Transport.connection_errors`) is waited for, not died of.
        broker_channel_error_retry=True,
        # A worker that Redis left for a moment goes on drawing: its own lease says when it must stop.
        worker_cancel_long_running_tasks_on_connection_loss=False,
        worker_hijack_root_logger=False,
        task_send_sent_event=False,
    )
    return app


def node(settings: Settings) -> str:
    """The name of the worker that runs here: the host's, which is a pod's own, or what FARM_WORKER_NAME says.

    What of it is no printable character stands there as an escape.
    """
    return f"worker@{plain(settings.worker_name or socket.gethostname())}"


class CeleryTickets:
    """`farm.jobs.keeper.Tickets` over Celery. Every method raises ServiceError when Redis does not answer."""

    def __init__(self, app: Celery, connection: Connection) -> None:
        self._app = app
        self._connection = connection

    def issue(self, count: int) -> None:
        """Wake workers for `count` jobs."""

        def send() -> None:
            with self._app.producer_or_acquire() as producer:
                for _ in range(count):
                    self._app.send_task(RENDER_TASK, producer=producer, retry=False)

        self._connection.safely(_as_redis(send))

    def pending(self) -> int:
        """Tickets that no worker has taken."""
        return int(self._connection.safely(lambda: self._connection.redis.llen(QUEUE)))


def _as_redis(action: Callable[[], None]) -> Callable[[], None]:
    """`action`, with kombu's name for what Redis did turned into redis-py's."""

    def run() -> None:
        try:
            action()
        except OperationalError as error:
            cause: BaseException | None = error
            while cause is not None:
                if isinstance(cause, redis.RedisError) and cause.__cause__ is None:
                    raise cause from error
                cause = cause.__cause__
            raise redis.ConnectionError(str(error)) from error

    return run
