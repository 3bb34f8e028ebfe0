"""Refuses bodies: of whom may not send one there, too long ones, too slow ones, and JSON of too many values.

All before the framework reads them, which happens before it asks who sent them; and while they come in: no header is
trusted.
"""

import asyncio
import re
import time
from collections import Counter
from collections.abc import Callable
from functools import partial
from http import HTTPStatus

from fastapi import FastAPI, Response
from fastapi.routing import iter_route_contexts
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.auth import check_role, required_roles
from api.limits import counted_for
from api.problems import code_of, problem
from farm.backgrounds import MAX_BYTES
from farm.errors import ForbiddenError
from farm.keys import ANONYMOUS, Principal, Role
from farm.motion import limits as motions

MAX_UPLOAD_BYTES = 512 * 2**20
MAX_TABLE_BYTES = 32 * 2**20
"""Where mapping tables or lists of verdicts come along."""
MAX_JSON_BYTES = 2 * 2**20
MAX_UNREAD_BYTES = 64 * 2**10
"""Of a request that the route will refuse, of a form, and of whatever goes to no route."""
_LIMITS = (
    (re.compile(r"/v1/models"), MAX_UPLOAD_BYTES),
    (re.compile(r"/v1/backgrounds"), MAX_BYTES + 2**16),
    (re.compile(r"/v1/motions"), motions.MAX_BYTES + 2**16),
    (re.compile(r"/v1/(batches|previews|annotations/check)"), MAX_TABLE_BYTES),
    (re.compile(r"/v1/annotations/collections/[^/]+/(table\.csv|verdicts)"), MAX_TABLE_BYTES),
)
"""By path; MAX_JSON_BYTES for all others."""
MAX_MARKS = 200_000
"""Brackets, commas and colons of a JSON body outside its strings: so many values it has at most. A batch of 10,000 models
has 80,000. The parser holds the interpreter until it is through, in whatever thread: only few values keep it short."""
GRACE_SECONDS, LEAST_RATE = 20.0, 4096.0
"""A body may keep us waiting for so long, and a second more for so many bytes of it."""
MAX_COMING = 16
"""Bodies of one key, or of one address without one, that come in at a time."""


class BodyLimit:
    """ASGI middleware: 401 or 403, 413, 408 and 429 for what is said above."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._routes: list[tuple[frozenset[str], re.Pattern[str], frozenset[Role]]] | None = None
        self._coming: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        limit, refusal = self._limit(scope, headers)
        announced = headers.get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced) > limit:
            await _answer(refusal)(scope, receive, send)
            return
        name = counted_for(scope)
        comes = announced not in ("", "0") or "transfer-encoding" in headers
        if comes and scope.get("state", {}).get("principal") is not ANONYMOUS and self._coming[name] >= MAX_COMING:
            await _answer(_TOO_MANY)(scope, receive, send)
            return
        self._coming[name] += comes
        ended = partial(self._ended, name, int(comes))
        body = _Body(receive, limit, refusal, Marks() if _is_json(headers) else None, ended)

        async def watched(message: Message) -> None:
            body.answering = True
            await send(message)

        try:
            await self._app(scope, body.receive, watched)
        finally:
            body.end()

    def _ended(self, name: str, counted: int) -> None:
        self._coming[name] -= counted
        if not self._coming[name]:
            del self._coming[name]

    def _limit(self, scope: Scope, headers: Headers) -> tuple[int, HTTPException]:
        """How long the body may be, and what to answer to a longer one."""
        roles = self._roles(scope)
        principal = scope.get("state", {}).get("principal", ANONYMOUS)
        if principal is None:
            return MAX_UNREAD_BYTES, _STRANGER
        if roles is None:
            return MAX_UNREAD_BYTES, _too_long(MAX_UNREAD_BYTES)
        if missing := [role for role in roles if not principal.may(role)]:
            return MAX_UNREAD_BYTES, _forbidden(principal, missing[0])
        if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
            return MAX_UNREAD_BYTES, _too_long(MAX_UNREAD_BYTES)
        limit = next((most for path, most in _LIMITS if path.fullmatch(scope["path"])), MAX_JSON_BYTES)
        return limit, _too_long(limit)

    def _roles(self, scope: Scope) -> frozenset[Role] | None:
        """The roles that the request's route asks for; None where there is no such route."""
        if self._routes is None:
            app: FastAPI = scope["app"]
            self._routes = [
                (frozenset(route.methods), route.path_regex, required_roles(getattr(route, "dependencies", None) or ()))
                for route in iter_route_contexts(app.routes)
                if route.methods
            ]
        found = (
            roles for methods, path, roles in self._routes if scope["method"] in methods and path.match(scope["path"])
        )
        return next(found, None)


class _Body:
    """A body on its way."""

    def __init__(
        self, receive: Receive, limit: int, refusal: HTTPException, marks: "Marks | None", ended: Callable[[], None]
    ) -> None:
        self._receive, self._limit, self._refusal, self._marks, self._ended = receive, limit, refusal, marks, ended
        self.answering = False
        self._seen = 0
        self._waited = 0.0
        self._is_over = False

    def end(self) -> None:
        """No more of it is wanted."""
        if not self._is_over:
            self._is_over = True
            self._ended()

    async def receive(self) -> Message:
        """The next of it; behind its end, what the server has to say. Raises HTTPException."""
        if self._is_over:
            return await self._receive()
        try:
            message = await self._in_time()
            self._look_at(message.get("body", b""))
        except HTTPException:
            if self.answering:  # nobody wants the rest of the body, and it is too late for another answer
                return {"type": "http.disconnect"}
            raise
        if not message.get("more_body", False):
            self.end()
        return message

    async def _in_time(self) -> Message:
        """Only the time counts in which nothing came that the farm could have taken."""
        begun = time.monotonic()
        try:
            async with asyncio.timeout(GRACE_SECONDS + self._seen / LEAST_RATE - self._waited):
                return await self._receive()
        except TimeoutError:
            raise _TOO_SLOW from None
        finally:
            self._waited += time.monotonic() - begun

    def _look_at(self, data: bytes) -> None:
        self._seen += len(data)
        if self._seen > self._limit:
            raise self._refusal
        if self._marks is not None:
            self._marks.feed(data)
            if self._marks.count > MAX_MARKS:
                raise _TOO_MANY_VALUES


_MARKS = b'",:[]{}'
_ALL_BUT_MARKS = bytes(set(range(256)) - set(_MARKS))


class Marks:
    """Counts the brackets, commas and colons of a JSON text that stand outside its strings, piece by piece.

    Raises HTTPException for a text with a zero byte: it is not UTF-8, and in other encodings quotes look otherwise.
    """

    def __init__(self) -> None:
        self.count = 0
        self._inside = False
        self._rest = b""

    def feed(self, data: bytes) -> None:
        """Count in the next piece of the text."""
        if b"\0" in data:
            raise HTTPException(HTTPStatus.BAD_REQUEST, "The body is no JSON in UTF-8.")
        data = self._rest + data
        odd = (len(data) - len(data.rstrip(b"\\"))) % 2  # the last one belongs to what comes next
        end = len(data) - odd
        self._rest = data[end:]
        plain = data[:end].replace(b"\\\\", b"").replace(b'\\"', b"")
        pieces = plain.translate(None, _ALL_BUT_MARKS).split(b'"')
        self.count += sum(map(len, pieces[self._inside :: 2]))
        self._inside ^= len(pieces) % 2 == 0


def _is_json(headers: Headers) -> bool:
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    return kind == "" or "json" in kind


def _answer(refusal: HTTPException) -> Response:
    status = HTTPStatus(refusal.status_code)
    return problem(status, code_of(status), refusal.detail, refusal.headers)


def _too_long(limit: int) -> HTTPException:
    size = f"{limit // 2**20} MiB" if limit >= 2**20 else f"{limit // 2**10} KiB"
    detail = f"The request is larger than {size}, the limit here. Upload models and pictures one by one."
    return HTTPException(HTTPStatus.CONTENT_TOO_LARGE, detail)


def _forbidden(principal: Principal, role: Role) -> HTTPException:
    try:
        check_role(principal, role)
    except ForbiddenError as error:
        return HTTPException(HTTPStatus.FORBIDDEN, str(error))
    raise AssertionError("The role is missing.")


_STRANGER = HTTPException(
    HTTPStatus.UNAUTHORIZED,
    "A request of this length needs a key that the farm knows: send `Authorization: Bearer KEY`.",
)
_TOO_SLOW = HTTPException(
    HTTPStatus.REQUEST_TIMEOUT,
    f"The request came in too slowly: send at least {LEAST_RATE / 1024:.0f} KiB a second.",
    {"Connection": "close"},
)
_TOO_MANY = HTTPException(
    HTTPStatus.TOO_MANY_REQUESTS,
    f"{MAX_COMING} requests of yours are coming in already. Send the next one when one of them is through.",
    {"Retry-After": "1"},
)
_TOO_MANY_VALUES = HTTPException(
    HTTPStatus.CONTENT_TOO_LARGE, f"The request's JSON has more than {MAX_MARKS:,} values. Split it."
)
