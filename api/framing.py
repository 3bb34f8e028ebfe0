"""What all pages have: their frame, their policy, and errors that are pages, too.

Nothing on a page is loaded from another host, and its policy lets neither scripts nor styles in that are not files of
the farm: a model's name that is HTML is shown as what it is.
"""

import hashlib
import json
from collections.abc import Callable, Coroutine
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from typing import Any

import jinja2
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse
from fastapi.routing import APIRoute

from farm import __version__
from farm.errors import FarmError, UnauthorizedError
from farm.jobs import overview
from farm.jobs.batches import PRIORITIES
from farm.jobs.listing import BatchState, state_of
from farm.jobs.states import State
from farm.keys import Role
from farm.wording import counted, duration, moment, number

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
        "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
_FOLDER = Path(__file__).parent
_SHARED = files("farm.inspection") / "assets"
STATIC = {
    "page.css": ("text/css; charset=utf-8", (_FOLDER / "static" / "page.css").read_bytes()),
    "palette.css": ("text/css; charset=utf-8", (_SHARED / "palette.css").read_bytes()),
    "page.js": ("text/javascript; charset=utf-8", (_FOLDER / "static" / "page.js").read_bytes()),
    "icon.svg": ("image/svg+xml", (_SHARED / "icon.svg").read_bytes()),
}
_VERSION = hashlib.sha256(b"".join(body for _, body in STATIC.values())).hexdigest()[:12]
"""Stands in the addresses of the static files, so that browsers can keep them for good."""


def _templates() -> jinja2.Environment:
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_FOLDER / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters.update(counted=counted, duration=duration, number=number, moment=moment)
    made.globals.update(
        overview=overview, state_of=state_of, BatchState=BatchState, State=State, PRIORITIES=PRIORITIES,
        static_version=_VERSION, farm_version=__version__,
    )  # fmt: skip
    return made


_TEMPLATES = _templates()


def root_of(request: Request) -> str:
    """What stands before every path of the farm's own pages, where a proxy shows them under a path; empty: nothing."""
    return str(request.scope.get("root_path", ""))


def framed(request: Request, template: str, status: int = HTTPStatus.OK, **values: Any) -> Response:
    """A page; `values` are what its template speaks of."""
    who = request.state.principal
    html = _TEMPLATES.get_template(template).render(
        settings=request.app.state.services.settings,
        root=root_of(request),
        who=who,
        may_submit=who is not None and who.may(Role.SUBMIT),
        may_annotate=who is not None and who.may(Role.ANNOTATE),
        may_operate=who is not None and who.may(Role.OPERATE),
        keys_configured=request.app.state.keys.configured,
        **values,
    )
    return HTMLResponse(html, status, HEADERS)


def sign_in_page(request: Request, refusal: str = "", status: int = HTTPStatus.OK, leads_to: str = "") -> Response:
    # The browser keeps the key back when a page of another site led here. From our own page on it shows it.
    elsewhere = request.method == "GET" and request.headers.get("sec-fetch-site") == "cross-site"
    return framed(
        request,
        "sign-in.html",
        status,
        refusal=refusal,
        leads_to=leads_to or f"{root_of(request)}/",
        elsewhere=elsewhere,
    )


class Page(APIRoute):
    """A route whose errors are pages, too: the sentence that the API would answer with as a problem."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handler = super().get_route_handler()

        async def shown(request: Request) -> Response:
            try:
                return await handler(request)
            except UnauthorizedError:
                here = request.url.path if request.method == "GET" else f"{root_of(request)}/"
                query = f"?{request.url.query}" if request.method == "GET" and request.url.query else ""
                return sign_in_page(request, status=HTTPStatus.UNAUTHORIZED, leads_to=here + query)
            except (FarmError, RequestValidationError) as error:
                return await _error_page(request, error)

        return shown


async def _error_page(request: Request, error: Exception) -> Response:
    handlers = request.app.exception_handlers
    answer = await next(handlers[kind] for kind in type(error).__mro__ if kind in handlers)(request, error)
    again = request.method == "GET" and answer.status_code == HTTPStatus.SERVICE_UNAVAILABLE
    return framed(request, "problem.html", answer.status_code, problem=json.loads(answer.body), again=again)
