"""A client that does not take its answer keeps neither its connection nor what would be sent; one that is slow gets all."""

import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from api import connections
from farm.keys import Keys, Role, entry_for, new_key
from tests.support.servers import PATIENCE_SECONDS, wait_until
from tests.support.small_api import serving, small_api

KEY = new_key()
_ESTABLISHED = "01"
_LARGE = 5 * 2**20
_FLOOD = 64 * 2**18


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(small_api(Keys(entry_for("alice", [Role.READ], KEY)))) as found:
        yield found


@contextmanager
def asking(port: int, path: str, more: str = "") -> Iterator[socket.socket]:
    """A connection on which this was asked for, and whose client holds little itself."""
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**14)
        connection.settimeout(PATIENCE_SECONDS)
        connection.connect(("127.0.0.1", port))
        connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEY}\r\n{more}\r\n".encode())
        yield connection


def is_served(connection: socket.socket) -> bool:
    """Whether the server has its end of the connection open; a client that does not read hears nothing of that."""
    mine, its = connection.getsockname()[1], connection.getpeername()[1]
    rows = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return any((row[1][-4:], row[2][-4:], row[3]) == (f"{its:04X}", f"{mine:04X}", _ESTABLISHED) for row in rows)


def taken(connection: socket.socket, at_a_time: int, seconds: float) -> int:
    """Take what comes, so much and then a rest; how many bytes of it there were."""
    total = until_rest = 0
    try:
        while piece := connection.recv(2**18):
            total += len(piece)
            until_rest += len(piece)
            if until_rest >= at_a_time:
                until_rest = 0
                time.sleep(seconds)
    except (ConnectionResetError, TimeoutError):
        pass
    return total


@pytest.mark.parametrize("path", ["/v1/flood", "/v1/large"])
@pytest.mark.parametrize("more", ["", "Connection: close\r\n"])
def test_who_takes_nothing_is_left(monkeypatch: pytest.MonkeyPatch, port: int, path: str, more: str) -> None:
    monkeypatch.setattr(connections, "TAKING_SECONDS", 1.0)
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    with asking(port, path, more) as connection:
        wait_until(lambda: is_served(connection), "the connection")

        wait_until(lambda: not is_served(connection), "its end")


def test_who_takes_a_byte_now_and_then_is_left(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(connections, "TAKING_SECONDS", 1.0)
    with asking(port, "/v1/flood") as connection:
        connection.recv(1)
        wait_until(lambda: connection.recv(1) != b"" and not is_served(connection), "its end")


@pytest.mark.parametrize(("path", "size"), [("/v1/flood", _FLOOD), ("/v1/large", _LARGE)])
def test_who_is_slow_gets_all(monkeypatch: pytest.MonkeyPatch, port: int, path: str, size: int) -> None:
    # GIVEN a client that takes an answer over seconds, many times as long as it may take nothing
    monkeypatch.setattr(connections, "TAKING_SECONDS", 0.5)
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    with asking(port, path, "Connection: close\r\n" if path == "/v1/flood" else "") as connection:
        connection.settimeout(3)
        started = time.monotonic()

        # THEN it comes whole
        assert taken(connection, size // 30, 0.1) >= size
        assert time.monotonic() - started > 2
