"""Refuses what is too much: bodies that are too large, and requests that come too fast.

Both are counted while they come in; no header is trusted.
"""

import math
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address

from fastapi import Response
from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import code_of, problem
from farm.backgrounds import MAX_BYTES
from farm.keys import ANONYMOUS

MAX_UPLOAD_BYTES = 512 * 2**20
MAX_BACKGROUND_BYTES = MAX_BYTES + 2**16
"""A picture in its form."""
MAX_JSON_BYTES = 32 * 2**20
MAX_STRANGER_BYTES = 64 * 2**10
"""What is read of a request without a known key: the framework reads bodies before it asks who sent them."""
_BODY_LIMITS = {"/v1/models": MAX_UPLOAD_BYTES, "/v1/backgrounds": MAX_BACKGROUND_BYTES}
"""By path; MAX_JSON_BYTES for all others."""

UNCOUNTED = frozenset({"/healthz", "/readyz", "/metrics", "/v1/autoscale"})
"""Paths without a rate: what asks there must not go without because others ask much."""
BURST_SECONDS = 5
"""Whoever was silent for so long may ask for all of it at once."""
MAX_BUCKETS = 10_000


def _is_stranger(scope: Scope) -> bool:
    """Whether `auth.Gate` found no known key on the request."""
    return scope.get("state", {}).get("principal", ANONYMOUS) is None


class BodyLimit:
    """ASGI middleware: 413 for a body over the limit of its path, 401 for a long one without a known key."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = _BODY_LIMITS.get(scope["path"], MAX_JSON_BYTES)
        refusal = HTTPException(
            HTTPStatus.CONTENT_TOO_LARGE,
            f"The request is larger than {limit // 2**20} MiB. Upload models and pictures one by one.",
        )
        if _is_stranger(scope):
            limit = MAX_STRANGER_BYTES
            refusal = HTTPException(
                HTTPStatus.UNAUTHORIZED,
                "A request of this length needs a key that the farm knows: send `Authorization: Bearer KEY`.",
            )
        seen = 0
        answering = False

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen <= limit:
                return message
            if answering:  # nobody wants the rest of the body, and it is too late for another answer
                return {"type": "http.disconnect"}
            raise refusal

        async def watched(message: Message) -> None:
            nonlocal answering
            answering = True
            await send(message)

        announced = Headers(scope=scope).get("content-length", "")
        if announced.isascii() and announced.isdigit() and int(announced) > limit:
            status = HTTPStatus(refusal.status_code)
            await problem(status, code_of(status), refusal.detail)(scope, receive, send)
            return
        await self._app(scope, counted, watched)


@dataclass(slots=True)
class _Bucket:
    """Requests that may come at once."""

    tokens: float
    filled: float
    """When `tokens` was right, in seconds of the clock."""


class Buckets:
    """A token bucket for each name. Of `most` at most: those that were asked for longest ago are forgotten, full again.

    `rate`: tokens that come back a second; `size`: tokens of a full bucket; `clock` gives seconds.
    """

    def __init__(
        self, rate: float, size: float, most: int = MAX_BUCKETS, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._rate = rate
        self._size = size
        self._most = most
        self._clock = clock
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def __len__(self) -> int:
        return len(self._buckets)

    def take(self, name: str) -> float:
        """Take a token; how many are left. Negative: there was none to take, and by so much it falls short of one."""
        now = self._clock()
        bucket = self._buckets.setdefault(name, _Bucket(self._size, now))
        self._buckets.move_to_end(name)
        if len(self._buckets) > self._most:
            self._buckets.popitem(last=False)
        bucket.tokens = min(self._size, bucket.tokens + (now - bucket.filled) * self._rate)
        bucket.filled = now
        left = bucket.tokens - 1
        if left >= 0:
            bucket.tokens = left
        return left


class RateLimit:
    """ASGI middleware: 429 for whoever asks faster than `rate` requests a second for long; a rate of 0 is no limit.

    Counts by key, and by the client's address where there is no known key: wrong keys are counted there too. Each API
    process counts for itself. A stream of events is one request, however long it lasts.
    """

    def __init__(self, app: ASGIApp, rate: float, uncounted: Iterable[str] = UNCOUNTED) -> None:
        self._app = app
        self._rate = rate
        self._size = max(1, math.ceil(rate * BURST_SECONDS))
        self._uncounted = frozenset(uncounted)
        self._buckets = Buckets(rate, self._size)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or self._rate == 0 or scope["path"] in self._uncounted:
            await self._app(scope, receive, send)
            return
        left = self._buckets.take(_name(scope))
        tokens = max(0.0, left)

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers["RateLimit-Limit"] = str(self._size)
                headers["RateLimit-Remaining"] = str(int(tokens))
                headers["RateLimit-Reset"] = str(math.ceil((self._size - tokens) / self._rate))
            await send(message)

        await (self._app if left >= 0 else self._refuse(left))(scope, receive, told)

    def _refuse(self, left: float) -> Response:
        wait = max(1, math.ceil(-left / self._rate))
        return problem(
            HTTPStatus.TOO_MANY_REQUESTS,
            "too-many-requests",
            f"More than {self._rate:g} requests a second. Try again in {wait} s.",
            {"Retry-After": str(wait)},
        )


def _name(scope: Scope) -> str:
    """Whom a request counts for. An IPv6 client owns a whole /64, so that is one address here."""
    principal = scope.get("state", {}).get("principal")
    if principal is not None and principal is not ANONYMOUS:
        return f"key {principal.name}"
    client = scope.get("client")
    host = client[0] if client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return f"address {host}"
    if isinstance(address, IPv6Address) and address.ipv4_mapped is None:
        return f"network {int(address) >> 64:x}"
    return f"address {address}"
