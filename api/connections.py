"""Connections that nobody uses make room: the server's own protocol waits for ever for a request that does not come, and for
a client that does not take its answer.

A connection is idle while no request of it is being answered: before its first head is there in full, and between
requests. What comes in slowly behind a head is for `api.bodies`.
"""

import asyncio
import fcntl
import struct
import termios
from typing import Any
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HEAD_SECONDS = 15.0
"""For the whole head of a request, from the connection's or the last answer's moment on."""
TAKING_SECONDS, LEAST_RATE = 20.0, 4096.0
"""Whoever has more to take than the server holds for one client is to take so many bytes a second, looked at so often."""
MAX_CONNECTIONS = 2000
"""Of one server. Whoever comes next takes the place of the connection that has been idle for longest."""
_IDLE: WeakKeyDictionary[ServerState, dict["Protocol", asyncio.TimerHandle]] = WeakKeyDictionary()
"""For each server, the idle connections, those for longest first, with what ends them."""


class Protocol(H11Protocol):
    """uvicorn's, with a time for heads, a rate for answers, and a number of connections."""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self._idle = _IDLE.setdefault(server_state, {})
        self._taking: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # uvicorn says the same
        """A client is there."""
        super().connection_made(transport)
        self._rest()
        if len(self.connections) > MAX_CONNECTIONS:
            next(iter(self._idle))._give_up()  # there is one: this

    def connection_lost(self, exc: Exception | None) -> None:
        """It is gone."""
        self._wake()
        self._taken()
        super().connection_lost(exc)

    def handle_events(self) -> None:
        """Something came of it."""
        super().handle_events()
        if self._is_busy():
            self._wake()

    def on_response_complete(self) -> None:
        """It has its answer."""
        super().on_response_complete()
        if not self._is_busy():  # a connection that is closing stays, too, while its client does not take the rest
            self._rest()

    def pause_writing(self) -> None:
        """More is to be sent than the client has taken by now."""
        super().pause_writing()
        self._await_taking()

    def resume_writing(self) -> None:
        """It has taken enough."""
        self._taken()
        super().resume_writing()

    def _await_taking(self) -> None:
        self._taken()
        self._taking = self.loop.call_later(TAKING_SECONDS, self._look, self._untaken())

    def _look(self, before: int) -> None:
        if before - self._untaken() < TAKING_SECONDS * LEAST_RATE:
            self._give_up()
        else:
            self._await_taking()

    def _taken(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _untaken(self) -> int:
        """Bytes that wait to be sent, here and in the kernel. Nothing is added to them while writing is paused."""
        number = self.transport.get_extra_info("socket").fileno()
        (in_kernel,) = struct.unpack("i", fcntl.ioctl(number, termios.TIOCOUTQ, bytes(4)))
        return self.transport.get_write_buffer_size() + int(in_kernel)

    def _is_busy(self) -> bool:
        return self.cycle is not None and not self.cycle.response_complete

    def _rest(self) -> None:
        self._wake()
        self._idle[self] = self.loop.call_later(HEAD_SECONDS, self._expire)

    def _expire(self) -> None:
        if self._taking is None:
            self._give_up()
        else:  # it is taking its last answer still
            self._rest()

    def _wake(self) -> None:
        if timer := self._idle.pop(self, None):
            timer.cancel()

    def _give_up(self) -> None:
        self._wake()
        self.transport.abort()
