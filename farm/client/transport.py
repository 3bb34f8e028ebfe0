"""Sends requests, and sends them again when the API was away for a moment and a repetition can do no harm.

An API that restarts, a proxy that has lost it, a store that is away, a rate that was exceeded: all pass by themselves,
and whoever waits for a batch should not have to begin anew.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import httpx

from farm import __version__
from farm.errors import FarmError, ServiceError

PATIENCE_SECONDS = 30.0
_FIRST_SECONDS = 3.0
"""How long an address is tried at which nobody has ever answered: more likely it is wrong than away for a moment."""
_FIRST_PAUSE, _LONGEST_PAUSE = 0.25, 4.0
"""Seconds between tries; each pause is twice the one before."""
_TIMEOUT = httpx.Timeout(60, connect=5)
_PASSING = {429, 502, 503, 504}
"""Statuses that pass by themselves."""
_TOO_FAST = 429
"""The one of them that is said before anything is done."""


class RefusedError(FarmError):
    """The API refused a request; the message is its own sentence."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.repeated = False
        """Whether an earlier try of the request got no answer: that one may have been carried out."""


class Patience:
    """How often and how long one request is tried again."""

    def __init__(
        self, seconds: float, tell: Callable[[str], None], sleep: Callable[[float], object] = time.sleep
    ) -> None:
        self._seconds, self._tell, self._sleep = seconds, tell, sleep
        self.tries = 0
        self._deadline = 0.0

    def renew(self) -> None:
        """The API answers again: the next trouble is another one."""
        self.tries = 0

    def wait(self, error: FarmError, pause: float | None = None, seconds: float | None = None) -> None:
        """Pause before the next try; raises `error` when there has been trouble for too long.

        `pause` is what the API asks for, in seconds; `seconds` stands in for the patience of the constructor.
        """
        now = time.monotonic()
        patience = self._seconds if seconds is None else min(self._seconds, seconds)
        if self.tries == 0:
            self._deadline = now + patience
        if pause is None:
            pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2.0**self.tries)
        if now + pause > self._deadline:
            raise error
        if self.tries == 1:  # not at once: most trouble is over after the first pause
            self._tell(f"{error} Trying for {self._deadline - now:.0f} s more.")
        self.tries += 1
        self._sleep(pause)


class Transport:
    """The connections to one API. May be used by several threads."""

    def __init__(self, url: str, key: str, patience: float, tell: Callable[[str], None]) -> None:
        self.url = url
        self._patience, self._tell = patience, tell
        headers = {"User-Agent": f"facefarm/{__version__}"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        try:
            self._http = httpx.Client(base_url=url, headers=headers, timeout=_TIMEOUT, trust_env=False)
        except (httpx.InvalidURL, UnicodeEncodeError) as error:
            raise self._unusable() from error
        self._answered = False

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def patience(self, sleep: Callable[[float], object] = time.sleep) -> Patience:
        """A patience for one request."""
        return Patience(self._patience, self._tell, sleep)

    def ask(self, method: str, path: str, again: bool = True, **arguments: Any) -> httpx.Response:
        """The answer to a request. Raises ServiceError when there is none and RefusedError when it is a refusal.

        `again`: the request may be carried out twice without harm. Otherwise it is sent again only when it certainly
        did not reach the API's work.
        """
        patience = self.patience()
        lost = False
        while True:
            try:
                response = self._http.request(method, path, **arguments)
                self._answered = True
            except httpx.TransportError as error:
                unsent = isinstance(error, (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout))
                if not (again or unsent):
                    raise self.away(error) from error
                lost = lost or not unsent
                self.wait(patience, error)
                continue
            except httpx.InvalidURL as error:
                raise self._unusable() from error
            if response.is_success:
                return response
            refusal = refusal_of(response)
            refusal.repeated = lost
            if response.status_code != _TOO_FAST and not (again and response.status_code in _PASSING):
                raise refusal
            lost = lost or response.status_code != _TOO_FAST
            patience.wait(refusal, pause_of(response))

    @contextmanager
    def stream(self, path: str, timeout: float, **arguments: Any) -> Iterator[httpx.Response]:
        """An answer that is read bit by bit, whatever its status; `timeout`: seconds between two bits.

        Raises httpx.TransportError, for the caller to go on where it was: see `wait`.
        """
        try:
            with self._http.stream("GET", path, timeout=httpx.Timeout(timeout, connect=5), **arguments) as response:
                self._answered = True
                yield response
        except httpx.InvalidURL as error:
            raise self._unusable() from error

    def wait(self, patience: Patience, error: httpx.TransportError) -> None:
        """Pause after a lost connection; raises ServiceError when the API was away for too long."""
        if isinstance(error, httpx.UnsupportedProtocol):
            raise self._unusable() from error
        patience.wait(self.away(error), seconds=None if self._answered else _FIRST_SECONDS)

    def away(self, error: Exception) -> ServiceError:
        """The error for an API that does not answer."""
        reason = str(error) or type(error).__name__
        return ServiceError(
            f"The API at {self.url} does not answer ({reason}). Start one with `farm up`, or set FARM_API_URL."
        )

    def _unusable(self) -> FarmError:
        return FarmError(f"'{self.url}' is no address of an API; one looks like http://127.0.0.1:8000.")


def is_passing(response: httpx.Response) -> bool:
    """Whether the refusal passes by itself."""
    return response.status_code in _PASSING


def pause_of(response: httpx.Response) -> float | None:
    """The seconds that a refusal asks to wait; None when it does not say."""
    text = response.headers.get("Retry-After", "")
    return float(text) if text.isascii() and text.isdigit() else None


def refusal_of(response: httpx.Response) -> RefusedError:
    """What a refusal, read to its end, says."""
    try:
        body = response.json()
        return RefusedError(response.status_code, str(body["code"]), str(body["detail"]))
    except (ValueError, KeyError, TypeError):
        return RefusedError(response.status_code, "http", f"HTTP {response.status_code}: {response.text[:200]}")
