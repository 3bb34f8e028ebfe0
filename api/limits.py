"""Refuses requests that come too fast, and too many at a time."""

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from ipaddress import IPv6Address, ip_address

from fastapi import Response
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from api.problems import problem
from farm.keys import ANONYMOUS

UNCOUNTED = frozenset({"/healthz", "/readyz", "/metrics", "/v1/autoscale"})
"""Paths without a rate: what asks there must not go without because others ask much."""
BURST_SECONDS = 5
"""Whoever was silent for so long may ask for all of it at once."""
MAX_BUCKETS = 10_000
MAX_OPEN, MAX_WAITING = 200, 20
"""Requests of one key, or of one address without one, whose answers have not ended, streams included; and of these, those
whose answers have not begun: forty threads work on them, which nobody is to have alone."""


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
        left = self._buckets.take(counted_for(scope))
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


class Share:
    """ASGI middleware: 429 for whoever has more than so many requests at a time. Without keys nobody shares anything."""

    def __init__(self, app: ASGIApp, uncounted: Iterable[str] = UNCOUNTED) -> None:
        self._app = app
        self._uncounted = frozenset(uncounted)
        self._open: Counter[str] = Counter()
        self._waiting: Counter[str] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        anybody = scope.get("state", {}).get("principal") is ANONYMOUS
        if scope["type"] != "http" or anybody or scope["path"] in self._uncounted:
            await self._app(scope, receive, send)
            return
        name = counted_for(scope)
        if self._open[name] >= MAX_OPEN or self._waiting[name] >= MAX_WAITING:
            detail = (
                "So many requests of yours are on their way already. Send the next one when one of them is through."
            )
            refusal = problem(HTTPStatus.TOO_MANY_REQUESTS, "too-many-requests", detail, {"Retry-After": "1"})
            await refusal(scope, receive, send)
            return
        with _counted(self._open, name), ExitStack() as waiting:
            waiting.enter_context(_counted(self._waiting, name))

            async def watched(message: Message) -> None:
                waiting.close()
                await send(message)

            await self._app(scope, receive, watched)


@contextmanager
def _counted(counter: Counter[str], name: str) -> Iterator[None]:
    counter[name] += 1
    try:
        yield
    finally:
        counter[name] -= 1
        if not counter[name]:
            del counter[name]


def counted_for(scope: Scope) -> str:
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
