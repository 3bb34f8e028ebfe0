"""Routes for server-sent events: what changes, told as it happens.

A stream is a position in the farm's stream of changes (`farm.jobs.events`), which Redis keeps: nothing is queued for a
client, so a slow one costs no more than a fast one, and whoever comes back goes on behind the last event it has, on
any API process. One reader for each process looks for news for all its clients.

While Redis is away a stream stays open and beats; it goes on when Redis is back. A stream ends when the API stops, when
it is an hour old, within seconds when its key is taken back, when it has told so many events of the past, when others
need its place, and when its client cannot go on where it was; clients come back by themselves, which is what
`text/event-stream` is for.
"""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import APIRouter, FastAPI, Header, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse

from api.auth import needs, principal, still_known
from api.problems import problem
from api.schemas import BatchPath
from api.services import Services, ServicesOf
from api.streams import MAX_STREAMS, MAX_STREAMS_OF_KEY, Place, Stream, Streams, block_of, when_told_to_stop
from api.views import batch_view
from farm.jobs.events import ID_PATTERN, EventsLostError, order
from farm.keys import ANONYMOUS, Role

BEAT_SECONDS = 10.0
"""A stream is never silent for longer, or proxies would take it for dead."""
_PAGES_LOOKED_THROUGH = 10
"""Of 1,000 events, before a stream begins, for whether there is anything to tell."""
RETRY_SECONDS = 2
"""How long a client that lost its stream waits before it comes back."""


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
    snapshot = block_of("snapshot", newest, batch_view(batch).model_dump(mode="json"))
    return _Beginning(newest, newest, reset + snapshot, over=batch.ended)


def _resume(services: Services, after: str, batch: str, newest: str, until: str) -> _Beginning:
    """Raises EventsLostError."""
    found, position = services.events.read(after, batch)
    if not until:
        return _Beginning(after, newest)
    for _ in range(_PAGES_LOOKED_THROUGH):
        if found or order(position) >= order(until):
            break
        after = position
        found, position = services.events.read(after, batch)
    return _Beginning(after, newest, over=not found and order(position) >= order(until), until=until)


def _reset(position: str, error: EventsLostError) -> str:
    return block_of("reset", position, {"code": error.code, "detail": str(error)})


async def _blocks(
    streams: Streams, place: Place, beginning: _Beginning, batch: str | None, ending: bool
) -> AsyncIterator[str]:
    """What is sent; `ending`: only until the batch has ended."""
    # An id without data is no event, but the client notes it: it can come back before anything has happened.
    yield f"retry: {RETRY_SECONDS * 1000}\nid: {beginning.position}\n\n{beginning.blocks}"
    if beginning.over:
        return
    sent = time.monotonic()
    position = beginning.position
    async for lines, position in streams.follow(place, beginning.position, beginning.newest):
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
    yield f"id: {position}\n\n"  # what it looked at in vain it need not look at again


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    app.state.streams = streams = Streams(app.state.services.events)
    with when_told_to_stop(streams.close):
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
    who = principal(request)
    if streams.full_for(who.name, MAX_STREAMS if who is ANONYMOUS else MAX_STREAMS_OF_KEY):
        return problem(
            HTTPStatus.SERVICE_UNAVAILABLE,
            "too-many-streams",
            f"This API has as many streams of events open as it takes: {MAX_STREAMS} in all, {MAX_STREAMS_OF_KEY} of a key. "
            "Try again later, or ask for the state.",
            {"Retry-After": "10"},
        )
    place = Place(who.name, still_known(request))
    beginning = await run_in_threadpool(begin)
    if beginning.over and not beginning.blocks:
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return Stream(streams, place, _blocks(streams, place, beginning, batch, ending))


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
