"""Celery's way to Redis, by which a message that is no ticket ends no worker.

kombu reads a message outside of all that Celery guards: one that is no JSON, or lacks a field, ends the whole process.
Whoever can write to the queue could so end every worker, one by one.
"""

import logging
from queue import Empty
from typing import Any

from kombu.transport import TRANSPORT_ALIASES, redis

log = logging.getLogger(__name__)


class _Channel(redis.Channel):
    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            log.warning("a message in the queue is no ticket and was dropped (%s)", type(error).__name__)
            raise Empty from error


class Transport(redis.Transport):
    """Redis, as kombu has it, but for messages that are none."""

    Channel = _Channel


def install() -> None:
    """Make addresses that begin with redis:// and rediss:// use it."""
    TRANSPORT_ALIASES.update({"redis": f"{__name__}:Transport", "rediss": f"{__name__}:Transport"})
