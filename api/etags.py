"""Saves a client what it has already: answers carry the hash of their body, and a client that names it gets 304.

The answer is still made, so this saves transfer, not work. A route with a dear answer and a name for it sets `ETag`
itself and asks `not_modified` before it makes the rest.
"""

import hashlib
import re
from http import HTTPStatus

from fastapi import Response
from pydantic import BaseModel
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farm.errors import StaleVersionError

_VERSION = re.compile(r'(?:W/)?"([0-9]{1,8})(?:-[0-9a-f]{16})?"')
MAX_BYTES = 4 * 2**20
"""Longer answers are passed on as they come, without an ETag."""
_TAG = re.compile(r'(?:W/)?("[^"]*")')
_KEPT = {"etag", "cache-control", "content-location", "date", "expires", "vary"}
"""What RFC 9110 wants of a 304 ; the rest described a body."""


def names(if_none_match: str, etag: str) -> bool:
    """Whether the header `if_none_match` names `etag`, by the weak comparison that RFC 9110 asks for."""
    if if_none_match.strip() == "*":
        return True
    return etag.removeprefix("W/") in _TAG.findall(if_none_match)


def of_version(version: int, view: BaseModel) -> str:
    """The ETag, in quotes, of an answer that shows a version of something: of the answer, for caches, and of the version,
    for `version_in`. What else the answer tells may change without the version."""
    return f'"{version}-{hashlib.sha256(view.model_dump_json().encode()).hexdigest()[:16]}"'


def version_in(if_match: str) -> int | None:
    """The version that the header `If-Match` of a change names; None for ``*``: whatever stands.

    Raises HTTPException (428) when it names nothing, and StaleVersionError when it names no version.
    """
    if not if_match.strip():
        raise HTTPException(
            HTTPStatus.PRECONDITION_REQUIRED,
            "Say in `If-Match` which version you change: the `ETag` of what you read, so that nobody's work is overwritten.",
        )
    if if_match.strip() == "*":
        return None
    named = _VERSION.fullmatch(if_match.strip())
    if named is None:
        raise StaleVersionError(
            "`If-Match` names no version of this. Read it again, and send the `ETag` of the answer."
        )
    return int(named[1])


def not_modified(request: HTTPConnection, etag: str) -> Response | None:
    """The 304 for a client that has the answer which `etag` (in quotes) names; None if it has not."""
    if not names(_if_none_match(request.headers), etag):
        return None
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, "Cache-Control": "private, no-cache"})


def _if_none_match(headers: Headers) -> str:
    return ", ".join(headers.getlist("if-none-match"))


class ETags:
    """ASGI middleware: strong ETags on successful JSON answers to GET, and 304 for any answer that the client has."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return
        answer = _Answer(_if_none_match(Headers(scope=scope)), receive, send)
        await self._app(scope, answer.receive, answer.send)


class _Answer:
    """One answer on its way out."""

    def __init__(self, if_none_match: str, receive: Receive, send: Send) -> None:
        self._if_none_match = if_none_match
        self._receive = receive
        self._send = send
        self._start: Message | None = None
        """Held back until the whole body is here to be hashed."""
        self._body = bytearray()
        self._ended = False
        """A 304 has gone out in the answer's stead."""

    async def receive(self) -> Message:
        if self._ended:
            return {"type": "http.disconnect"}  # so that a stream stops being made
        return await self._receive()

    async def send(self, message: Message) -> None:
        if self._ended:
            return
        if message["type"] == "http.response.start" and message["status"] == HTTPStatus.OK:
            await self._begin(message)
        elif message["type"] == "http.response.body" and self._start is not None:
            await self._collect(message, self._start)
        else:
            await self._send(message)

    async def _begin(self, start: Message) -> None:
        headers = MutableHeaders(scope=start)
        if etag := headers.get("etag"):
            if names(self._if_none_match, etag):
                await self._end(start)
            else:
                await self._send(start)
        elif headers.get("content-type", "").partition(";")[0].strip() == "application/json":
            self._start = start
        else:
            await self._send(start)

    async def _collect(self, message: Message, start: Message) -> None:
        self._body += message.get("body", b"")
        more = message.get("more_body", False)
        if more and len(self._body) <= MAX_BYTES:
            return
        self._start = None
        if len(self._body) <= MAX_BYTES:
            headers = MutableHeaders(scope=start)
            headers["ETag"] = f'"{hashlib.sha256(self._body).hexdigest()[:32]}"'
            headers.setdefault("Cache-Control", "private, no-cache")  # kept, but asked about before each use
            if names(self._if_none_match, headers["ETag"]):
                await self._end(start)
                return
        await self._send(start)
        await self._send({"type": "http.response.body", "body": bytes(self._body), "more_body": more})

    async def _end(self, start: Message) -> None:
        self._ended = True
        kept = [(name, value) for name, value in start["headers"] if name.decode("latin-1").lower() in _KEPT]
        await self._send({"type": "http.response.start", "status": HTTPStatus.NOT_MODIFIED.value, "headers": kept})
        await self._send({"type": "http.response.body", "body": b""})
