"""The stream of changes, for whoever wants to look on instead of asking again and again.

The scripts of `lua/` write it in the same step as the change. It keeps about the last 100,000 events; who comes back
after longer is told so and has to look at the state itself.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

from farm.errors import ConflictError, SpecError
from farm.jobs.connection import Connection

_STREAM = "farm:events"
BEGINNING = "0-0"
"""The position before the first event."""
ID_PATTERN = r"^[0-9]{1,15}-[0-9]{1,10}$"
_ID = re.compile(ID_PATTERN)


class EventsLostError(ConflictError):
    """What followed an event is no longer known in full."""

    code = "events-lost"


@dataclass(frozen=True, slots=True)
class Event:
    """One change."""

    id: str
    """Orders events; give it back to go on behind it."""
    kind: str
    """"job" or "batch"."""
    batch: str
    data: dict[str, Any]
    """Job: job, name, work, state, attempt, worker, counted (whether the attempt, which ended, counts towards quarantine),
    images_done, images_total, error_code. Batch: change ("created", "ended", "reopened", "paused", "priority") and its
    value."""

    @property
    def ends_batch(self) -> bool:
        """Whether with it the last job of its batch has ended."""
        return self.kind == "batch" and self.data.get("change") == "ended"


class Events:
    """Reads the stream. Every method raises ServiceError when Redis does not answer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._redis = connection.redis

    def last(self) -> str:
        """The id of the newest event; `BEGINNING` when there is none."""
        newest = self._connection.safely(lambda: self._redis.xrevrange(_STREAM, count=1))
        return _first_id(newest)

    def read(self, after: str, batch: str | None = None, limit: int = 1000) -> tuple[list[Event], str]:
        """The events behind `after`, of one batch or of all, and the id to go on behind.

        At most `limit` are looked at; the list may be empty although there are more: go on with the id. Behind
        `BEGINNING` comes what is kept.

        Raises SpecError when `after` is no event id, and EventsLostError when not all that followed it is known: it is
        older than what is kept, or Redis lost its newest events or all of them (then `after` is one that it never gave).
        """
        position = order(after)

        def ask() -> Any:
            pipe = self._redis.pipeline(
                transaction=True
            )  # nothing can be forgotten between the question and the answer
            pipe.xrange(_STREAM, count=1)
            pipe.xrevrange(_STREAM, count=1)
            pipe.xrange(_STREAM, min=f"({after}", count=limit)
            return pipe.execute()

        oldest, newest, entries = self._connection.safely(ask)
        if after != BEGINNING and not order(_first_id(oldest)) <= position <= order(_first_id(newest)):
            raise EventsLostError(
                f"What followed event {after} is not known in full any more. Ask for the present state, and go on from now."
            )
        found = [
            Event(str(id_), values["kind"], values["batch"], json.loads(values["data"]))
            for id_, values in entries
            if batch is None or values["batch"] == batch
        ]
        return found, str(entries[-1][0]) if entries else after


def order(id_: str) -> tuple[int, int]:
    """What ids are compared by. Raises SpecError when it is no event id."""
    if not _ID.match(id_):
        raise SpecError(f"'{id_[:40]}' is no event id; use the id of an event that you received, or leave it out.")
    time, _, number = id_.partition("-")
    return int(time), int(number)


def _first_id(entries: Any) -> str:
    return str(entries[0][0]) if entries else BEGINNING
