"""Counts answers and how long they took, by route: by its template, never by a path that somebody asked for."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farm import metrics

_FOUND = "farm.route"
"""In the scope: a list, into which the template goes once it is known. Scopes are copied on the way, and it is not."""
_NONE = "none"


class Outside:
    """ASGI middleware, outside of all that may refuse a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app, self._open = app, 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        began, found = time.monotonic(), list[str]()
        method, told = scope["method"], False

        def count(status: int) -> None:
            nonlocal told
            told = True
            route = found[0] if found else _NONE
            metrics.ANSWERS.inc(method, route, str(status))
            metrics.LATENCY.observe(time.monotonic() - began, method, route)

        async def watched(message: Message) -> None:
            if message["type"] == "http.response.start" and not told:
                count(message["status"])
            await send(message)

        self._count_open(1)
        try:
            await self._app({**scope, _FOUND: found}, receive, watched)
        except Exception:
            if not told:
                count(500)
            raise
        finally:
            self._count_open(-1)

    def _count_open(self, change: int) -> None:
        self._open += change
        metrics.OPEN.set(self._open)


class Inside:
    """ASGI middleware, around the routes: what they are called stands in the scope as soon as one was found."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        found = scope.get(_FOUND)

        async def told(message: Message) -> None:
            template = getattr(scope.get("route"), "path", "")
            if message["type"] == "http.response.start" and found is not None and template:
                found[:] = [template]
            await send(message)

        await self._app(scope, receive, told)
