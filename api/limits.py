"""Refuses request bodies that are too large, while they come in: no header is trusted."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farm.backgrounds import MAX_BYTES

MAX_UPLOAD_BYTES = 512 * 2**20
MAX_BACKGROUND_BYTES = MAX_BYTES + 2**16
"""A picture in its form."""
MAX_JSON_BYTES = 32 * 2**20
_BY_PATH = {"/v1/models": MAX_UPLOAD_BYTES, "/v1/backgrounds": MAX_BACKGROUND_BYTES}


class BodyLimit:
    """ASGI middleware: 413 for a body over the limit of its kind."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = _BY_PATH.get(scope["path"], MAX_JSON_BYTES)
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise HTTPException(
                    HTTPStatus.CONTENT_TOO_LARGE,
                    f"The request is larger than {limit // 2**20} MiB. Upload models and pictures one by one.",
                )
            return message

        await self._app(scope, counted, send)
