"""Which batch and job a request is about, in every line of the log that comes of it."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from farm import logs

_BATCH = re.compile(r"^(?:/v1)?/batches/([0-9A-Za-z]{1,64})(?:/|$)")
_JOB = re.compile(r"^(?:/v1)?/jobs/(([0-9A-Za-z]{1,64})-[0-9]{1,9})(?:/|$)")


class LogContext:
    """ASGI middleware."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fields: dict[str, str] = {}
        if scope["type"] == "http":
            if batch := _BATCH.match(scope["path"]):
                fields = {"batch": batch[1]}
            elif job := _JOB.match(scope["path"]):
                fields = {"batch": job[2], "job": job[1]}
        with logs.within(**fields):
            await self._app(scope, receive, send)
