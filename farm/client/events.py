"""Server-sent events of the API, over any number of lost connections."""

import json
import socket
import threading
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from typing import Any, Self

import httpx

from farm.client.transport import Patience, Transport, is_passing, pause_of, refusal_of
from farm.errors import ServiceError

_SILENCE_SECONDS = 30.0
"""The API sends a heartbeat every 10 s; a connection without one is dead, however open it looks."""


@dataclass(frozen=True, slots=True)
class Event:
    """One change."""

    id: str
    """Orders events: give it as `after` to go on behind it."""
    kind: str
    """"job" or "batch"; "snapshot": a batch's stream begins; "reset": events were missed (they are not kept for ever)."""
    data: dict[str, Any]
    """job: batch, job, name, work, state, attempt, worker, counted, images_done, images_total, error_code. batch: batch,
    change ("created", "ended", "reopened", "paused", "priority") and its value. snapshot: the fields of BatchView. reset:
    detail."""

    @property
    def is_last(self) -> bool:
        """Whether with it the batch has ended."""
        if self.kind == "snapshot":
            return bool(self.data["ended"])
        return self.kind == "batch" and self.data.get("change") == "ended"


class EventStream(Iterator[Event]):
    """Events as they come. A lost connection is made again, and goes on behind the last event: none is missed.

    Raises ServiceError when the API stays away, RefusedError when it refuses. `ended` says whether there is nothing
    more to come (None: there always may be); the stream ends then, or behind an event that says so. `close` may be
    called from another thread.
    """

    def __init__(self, transport: Transport, path: str, after: str | None, ended: Callable[[], bool] | None) -> None:
        self._transport, self._path, self._ended = transport, path, ended
        self.last_id = after or ""
        self._stop = threading.Event()
        self._response: httpx.Response | None = None
        self.opened = threading.Event()
        """Set as soon as events come that happen from now on."""
        self._events = self._all()

    def __next__(self) -> Event:
        return next(self._events)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the stream."""
        self._stop.set()
        if (response := self._response) is not None:
            shut(response)
        # Left to the search for garbage, the connection could be closed while this very thread holds the lock of all of the
        # client's connections, and wait for itself for ever.
        with suppress(ValueError):  # another thread reads, and ends by itself
            self._events.close()

    def _all(self) -> Generator[Event]:
        patience = self._transport.patience(self._stop.wait)
        nothing_more = False
        while not self._stop.is_set():
            try:
                with self._connection() as response:
                    self._response = response
                    if self._stop.is_set():
                        return
                    if response.status_code == httpx.codes.NO_CONTENT:  # the API's word for: you have it all
                        return
                    if not response.is_success:
                        response.read()
                        if not is_passing(response):
                            raise refusal_of(response)
                        patience.wait(refusal_of(response), pause_of(response))
                        continue
                    self.opened.set()
                    for event in self._read(response, patience):
                        yield event
                        if self._ended is not None and event.is_last:
                            return
            except httpx.TransportError as error:
                if not self._stop.is_set():
                    self._transport.wait(patience, error)
                continue
            finally:
                self._response = None
            if nothing_more or self._stop.is_set():
                return
            # The API closed the stream: it restarts, or this is the end. What happened before this question is read yet.
            nothing_more = self._ended is not None and self._ended()
            if not nothing_more:
                self._stop.wait(1)

    def _connection(self) -> AbstractContextManager[httpx.Response]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        if self.last_id:
            headers["Last-Event-ID"] = self.last_id
        return self._transport.stream(self._path, _SILENCE_SECONDS, headers=headers)

    def _read(self, response: httpx.Response, patience: Patience) -> Iterator[Event]:
        for message in messages(response.iter_raw()):
            patience.renew()  # not before: a connection that breaks at once is more of the same trouble
            if message.id is not None:
                self.last_id = message.id
            if message.data:
                try:
                    data = json.loads(message.data)
                except ValueError as error:
                    raise ServiceError(f"What {self._transport.url} sends are no events of a farm.") from error
                yield Event(message.id or "", message.kind, data)


@dataclass(slots=True)
class Message:
    """A block of the format."""

    id: str | None = None
    """None: the block has none."""
    kind: str = "message"
    data: str = ""


def messages(pieces: Iterable[bytes]) -> Iterator[Message]:
    """The blocks of a stream that comes in `pieces`; one that is cut off is left out, as the standard asks."""
    message = Message()
    for line in _lines(pieces):
        if not line:
            yield message
            message = Message()
            continue
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "id" and "\0" not in value:
            message.id = value
        elif field == "event":
            message.kind = value
        elif field == "data":
            message.data += f"\n{value}" if message.data else value


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    # Not str.splitlines: that also breaks at letters which a model's name may hold.
    rest = b""
    for piece in pieces:
        *whole, rest = (rest + piece).split(b"\n")
        for line in whole:
            yield line.removesuffix(b"\r").decode("utf-8", "replace")


def shut(response: httpx.Response) -> None:
    """Wake whoever reads `response` in another thread: the connection is at its end."""
    stream = response.extensions.get("network_stream")
    connection = stream.get_extra_info("socket") if stream is not None else None
    if connection is not None:
        try:
            connection.shutdown(socket.SHUT_RDWR)
        except OSError:
            return  # it has ended by itself
