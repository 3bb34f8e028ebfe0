"""Who asks, and whether they may: keys from the request, roles on the routes.

`Gate` finds out who asks and turns away what no honest client sends; ``dependencies=[needs(Role.SUBMIT)]`` on a route
says what is needed to get in. Routes without it are open to everybody.

With no keys configured everybody on this machine may do everything, so the API must be out of reach of all others: it
starts on loopback only, and refuses connections from elsewhere, names that are not this machine's (a hostile web page
can let its own name point here), and changes that pages of other sites ask for.
"""

import logging
from collections.abc import Awaitable, Callable, Iterable
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Request, Response, Security
from fastapi.concurrency import run_in_threadpool
from fastapi.security import APIKeyHeader, HTTPBearer, SecurityScopes
from starlette.requests import HTTPConnection
from starlette.types import ASGIApp, Receive, Scope, Send

from api.problems import NO_ADDRESS, problem
from farm.errors import FarmError, ForbiddenError, KeysError, ServiceError, UnauthorizedError
from farm.jobs.sessions import Sessions
from farm.keys import ANONYMOUS, Keys, Principal, Role, hash_of, is_loopback

COOKIE = "farm_session"
"""The session of whoever signed in on the operators' page: an id, not the key."""
_SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
_LOG = logging.getLogger(__name__)

_BEARER = HTTPBearer(auto_error=False, description="A key that `farm keys new` made")
_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="The same key in a header of its own")


class Gate:
    """ASGI middleware: notes the request's principal for `needs`, and refuses what came by a way that it must not."""

    def __init__(self, app: ASGIApp, keys: Keys, sessions: Sessions) -> None:
        self._app = app
        self._keys = keys
        self._sessions = sessions

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        connection = HTTPConnection(scope)
        try:
            principal = await self._principal_by_key(connection) if self._keys.configured else _neighbour(connection)
        except ForbiddenError as error:
            await problem(HTTPStatus.FORBIDDEN, error.code, str(error))(scope, receive, send)
            return
        except ServiceError as error:
            _LOG.warning("%s", error)
            await problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, NO_ADDRESS)(scope, receive, send)
            return
        except KeysError as error:
            _LOG.error("%s", error)  # only here: what the configuration looks like is the operator's business
            detail = "The API cannot read its keys, so it lets nobody in. Its log tells the operator why."
            await problem(HTTPStatus.SERVICE_UNAVAILABLE, error.code, detail)(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        state["principal"] = principal
        state["ask_again"] = partial(self._principal_by_key, connection) if self._keys.configured else _anybody
        await self._app(scope, receive, send)

    async def _principal_by_key(self, connection: HTTPConnection) -> Principal | None:
        scheme, _, credentials = connection.headers.get("authorization", "").partition(" ")
        bearer = credentials.strip() if scheme.lower() == "bearer" else ""
        key = bearer or connection.headers.get("x-api-key", "")
        if key:
            return self._keys.ring().find(key)
        if cookie := connection.cookies.get(COOKIE):
            # The browser sends the cookie by itself, whoever wrote the page that makes it ask.
            _check_own_page(connection, browser=True)
            key_hash = await run_in_threadpool(self._sessions.key_hash, cookie)
            return self._keys.ring().find_hashed(key_hash) if key_hash else None
        return None


async def _anybody() -> Principal:
    return ANONYMOUS


def _neighbour(connection: HTTPConnection) -> Principal:
    """ANONYMOUS, for a request that was made on this machine and not by another site's page. Raises ForbiddenError."""
    server: Any = connection.scope.get("server") or ("", None)
    if not is_loopback(server[0]):
        raise ForbiddenError(
            "No keys are configured, so the API answers on the loopback interface only. Make a key with "
            "`farm keys new`, set FARM_API_KEYS, and start the API again."
        )
    host = _without_port(connection.headers.get("host", ""))
    if not is_loopback(host.strip("[]")):
        raise ForbiddenError(
            "No keys are configured, so the API answers to the names localhost, 127.0.0.1 and [::1] only. Use one of "
            "them, or configure keys (`farm keys new`)."
        )
    _check_own_page(connection, browser=False)
    return ANONYMOUS


def _without_port(host: str) -> str:
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def check_own_page(request: Request) -> None:
    """Raise ForbiddenError when a page of another site makes the browser ask for a change."""
    _check_own_page(request, browser=True)


def _check_own_page(connection: HTTPConnection, *, browser: bool) -> None:
    """Raise ForbiddenError for a change that another site's page asks for.

    Browsers say where a request comes from, and no page can make them lie: in Sec-Fetch-Site over HTTPS and on
    loopback, in Origin everywhere. `browser`: the request must come from one, so one of them must be there.
    """
    if connection.scope["method"] in _SAFE_METHODS:
        return
    site, origin = connection.headers.get("sec-fetch-site"), connection.headers.get("origin")
    if site is not None:
        own = site in ("same-origin", "none")
    elif origin is not None:
        own = origin.lower().partition("://")[2] == connection.headers.get("host", "").lower() != ""
    else:
        own = not browser
    if not own:
        raise ForbiddenError(
            "A page of another site asked for this change. Make it on the farm's own page, or send the key in a header."
        )


def needs(role: Role) -> Any:
    """For a route's or router's `dependencies`: only keys that may do what `role` is for get in.

    Answers 401 without a key that the farm knows and 403 with one that lacks the role. In the OpenAPI document the
    role stands as the scope of the security requirement.
    """
    return Security(_admit, scopes=[role.value])


async def _admit(
    request: Request,
    scopes: SecurityScopes,
    _bearer: Annotated[object, Security(_BEARER)],  # these two tell OpenAPI how keys are shown; `Gate` has read them
    _header: Annotated[object, Security(_HEADER)],
) -> None:
    asking = principal(request)
    for role in map(Role, scopes.scopes):
        check_role(asking, role)


def check_role(asking: Principal, role: Role) -> None:
    """Raise ForbiddenError when `asking` may not do what `role` is for."""
    if not asking.may(role):
        roles = ", ".join(own for own in Role if own in asking.roles)
        raise ForbiddenError(
            f"This needs the role {role}; the key {asking.name} has {roles}. Ask an operator for another key."
        )


def required_roles(dependencies: Iterable[Any]) -> frozenset[Role]:
    """The roles that `needs` has put among a route's dependencies."""
    scopes = (one.scopes for one in dependencies if getattr(one, "dependency", None) is _admit)
    return frozenset(Role(scope) for some in scopes for scope in some)


def principal(request: Request) -> Principal:
    """Who asks. Raises UnauthorizedError when no known key was shown."""
    found = request.state.principal
    if found is None:
        raise UnauthorizedError(
            "This needs a key that the farm knows: send `Authorization: Bearer KEY` or `X-API-Key: KEY`. An operator "
            "makes keys with `farm keys new`."
        )
    assert isinstance(found, Principal)
    return found


def still_known(request: Request) -> Callable[[], Awaitable[bool]]:
    """For answers that go on for long: asks whether what the request shows still opens the farm, for the same person."""
    who, ask_again = request.state.principal, request.state.ask_again

    async def ask() -> bool:
        try:
            found = await ask_again()
        except (
            ServiceError
        ):  # whoever takes a session or a key back while Redis is away is heard when it is there again
            return True
        except FarmError:  # as at the beginning: keys that cannot be read open nothing
            return False
        return found is not None and found.name == who.name

    return ask


type PrincipalOf = Annotated[Principal, Depends(principal)]


def _sessions(request: Request) -> Sessions:
    sessions = request.app.state.sessions
    assert isinstance(sessions, Sessions)
    return sessions


def sign_in(request: Request, response: Response, key: str) -> Principal:
    """Begin a session that the browser shows with all that it asks from now on, until it is closed; whose key it is.

    Raises UnauthorizedError when the farm does not know the key, ForbiddenError when another site's page asks.
    """
    check_own_page(request)
    keys = request.app.state.keys
    assert isinstance(keys, Keys)
    found = keys.ring().find(key)
    if found is None:
        raise UnauthorizedError("The farm does not know this key. An operator makes keys with `farm keys new`.")
    session = _sessions(request).begin(hash_of(key))
    response.set_cookie(COOKIE, session, httponly=True, samesite="strict", secure=request.url.scheme == "https")
    return found


def sign_out(request: Request, response: Response) -> None:
    """End the session, and make the browser forget it."""
    _sessions(request).end(request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
