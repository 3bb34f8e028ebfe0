"""Routes for server-sent events: what changes, told as it happens.

A stream is a position in the farm's stream of changes (`farm.jobs.events`), which Redis keeps: nothing is queued for a
client, so a slow one costs no more than a fast one, and whoever comes back goes on behind the last event it has, on
any API process. One reader for each process looks for news for all its clients.

While Redis is away a stream stays open and beats; it goes on when Redis is back. A stream ends when the API stops, when
it is an hour old (a key that was taken back meanwhile gets no further), and when its client cannot go on where it was;
clients come back by themselves, which is what `text/event-stream` is for.
"""

import asyncio
import json
import logging
import signal
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from itertools import takewhile
from types import FrameType
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from starlette.types import Receive, Scope, Send

from api.auth import needs
from api.problems import problem
from api.schemas import BatchPath, batch_view
from api.services import Services, ServicesOf
from farm.errors import ServiceError
from farm.jobs.events import ID_PATTERN, Event, Events, EventsLostError, order
from farm.keys import Role

log = logging.getLogger(__name__)
MAX_STREAMS = 500
"""Streams of one API process."""
MAX_STREAM_SECONDS = 3600.0
BEAT_SECONDS = 10.0
"""A stream is never silent for longer, or proxies would take it for dead."""
RETRY_SECONDS = 2
"""How long a client that lost its stream waits before it comes back."""
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
class _Line:
    """An event, ready to be sent."""

    order: tuple[int, int]
    id: str
    batch: str
    ends_batch: bool
    block: str


def _block(event: str, id_: str, data: dict[str, Any]) -> str:
    return f"id: {id_}\nevent: {event}\ndata: {json.dumps(data)}\n\n"


def _line(event: Event) -> _Line:
    block = _block(event.kind, event.id, {"batch": event.batch, **event.data})
    return _Line(order(event.id), event.id, event.batch, event.ends_batch, block)


class _Tail:
    """The newest events, read from Redis once for all streams of this process."""

    def __init__(self, events: Events, position: str) -> None:
        self._events = events
        self._position = position
        self._complete_behind = order(position)
        self._lines: deque[_Line] = deque()
        self.ended = False
        """Nothing follows: the API stops, or Redis lost what came next. Streams on it end, and clients come back."""
        self.news = asyncio.Event()
        """Set by the next change; to be taken before one looks, and waited for afterwards."""
        self._task = asyncio.create_task(self._follow())

    def behind(self, position: str) -> list[_Line] | None:
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

    def _take(self, lines: list[_Line]) -> None:
        self._lines.extend(lines)
        while len(self._lines) > _KEPT:
            self._complete_behind = self._lines.popleft().order
        news, self.news = self.news, asyncio.Event()
        news.set()


def _lines(events: Events, after: str) -> tuple[list[_Line], str]:
    found, position = events.read(after, limit=_PAGE)
    return [_line(event) for event in found], position


class Streams:
    """The open streams of this process."""

    def __init__(self, events: Events) -> None:
        self._events = events
        self._tail: _Tail | None = None
        self._open = 0
        self._closing = False

    @property
    def full(self) -> bool:
        """Whether there must not be another one."""
        return self._open >= MAX_STREAMS

    @contextmanager
    def place(self) -> Iterator[None]:
        """Counts a stream while it is open; with the last one the reader ends."""
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1
            if self._open == 0 and self._tail is not None:
                self._tail.end()

    def close(self) -> None:
        """End all streams, and those to come: the API stops."""
        self._closing = True
        if self._tail is not None:
            self._tail.end()

    def _join(self, position: str) -> _Tail:
        if self._tail is None or self._tail.ended:
            self._tail = _Tail(self._events, position)
        return self._tail

    async def follow(self, position: str, newest: str) -> AsyncIterator[tuple[list[_Line], str]]:
        """The events behind `position` as they come, and the position behind them; none at all now and then.

        `newest` is the id of a recent event: from there on the process reads for all its streams, if it does not yet.
        """
        if self._closing:
            return
        tail = self._join(newest)
        end = time.monotonic() + MAX_STREAM_SECONDS
        while not tail.ended and time.monotonic() < end:
            news = tail.news
            found = tail.behind(position)
            if found is None:
                try:
                    found = await self._older(position)
                except EventsLostError:  # the client is slower than what is kept
                    return
            if found:
                position = found[-1].id
            yield found, position
            if not found:
                try:
                    async with asyncio.timeout(_TICK_SECONDS):
                        await news.wait()
                except TimeoutError:
                    pass

    async def _older(self, position: str) -> list[_Line]:
        """What Redis has behind `position`; nothing while it does not answer. Raises EventsLostError."""
        try:
            found, _ = await run_in_threadpool(_lines, self._events, position)
        except ServiceError:
            return []
        return found


class _Stream(StreamingResponse):
    """An answer that goes on."""

    media_type = "text/event-stream"

    def __init__(self, streams: Streams, blocks: AsyncIterator[str]) -> None:
        super().__init__(blocks, headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"})
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with self._streams.place():
            await super().__call__(scope, receive, send)


@dataclass(frozen=True, slots=True)
class _Beginning:
    """Where a stream begins."""

    position: str
    newest: str
    blocks: str = ""
    """What is sent first."""
    over: bool = False
    """Nothing follows."""
    until: str = ""
    """The batch had ended by this event."""


def _begin_farm(services: Services, after: str, batch: str | None) -> _Beginning:
    """Where a stream of all changes begins. Raises NotFoundError for an unknown batch."""
    newest = services.events.last()
    if batch is not None:
        services.jobs.batch(batch)
    if not after:
        return _Beginning(newest, newest)
    try:
        services.events.read(after, limit=1)
    except EventsLostError as error:
        return _Beginning(newest, newest, _reset(newest, error))
    return _Beginning(after, newest)


def _begin_batch(services: Services, after: str, batch_id: str) -> _Beginning:
    """Where a batch's stream begins. Raises NotFoundError."""
    newest = services.events.last()  # before the batch: what happens in between is told twice rather than not at all
    batch = services.jobs.batch(batch_id)
    until = services.events.last() if batch.ended else ""
    reset = ""
    if after:
        try:
            return _resume(services, after, batch_id, newest, until)
        except EventsLostError as error:
            reset = _reset(newest, error)
    snapshot = _block("snapshot", newest, batch_view(batch).model_dump(mode="json"))
    return _Beginning(newest, newest, reset + snapshot, over=batch.ended)


def _resume(services: Services, after: str, batch: str, newest: str, until: str) -> _Beginning:
    """Raises EventsLostError."""
    found, position = services.events.read(after, batch)
    if not until:
        return _Beginning(after, newest)
    while not found and order(position) < order(until):
        after = position
        found, position = services.events.read(after, batch)
    return _Beginning(after, newest, over=not found, until=until)


def _reset(position: str, error: EventsLostError) -> str:
    return _block("reset", position, {"code": error.code, "detail": str(error)})


async def _blocks(streams: Streams, beginning: _Beginning, batch: str | None, ending: bool) -> AsyncIterator[str]:
    """What is sent; `ending`: only until the batch has ended."""
    # An id without data is no event, but the client notes it: it can come back before anything has happened.
    yield f"retry: {RETRY_SECONDS * 1000}\nid: {beginning.position}\n\n{beginning.blocks}"
    if beginning.over:
        return
    sent = time.monotonic()
    async for lines, position in streams.follow(beginning.position, beginning.newest):
        wanted = [line for line in lines if batch is None or line.batch == batch]
        last = next((place for place, line in enumerate(wanted, 1) if line.ends_batch), None) if ending else None
        if wanted:
            yield "".join(line.block for line in wanted[:last])
            sent = time.monotonic()
        elif time.monotonic() - sent >= BEAT_SECONDS:
            yield f": still here\nid: {position}\n\n"
            sent = time.monotonic()
        if last is not None or (beginning.until and order(position) >= order(beginning.until)):
            return


@contextmanager
def _when_told_to_stop(action: Callable[[], None]) -> Iterator[None]:
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


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.streams = streams = Streams(app.state.services.events)
    with _when_told_to_stop(streams.close):
        yield
    streams.close()


router = APIRouter(tags=["events"], dependencies=[needs(Role.READ)], lifespan=_lifespan)

_RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "The stream", "content": {"text/event-stream": {"schema": {"type": "string"}}}},
}
type _After = Annotated[
    str,
    Query(pattern=f"^$|{ID_PATTERN}", description="Go on behind this event, or from now on; 0-0: all that is kept"),
]
type _LastEventId = Annotated[
    str,
    Header(pattern=f"^$|{ID_PATTERN}", description="The same, as browsers send it when they come back; it goes first"),
]


async def _answer(request: Request, begin: Callable[[], _Beginning], batch: str | None, ending: bool) -> Response:
    streams = request.app.state.streams
    assert isinstance(streams, Streams)
    if streams.full:
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too-many-streams",
            f"This API has {MAX_STREAMS} streams of events open, as many as it takes. Try again later, or ask for the state.",
            {"Retry-After": "10"},
        )
    beginning = await run_in_threadpool(begin)
    if beginning.over and not beginning.blocks:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return _Stream(streams, _blocks(streams, beginning, batch, ending))


@router.get("/v1/events", response_class=StreamingResponse, responses=_RESPONSES)
async def events(
    request: Request,
    services: ServicesOf,
    batch: Annotated[str | None, Query(max_length=64, description="Only what happens to this batch")] = None,
    after: _After = "",
    last_event_id: _LastEventId = "",
) -> Response:
    """What changes, as server-sent events: `job` and `batch`, each with its batch.

    A client that comes back with `Last-Event-ID` misses nothing and gets nothing twice. When what it missed is no longer
    known, the first event is `reset`: ask for the state. A comment is sent every ten seconds in which nothing happens.
    """
    begin = partial(_begin_farm, services, last_event_id or after, batch)
    return await _answer(request, begin, batch, ending=False)


@router.get(
    "/v1/batches/{batch_id}/events",
    response_class=StreamingResponse,
    responses={**_RESPONSES, 204: {"description": "The batch has ended, and the client has all of it"}},
)
async def batch_events(
    batch_id: BatchPath, request: Request, services: ServicesOf, after: _After = "", last_event_id: _LastEventId = ""
) -> Response:
    """The same for one batch, until it has ended.

    The first event is `snapshot`, the batch as `GET /v1/batches/{id}` shows it, unless the client comes back for the rest.
    The last is `batch` with the change `ended`.
    """
    begin = partial(_begin_batch, services, last_event_id or after, batch_id)
    return await _answer(request, begin, batch_id, ending=True)
