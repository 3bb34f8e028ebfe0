"""What stands before every answer of Flower, whichever of its handlers gives it: who asks, and what a browser may do with it.

Flower asks for its login page by page, and forgets some; it sets no policy. Tornado makes a handler for each request in one
place, so both are said there, for pages that a later Flower adds, too.
"""

import hmac
import re
from base64 import b64decode, b64encode
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any, Self

from flower.app import Flower
from flower.urls import settings as web_settings
from tornado.httputil import HTTPMessageDelegate, HTTPServerRequest
from tornado.template import filter_whitespace
from tornado.web import RequestHandler

OPEN = "/healthcheck"
"""It says OK and nothing else: who probes it has no password."""
_INLINE = re.compile(r"<script[^>]*>([^<]*\{\{ autorefresh \}\}[^<]*)</script>")


def _inline_script() -> str:
    """The policy's word for the one script that stands in a page of Flower's (whether the list of workers is renewed)."""
    page = filter_whitespace("single", (Path(web_settings["template_path"]) / "workers.html").read_text())
    hashes = [
        b64encode(sha256(script.replace("{{ autorefresh }}", value).encode()).digest()).decode()
        for script in _INLINE.findall(page)
        for value in ("0", "1")
    ]
    return "".join(f" 'sha256-{each}'" for each in hashes)


HEADERS = {
    "Content-Security-Policy": (
        f"default-src 'none'; script-src 'self'{_inline_script()}; style-src 'self'; style-src-attr 'unsafe-inline'; "
        "img-src 'self' data:; connect-src 'self'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cache-Control": "private, no-cache",
}
"""As the farm's own pages have them; Flower's tables set widths in attributes, and its style sheet has pictures in it."""


class _Guarded(RequestHandler):
    """Put before a handler of Flower's."""

    def __new__(cls, *_: Any, **__: Any) -> Self:
        """A guarded one always: Flower's handler of /login makes another in its stead."""
        return object.__new__(cls)

    def set_default_headers(self) -> None:
        super().set_default_headers()
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def prepare(self) -> Any:
        if self.request.path != OPEN and not self.current_user:
            self.set_status(HTTPStatus.UNAUTHORIZED)
            self.set_header("WWW-Authenticate", 'Basic realm="flower", charset="UTF-8"')
            self.set_header("Content-Type", "text/plain; charset=UTF-8")
            self.finish("Flower asks for the user and password of FARM_FLOWER_BASIC_AUTH.\n")
            return None
        return super().prepare()

    def get_current_user(self) -> bool:
        """Whether the login is right, or none is asked for. Whatever else the header holds, it is no login."""
        logins = self.application.options.basic_auth  # type: ignore[attr-defined]  # Flower's
        if not logins:
            return True
        kind, _, credentials = self.request.headers.get("Authorization", "").partition(" ")
        try:
            shown = b64decode(credentials.strip(), validate=True)
        except ValueError:
            return False
        return kind.lower() == "basic" and any(hmac.compare_digest(shown, login.encode()) for login in logins)


_made: dict[type[RequestHandler], type[RequestHandler]] = {}


def _guarded(handler: type[RequestHandler]) -> type[RequestHandler]:
    if handler not in _made:
        _made[handler] = type(handler.__name__, (_Guarded, handler), {})
    return _made[handler]


class GuardedFlower(Flower):  # type: ignore[misc]  # Flower has no types
    """Flower, with the guard before every handler."""

    def get_handler_delegate(
        self, request: HTTPServerRequest, target_class: type[RequestHandler], *args: Any, **kwargs: Any
    ) -> HTTPMessageDelegate:
        """Tornado asks for one for each request, also for those that fit no page."""
        made: HTTPMessageDelegate = super().get_handler_delegate(request, _guarded(target_class), *args, **kwargs)
        return made
