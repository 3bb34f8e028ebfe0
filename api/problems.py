"""Errors as application/problem+json: a status, a stable code and a sentence."""

import logging
import secrets
import tempfile
from collections.abc import Mapping
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.routing import Match
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from farm import errors, free_space
from farm.keys import Principal, Role
from farm.wording import mistake

_MEDIA_TYPE = "application/problem+json"
_MAX_DETAIL = 2000
"""Characters: what the client sent can be in the sentence."""
_LOG = logging.getLogger(__name__)


class Problem(BaseModel):
    """An error, as application/problem+json (RFC 9457)."""

    type: Literal["about:blank"] = "about:blank"
    title: str
    status: int
    detail: str
    """A sentence that says what is wrong and what to do."""
    code: str
    """Stable, for programs."""


_STATUS: tuple[tuple[type[errors.FarmError], HTTPStatus], ...] = (
    (errors.UnauthorizedError, HTTPStatus.UNAUTHORIZED),
    (errors.AllowanceError, HTTPStatus.TOO_MANY_REQUESTS),
    (errors.ForbiddenError, HTTPStatus.FORBIDDEN),
    (errors.NotFoundError, HTTPStatus.NOT_FOUND),
    (errors.StaleVersionError, HTTPStatus.PRECONDITION_FAILED),
    (errors.ConflictError, HTTPStatus.CONFLICT),
    (errors.ServiceError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.StorageError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.KeysError, HTTPStatus.SERVICE_UNAVAILABLE),
    (errors.FarmError, HTTPStatus.UNPROCESSABLE_CONTENT),
)
"""The status of an error is that of the first of these that it is a kind of."""

_ADDRESSES = (errors.ServiceError, errors.StorageError, errors.StoreRefusedError, errors.DiskFullError)
"""Their sentences name servers, buckets and settings: for operators, and for the log."""
NO_ADDRESS = (
    "A server or a disk that the farm needs does not answer, refuses, or is full. Try again later; the API's log tells an "
    "operator which."
)

_MEANING = {
    HTTPStatus.BAD_REQUEST: "The body cannot be read",
    HTTPStatus.UNAUTHORIZED: "The request shows no key that the farm knows",
    HTTPStatus.FORBIDDEN: "The key lacks the role, or a page of another site asks",
    HTTPStatus.NOT_FOUND: "There is no such thing",
    HTTPStatus.REQUEST_TIMEOUT: "The body comes in too slowly",
    HTTPStatus.CONFLICT: "The request does not fit the present state",
    HTTPStatus.CONTENT_TOO_LARGE: "The body is over the limit",
    HTTPStatus.UNPROCESSABLE_CONTENT: "The request or what it brings is refused",
    HTTPStatus.TOO_MANY_REQUESTS: "Too many requests, see `Retry-After`, or too much of what all share",
    HTTPStatus.SERVICE_UNAVAILABLE: "A service that the API needs does not answer; try again later",
}

_OF_VERSIONS = {
    HTTPStatus.PRECONDITION_FAILED: "It was changed since the version in `If-Match`; `detail` says by whom and how",
    HTTPStatus.PRECONDITION_REQUIRED: "The request names no version in `If-Match`",
}


def _responses(meanings: Mapping[HTTPStatus, str]) -> dict[int | str, dict[str, Any]]:
    content = {_MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
    return {status.value: {"description": meaning, "content": content} for status, meaning in meanings.items()}


RESPONSES = _responses(_MEANING)
"""The errors that a route can answer with, for `responses` of routes, routers and the application."""
OF_VERSIONS = _responses(_OF_VERSIONS)
"""Those of a route that changes a version, besides."""


def problem(status: HTTPStatus, code: str, detail: str, headers: Mapping[str, str] | None = None) -> Response:
    """The response for one problem."""
    if status == HTTPStatus.UNAUTHORIZED:
        headers = {"WWW-Authenticate": "Bearer", **(headers or {})}
    if len(detail) > _MAX_DETAIL:
        detail = detail[:_MAX_DETAIL] + "…"
    # Half a surrogate pair is valid in JSON that comes in, and has no form in UTF-8 that goes out.
    detail = detail.encode("utf-8", "replace").decode()
    body = Problem(title=status.phrase, status=status, detail=detail, code=code)
    return Response(body.model_dump_json(), status, headers, _MEDIA_TYPE)


def code_of(status: HTTPStatus) -> str:
    """The code of a problem that has no name but its status."""
    return status.name.lower().replace("_", "-")


def _methods(app: FastAPI, request: Request) -> list[str]:
    """What can be done at the request's path. The framework names the methods of the first of several routes only."""
    every = ("GET", "POST", "PUT", "PATCH", "DELETE")
    return [
        method
        for method in every
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in app.routes)
    ]


def _is_operator(request: Request) -> bool:
    principal = request.scope.get("state", {}).get("principal")
    return isinstance(principal, Principal) and principal.may(Role.OPERATE)


def install(app: FastAPI) -> None:
    """Answer every error of `app` as a problem, and say so in its OpenAPI document."""

    @app.exception_handler(errors.FarmError)
    async def _farm_error(request: Request, error: errors.FarmError) -> Response:
        status = next(status for kind, status in _STATUS if isinstance(error, kind))
        if type(error) in _ADDRESSES and not _is_operator(request):
            _LOG.warning("%s", error)
            return problem(status, error.code, NO_ADDRESS)
        headers = {"Retry-After": "5"} if isinstance(error, errors.BusyError) else None
        return problem(status, error.code, str(error), headers)

    @app.exception_handler(OSError)
    async def _disk(request: Request, error: OSError) -> Response:
        if not free_space.is_want_of(error):
            raise error
        return await _farm_error(request, free_space.full(Path(tempfile.gettempdir()), free_space.ROOM_FOR_TEMPORARY))

    @app.exception_handler(RequestValidationError)
    async def _invalid(_: Request, error: RequestValidationError) -> Response:
        lines = [f"{'.'.join(str(part) for part in item['loc'])}: {mistake(item)}" for item in error.errors()[:10]]
        return problem(HTTPStatus.UNPROCESSABLE_CONTENT, "request-invalid", "; ".join(lines))

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> Response:
        if isinstance(error.__cause__, OSError) and free_space.is_want_of(error.__cause__):
            return await _disk(request, error.__cause__)  # the framework takes it for a body that cannot be read
        status, detail, headers = HTTPStatus(error.status_code), str(error.detail), error.headers
        if status == HTTPStatus.METHOD_NOT_ALLOWED:
            allowed = ", ".join(_methods(app, request))
            detail, headers = f"{request.method} does nothing here; there is {allowed}.", {"Allow": allowed}
        return problem(status, code_of(status), detail, headers)

    document = app.openapi

    def with_problems() -> dict[str, Any]:
        made = document()
        made.setdefault("components", {}).setdefault("schemas", {})["Problem"] = Problem.model_json_schema()
        return made

    app.openapi = with_problems  # type: ignore[method-assign]


class LastResort:
    """ASGI middleware, the outermost: an error that nobody foresaw becomes a 500 that shows nothing of it.

    The log gets the traceback. The framework's own way would close the connection behind the answer, and the client's
    next request on it would fail as well.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        begun = False

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception:
            if scope["type"] != "http" or begun:
                raise  # cutting the connection is all that can still tell the client
            incident = secrets.token_hex(4)
            _LOG.exception("Incident %s: %s %s", incident, scope["method"], scope["path"])
            answer = problem(
                HTTPStatus.INTERNAL_SERVER_ERROR,
                "internal-error",
                f"The API met an error that nobody foresaw. Its log tells more: look for incident {incident}.",
            )
            await answer(scope, receive, send)
