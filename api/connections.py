"""Connections that nobody uses make room: the server's own protocol waits for ever for a request that does not come.

A connection is idle while no request of it is being answered: before its first head is there in full, and between
requests. What comes in slowly behind a head is for `api.bodies`.
"""

import asyncio
from typing import Any
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HEAD_SECONDS = 15.0
"""For the whole head of a request, from the connection's or the last answer's moment on."""
MAX_CONNECTIONS = 2000
"""Of one server. Whoever comes next takes the place of the connection that has been idle for longest."""
_IDLE: WeakKeyDictionary[ServerState, dict["Protocol", asyncio.TimerHandle]] = WeakKeyDictionary()
"""For each server, the idle connections, those for longest first, with what ends them."""


class Protocol(H11Protocol):
    """uvicorn's, with a time for heads and a number of connections."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._idle = _IDLE.setdefault(server_state, {})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn says the same
        """A client is there."""
        super().connection_made(transport)
        self._rest()
        if len(self.connections) > MAX_CONNECTIONS:
            next(iter(self._idle))._give_up()  # there is one: this

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._wake()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Something came of it."""
        super().handle_events()
        if self._is_busy():
            self._wake()

    def on_response_complete(self) -> None:
        """It has its answer."""
        super().on_response_complete()
        if not self._is_busy() and not self.transport.is_closing():
            self._rest()

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _rest(self) -> None:
        self._wake()
        self._idle[self] = self.loop.call_later(HEAD_SECONDS, self._give_up)

    def _wake(self) -> None:
        if timer := self._idle.pop(self, None):
            timer.cancel()

    def _give_up(self) -> None:
        self._wake()
        self.transport.abort()
