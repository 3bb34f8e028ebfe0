"""A farm that a proxy shows under a path, such as https://example.org/farm (FARM_API_PATH).

Proxies do it in two ways: they take the path away before they pass a request on, or they do not. `Outside` takes it away
if it is there, so that everything in between knows one set of addresses; `Inside` puts it back, for the routes, whose
redirects, documentation and pages have to name it.
"""

from urllib.parse import urlsplit, urlunsplit

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


class Outside:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app, self._path = app, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        host = next((value.decode("latin-1") for name, value in scope.get("headers", ()) if name == b"host"), "")

        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if "location" in headers:
                    headers["location"] = _without_host(headers["location"], host)
            await send(message)

        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path, raw = scope["path"], scope.get("raw_path")
        if self._path and (path == self._path or path.startswith(f"{self._path}/")):
            scope["path"] = path[len(self._path) :] or "/"
            if raw is not None:
                scope["raw_path"] = raw[len(self._path) :] or b"/"
        await self._app(scope, receive, told)


class Inside:
    """ASGI middleware, the innermost."""

    def __init__(self, app: ASGIApp, path: str) -> None:
        self._app, self._path = app, path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and self._path:
            scope = {**scope, "root_path": self._path, "path": self._path + scope["path"]}
        await self._app(scope, receive, send)


def _without_host(location: str, host: str) -> str:
    """A place on this server by its path alone: only the browser knows by which name and scheme it came through a proxy."""
    split = urlsplit(location)
    return urlunsplit(("", "", *split[2:])) if split.netloc == host else location
