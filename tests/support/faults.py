"""A proxy that makes a server fail on demand, between a client and the real server."""

import asyncio
import random
import socket
import struct
import threading
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum, auto
from types import TracebackType
from typing import Self

from tests.support.servers import PATIENCE_SECONDS

_PIECE = 2**16  # bytes
_LINGER_SECONDS = 2.0
_ERROR = b"<?xml version='1.0'?><Error><Code>SlowDown</Code><Message>Please reduce your request rate.</Message></Error>"
_UNAVAILABLE = (
    b"HTTP/1.1 503 Slow Down\r\nContent-Type: application/xml\r\nConnection: close\r\nContent-Length: %d\r\n\r\n%s"
    % (len(_ERROR), _ERROR)
)


class Fault(StrEnum):
    """What a `FaultyProxy` does to its connections."""

    OK = auto()
    """Bytes go through unchanged, both ways."""
    REFUSE = auto()
    """New connections are accepted and reset at once, and open ones are reset."""
    UNAVAILABLE = auto()
    """Whatever a client asks by HTTP, on a new connection or an open one, it is told 503 with an S3 error."""
    CUT = auto()
    """A connection is reset after a random number of bytes, counted both ways from the moment the fault is set."""
    LOSE_ANSWER = auto()
    """The server gets all and does it, but instead of the first byte of its answer the client gets a reset."""
    SILENT = auto()
    """Nothing is carried any more, and nobody is told: connections that were open stay so, and dead, also afterwards; new
    ones are accepted and get no answer. A firewall that forgot them, or a machine that is gone, looks like this."""


class FaultyProxy:
    """Forwards TCP from a free port of the loopback interface to a target, as well as its `fault` allows.

    A context manager. `fault`, `cut_bytes`, `target_host` and `target_port` may be set at any time. The same seed draws the
    same numbers of bytes; which connection gets which is for the clients to decide.
    """

    def __init__(
        self, target_host: str, target_port: int, seed: int = 0, cut_bytes: tuple[int, int] = (1, 2**18)
    ) -> None:
        self.target_host, self.target_port = target_host, target_port
        self.cut_bytes = cut_bytes
        """The least and the most bytes that a connection carries before it is cut."""
        self.seen: Counter[Fault] = Counter()
        """How many connections ended well, were refused, were told "unavailable", were cut, lost an answer."""
        self.port = 0
        self._fault = Fault.OK
        self._silences = 0
        """How often it fell silent: a connection that began before the last time is dead."""
        self._random = random.Random(seed)
        self._open: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._stop = asyncio.Event()
        self._listening = threading.Event()
        self._thread = threading.Thread(target=lambda: self._loop.run_until_complete(self._run()), daemon=True)

    @property
    def endpoint(self) -> str:
        """The proxy as an HTTP server."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def fault(self) -> Fault:
        """What it does now."""
        return self._fault

    @fault.setter
    def fault(self, fault: Fault) -> None:
        self._fault = fault
        if fault is Fault.SILENT:
            self._silences += 1
        if fault is Fault.REFUSE:
            self._loop.call_soon_threadsafe(self._reset_all)

    def __enter__(self) -> Self:
        self._thread.start()
        assert self._listening.wait(PATIENCE_SECONDS), "the proxy does not listen"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(PATIENCE_SECONDS)
        assert not self._thread.is_alive(), "the proxy does not end"
        self._loop.close()

    async def _run(self) -> None:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=_PIECE)
        self.port = server.sockets[0].getsockname()[1]
        self._listening.set()
        await self._stop.wait()
        server.close()
        served = asyncio.all_tasks() - {asyncio.current_task()}
        for task in served:
            task.cancel()
        await asyncio.gather(*served, return_exceptions=True)
        server.abort_clients()  # and who was accepted, but not yet served
        await server.wait_closed()

    def _reset_all(self) -> None:
        for writer in self._open:
            _reset(writer)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._open.add(writer)
        end = _reset
        try:
            ended = await self._carry(reader, writer)
            self.seen[ended] += 1
            if ended is Fault.UNAVAILABLE:
                await _say_unavailable(reader, writer)
            if ended in (Fault.OK, Fault.UNAVAILABLE):
                end = _close
        except OSError:
            pass  # one side broke the connection, or the target is down: the client shall see a broken connection
        finally:
            self._open.discard(writer)
            end(writer)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> Fault:
        """Carry a client's connection to its end; the fault that ended it."""
        if self._fault is Fault.REFUSE:
            return Fault.REFUSE
        if self._fault is Fault.UNAVAILABLE:
            await reader.read(1)  # the client has begun its request
            return Fault.UNAVAILABLE
        if self._fault is Fault.SILENT:
            while await reader.read(_PIECE):
                pass
            return Fault.SILENT
        server_reader, server_writer = await asyncio.open_connection(self.target_host, self.target_port, limit=_PIECE)
        budget = _Budget(self._silences)
        ways = [
            asyncio.create_task(self._forward(reader, server_writer, budget, from_client=True)),
            asyncio.create_task(self._forward(server_reader, writer, budget, from_client=False)),
        ]
        try:
            done, _ = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            return done.pop().result()
        finally:
            for way in ways:
                way.cancel()
            _close(server_writer)  # before the wait, which the proxy's end may cut short
            await asyncio.gather(*ways, return_exceptions=True)

    async def _forward(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, budget: "_Budget", from_client: bool
    ) -> Fault:
        """Forward one way of a connection to its end; the fault that ended it."""
        writer.transport.set_write_buffer_limits(0)  # so that drained bytes have left
        while data := await reader.read(_PIECE):
            fault = self._fault
            if budget.silences != self._silences:
                continue  # swallowed
            if fault is (Fault.UNAVAILABLE if from_client else Fault.LOSE_ANSWER):
                return fault
            if fault is not Fault.CUT:
                budget.left = None
            elif budget.left is None:
                budget.left = self._random.randint(*self.cut_bytes)
            writer.write(data[: budget.left])
            await writer.drain()
            if budget.left is not None:
                budget.left -= min(len(data), budget.left)
                if budget.left == 0:
                    return Fault.CUT
        return self._fault if self._fault is Fault.REFUSE else Fault.OK


@dataclass
class _Budget:
    """How many bytes a connection still carries; None: as many as come. And how many silences there were before it."""

    silences: int
    left: int | None = None


async def _say_unavailable(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answer 503, and read on for a while: a client that still sends its body shall find the answer, not a reset."""
    writer.write(_UNAVAILABLE)
    writer.write_eof()
    try:
        async with asyncio.timeout(_LINGER_SECONDS):
            while await reader.read(_PIECE):
                pass
    except TimeoutError:
        pass


def _close(writer: asyncio.StreamWriter) -> None:
    writer.close()


def _reset(writer: asyncio.StreamWriter) -> None:
    """Close with a reset instead of an orderly end."""
    if not writer.transport.is_closing():
        writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
