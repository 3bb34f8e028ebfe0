"""The open streams of server-sent events of this process, and the one reader that looks for news for all of them."""

import asyncio
import json
import logging
import signal
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from types import FrameType
from typing import Any

from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from farm.errors import ServiceError
from farm.jobs.events import Event, Events, EventsLostError, order

log = logging.getLogger(__name__)
MAX_STREAMS = 500
"""Streams of one API process."""
MAX_STREAMS_OF_KEY = 100
"""Of these, one key's."""
REPLAYED = 10_000
"""Events of the past that one stream looks through; whoever wants more comes back, behind the last that it has."""
_CHECK_SECONDS = 2.0
"""How often a stream looks whether its key still opens the farm."""
MAX_STREAM_SECONDS = 3600.0
POLL_SECONDS = 0.2
_OUTAGE_SECONDS = 1.0
"""Between questions to a Redis that does not answer."""
_TICK_SECONDS = 0.5
"""How often an idle stream looks whether it is to beat."""
_PAGE = 1000
"""Events that are read, and sent to a client, at a time."""
_KEPT = 10_000
"""Events that the process remembers; who is further behind reads from Redis."""


@dataclass(frozen=True, slots=True)
class Line:
    """An event, ready to be sent."""

    order: tuple[int, int]
    id: str
    batch: str
    ends_batch: bool
    block: str


def block_of(event: str, id_: str, data: dict[str, Any]) -> str:
    """An event as the stream carries it."""
    return f"id: {id_}\nevent: {event}\ndata: {json.dumps(data)}\n\n"


def _line(event: Event) -> Line:
    block = block_of(event.kind, event.id, {"batch": event.batch, **event.data})
    return Line(order(event.id), event.id, event.batch, event.ends_batch, block)


class _Tail:
    """The newest events, read from Redis once for all streams of this process."""

    def __init__(self, events: Events, position: str) -> None:
        self._events = events
        self._position = position
        self._complete_behind = order(position)
        self._lines: deque[Line] = deque()
        self.ended = False
        """Nothing follows: the API stops, or Redis lost what came next. Streams on it end, and clients come back."""
        self.news = asyncio.Event()
        """Set by the next change; to be taken before one looks, and waited for afterwards."""
        self._task = asyncio.create_task(self._follow())

    def behind(self, position: str) -> list[Line] | None:
        """The first events behind `position`; None when that is too long ago to say."""
        at = order(position)
        if at < self._complete_behind:
            return None
        found = list(takewhile(lambda line: line.order > at, reversed(self._lines)))
        return found[::-1][:_PAGE]

    def end(self) -> None:
        """End it and the streams on it."""
        self.ended = True
        self.news.set()
        self._task.cancel()

    async def _follow(self) -> None:
        try:
            while True:
                try:
                    lines, self._position = await run_in_threadpool(_lines, self._events, self._position)
                except ServiceError:
                    await asyncio.sleep(_OUTAGE_SECONDS)
                    continue
                if lines:
                    self._take(lines)
                if len(lines) < _PAGE:
                    await asyncio.sleep(POLL_SECONDS)
        except EventsLostError:
            log.warning("Redis has lost events; clients are told to look at the state anew")
        finally:
            self.ended = True
            self.news.set()

    def _take(self, lines: list[Line]) -> None:
        self._lines.extend(lines)
        while len(self._lines) > _KEPT:
            self._complete_behind = self._lines.popleft().order
        news, self.news = self.news, asyncio.Event()
        news.set()


def _lines(events: Events, after: str) -> tuple[list[Line], str]:
    found, position = events.read(after, limit=_PAGE)
    return [_line(event) for event in found], position


class Place:
    """What an open stream takes: one of its key's, for as long as that key opens the farm.

    `still` tells whether it does.
    """

    def __init__(self, key: str, still: Callable[[], Awaitable[bool]]) -> None:
        self.key = key
        self.taken = False
        """Somebody with fewer streams got it."""
        self._still = still
        self._checked = time.monotonic()

    async def holds(self) -> bool:
        """Whether the stream may go on; asks `still` now and then."""
        if self.taken:
            return False
        if time.monotonic() - self._checked < _CHECK_SECONDS:
            return True
        self._checked = time.monotonic()
        return await self._still()


class Streams:
    """The open streams of this process."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._tail: _Tail | None = None
        self._open: dict[str, list[Place]] = {}
        """By the key's name, the oldest first."""
        self._reading = asyncio.Lock()
        """One page of the past at a time: who asks for much of it waits in line for each page with all others who do."""
        self._closing = False

    def full_for(self, key: str, most: int = MAX_STREAMS_OF_KEY) -> bool:
        """Whether there must not be another one of this key, which may have `most`."""
        own = len(self._open.get(key, ()))
        if own >= most:
            return True
        return self._count() >= MAX_STREAMS and len(self._greediest()) <= own + 1

    def _count(self) -> int:
        return sum(map(len, self._open.values()))

    def _greediest(self) -> list[Place]:
        return max(self._open.values(), key=len, default=[])

    @contextmanager
    def place(self, place: Place) -> Iterator[None]:
        """Counts a stream while it is open; with the last one the reader ends.

        Where all places are taken, the oldest stream of the key that has most of them ends for it.
        """
        if self._count() >= MAX_STREAMS:
            greediest = self._greediest()[0]
            greediest.taken = True
            self._leave(greediest)
        self._open.setdefault(place.key, []).append(place)
        try:
            yield
        finally:
            if not place.taken:
                self._leave(place)
            if not self._open and self._tail is not None:
                self._tail.end()

    def _leave(self, place: Place) -> None:
        self._open[place.key].remove(place)
        if not self._open[place.key]:
            del self._open[place.key]

    def close(self) -> None:
        """End all streams, and those to come: the API stops."""
        self._closing = True
        if self._tail is not None:
            self._tail.end()

    def _join(self, position: str) -> _Tail:
        if self._tail is None or self._tail.ended:
            self._tail = _Tail(self._events, position)
        return self._tail

    async def follow(self, place: Place, position: str, newest: str) -> AsyncIterator[tuple[list[Line], str]]:
        """The events behind `position` as they come, and the position behind them; none at all now and then.

        `newest` is the id of a recent event: from there on the process reads for all its streams, if it does not yet.
        Ends when the `place` is gone, and after `REPLAYED` events of the past.
        """
        if self._closing:
            return
        tail = self._join(newest)
        end = time.monotonic() + MAX_STREAM_SECONDS
        past = order(newest)
        replayed = 0
        while not tail.ended and time.monotonic() < end and await place.holds():
            news = tail.news
            found = tail.behind(position)
            if found is None:
                try:
                    found = await self._older(position)
                except EventsLostError:  # the client is slower than what is kept
                    return
            if found:
                position = found[-1].id
                replayed += len(found) if found[0].order <= past else 0
            yield found, position
            if replayed >= REPLAYED:
                return
            if not found:
                try:
                    async with asyncio.timeout(_TICK_SECONDS):
                        await news.wait()
                except TimeoutError:
                    pass

    async def _older(self, position: str) -> list[Line]:
        """What Redis has behind `position`; nothing while it does not answer. Raises EventsLostError."""
        try:
            async with self._reading:
                found, _ = await run_in_threadpool(_lines, self._events, position)
        except ServiceError:
            return []
        return found


class Stream(StreamingResponse):
    """An answer that goes on."""

    media_type = "text/event-stream"

    def __init__(self, streams: Streams, place: Place, blocks: AsyncIterator[str]) -> None:
        super().__init__(blocks, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._streams, self._place = streams, place

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.place(self._place):
            await super().__call__(scope, receive, send)


@contextmanager
def when_told_to_stop(action: Callable[[], None]) -> Iterator[None]:
    """Calls `action` in the event loop when the server gets the signal to stop.

    The server waits for open answers before it ends the lifespan, so that is too late to end streams.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def told(number: int, frame: FrameType | None) -> None:
        loop.call_soon_threadsafe(action)
        handler = handlers[signal.Signals(number)]
        assert callable(handler)
        handler(number, frame)

    changed = [number for number, handler in handlers.items() if callable(handler)]
    for number in changed:
        signal.signal(number, told)
    try:
        yield
    finally:
        for number in changed:
            signal.signal(number, handlers[number])
