"""Bodies that are forbidden, slow, or of too many values are refused before anybody reads them, and hold up nobody."""

import json
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starlette.exceptions import HTTPException

from api import bodies, connections
from farm.keys import Keys, Role, entry_for, new_key
from tests.support.servers import PATIENCE_SECONDS, wait_until
from tests.support.small_api import serving, small_api

ROLES = {"reader": Role.READ, "alice": Role.SUBMIT, "anna": Role.ANNOTATE}
KEYS = {name: new_key() for name in ROLES}
ENTRIES = ",".join(entry_for(name, [role], KEYS[name]) for name, role in ROLES.items())
MIB = 2**20
MANY = b'{"a":[' + b"[]," * (15 * MIB // 3) + b"[]]}"


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    with serving(small_api(Keys(ENTRIES))) as found:
        yield found


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS) as connection:
        yield connection


def head(key: str, length: int, path: str = "/v1/batches", kind: str = "application/json") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", f"X-API-Key: {KEYS[key]}", f"Content-Type: {kind}"]
    return "\r\n".join([*lines, f"Content-Length: {length}", "", ""]).encode()


def status(connection: socket.socket) -> int:
    answer = b""
    while b"\r\n" not in answer:
        piece = connection.recv(4096)
        assert piece, "closed without an answer"
        answer += piece
    return int(answer.split()[1])


def post(
    port: int, key: str, content: bytes, path: str = "/v1/batches", kind: str = "application/json"
) -> httpx.Response:
    headers = {"X-API-Key": KEYS[key], "content-type": kind}
    url = f"http://127.0.0.1:{port}{path}"
    return httpx.post(url, content=content, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False)


@pytest.mark.parametrize("key", ["reader", "anna"])
@pytest.mark.parametrize("path", ["/v1/batches", "/v1/models", "/v1/batches/1/cancel"])
def test_who_may_not_send_it_is_told_before_the_body_comes(port: int, key: str, path: str) -> None:
    with connected(port) as connection:
        connection.sendall(head(key, 31 * MIB, path))
        assert status(connection) == 403
    chunked = head(key, 0, path).replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
    with connected(port) as connection:
        connection.sendall(chunked + b"20000\r\n" + b" " * 2**17 + b"\r\n")
        assert status(connection) == 403


@pytest.mark.parametrize(
    ("path", "length", "expected"),
    [("/v1/nothing", 65 * 2**10, 413), ("/v1/mappings", 3 * MIB, 413), ("/v1/mappings", MIB, 200)],
)
def test_each_route_has_its_length(port: int, path: str, length: int, expected: int) -> None:
    assert post(port, "anna", b" " * length, path).status_code == expected


def test_a_form_is_short(port: int) -> None:
    assert post(port, "alice", b"a=&" * MIB, kind="application/x-www-form-urlencoded").status_code == 413


def test_json_of_too_many_values_is_refused_in_whatever_form(port: int) -> None:
    for content in (MANY, b"[" * 10 * MIB, b"[" + b"1," * 5 * MIB, b'{"":0,' * MIB, MANY.decode().encode("utf-16")):
        answer = post(port, "alice", content)
        assert answer.status_code in (400, 413), answer.text
    table = json.dumps({"mapping": 'a,"b",[c],{d}:\\\n' * MIB}).encode()
    assert post(port, "alice", table).status_code == 200, "what stands in strings is one value"


def test_many_values_from_some_hold_up_nobody(port: int) -> None:
    """The longest that /healthz waited, while others sent all that they may and more."""
    worst = [json.dumps({"a": [[]] * (bodies.MAX_MARKS // 2 - 10)}).encode(), MANY]
    stop = threading.Event()

    def attack(content: bytes) -> None:
        while not stop.is_set():
            post(port, "alice", content)

    threads = [threading.Thread(target=attack, args=(content,)) for content in worst]
    waits = []
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False, timeout=PATIENCE_SECONDS) as client:
        for thread in threads:
            thread.start()
        try:
            for _ in range(40):
                begun = time.monotonic()
                assert client.get("/healthz").status_code == 200
                waits.append(time.monotonic() - begun)
        finally:
            stop.set()
            for thread in threads:
                thread.join()

    print(f"/healthz beside them: median {sorted(waits)[20] * 1000:.0f} ms, longest {max(waits) * 1000:.0f} ms")


@settings(max_examples=40)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    ),
    st.integers(1, 7),
    st.booleans(),
)
def test_marks_are_counted_as_the_parser_sees_them(value: Any, size: int, plain: bool) -> None:
    text = json.dumps(value, ensure_ascii=plain).encode("utf-8", "surrogatepass")
    marks = bodies.Marks()
    for start in range(0, len(text), size):
        marks.feed(text[start : start + size])

    assert marks.count == marks_in(value)


def marks_in(value: Any) -> int:
    match value:
        case list():
            return 2 + max(0, len(value) - 1) + sum(map(marks_in, value))
        case dict():
            return 2 + max(0, len(value) - 1) + len(value) + sum(map(marks_in, value.values()))
    return 0


def test_a_text_with_zero_bytes_is_no_json() -> None:
    with pytest.raises(HTTPException, match="UTF-8"):
        bodies.Marks().feed('["Ģ"]'.encode("utf-16-le"))


def test_slow_bodies_end_and_leave_room(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bodies, "GRACE_SECONDS", PATIENCE_SECONDS)
    with ExitStack() as stack:
        slow = [stack.enter_context(connected(port)) for _ in range(bodies.MAX_COMING)]
        for number, connection in enumerate(slow):
            path = ("/v1/batches", "/v1/models")[number % 2]
            kind = ("application/json", "multipart/form-data; boundary=x")[number % 2]
            connection.sendall(head("alice", 1000, path, kind) + b"--x\r\n")
        refused = post(port, "alice", b"{}")
        assert (refused.status_code, refused.json()["code"]) == (429, "too-many-requests")
        assert post(port, "anna", b"{}").status_code == 403, "others are not concerned"
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
        monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.0)
        for connection in slow:
            connection.sendall(b"C")  # a byte now and then
            assert status(connection) == 408
    monkeypatch.undo()
    assert post(port, "alice", b"{}").status_code == 200
    with connected(port) as connection:
        connection.sendall(head("alice", 3))
        for byte in (b"{", b"}", b" "):
            time.sleep(0.1)
            connection.sendall(byte)
        assert status(connection) == 200, "slow, and within its time"


MULTIPART = "multipart/form-data; boundary=x"
SLOW: dict[str, tuple[bytes, bytes]] = {
    "chunks of a byte": (b"Transfer-Encoding: chunked", b"1\r\n{\r\n"),
    "chunks with long extensions": (b"Transfer-Encoding: chunked", b"1;" + b"e" * 50 + b"\r\n{\r\n"),
    "a chunk that does not come": (b"Transfer-Encoding: chunked", b"ffff\r\n"),
    "asked to go on, and silent": (b"Expect: 100-continue\r\nContent-Length: 1000", b""),
    "a form's preamble": (f"Content-Type: {MULTIPART}\r\nContent-Length: 100000".encode(), b"preamble\r\n"),
    "a part's head": (
        f"Content-Type: {MULTIPART}\r\nContent-Length: 100000".encode(),
        b"--x\r\nContent-Disposition: form-data; name=file; filename=a.pmx\r\nX-More: ",
    ),
    "a form of one field": (b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000", b"key="),
    "no type at all": (b"Content-Length: 1000", b"["),
}


@pytest.mark.parametrize("how", SLOW)
@pytest.mark.parametrize("path", ["/v1/models", "/v1/batches", "/sign-in", "/nowhere"])
def test_however_a_body_is_slow_it_ends(port: int, monkeypatch: pytest.MonkeyPatch, path: str, how: str) -> None:
    monkeypatch.setattr(bodies, "GRACE_SECONDS", 0.3)
    monkeypatch.setattr(connections, "HEAD_SECONDS", 1.0)
    announced, begun = SLOW[how]
    with connected(port) as connection:
        lines = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {KEYS['alice']}\r\n".encode()
        connection.sendall(lines + announced + b"\r\n\r\n" + begun)

        answer = b""
        with suppress(ConnectionResetError):
            while piece := connection.recv(4096):
                answer += piece
    said = int(answer.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n").split()[1])
    assert said in (400, 401, 403, 404, 405, 408, 413, 422), answer


def closed(connection: socket.socket) -> bool:
    connection.settimeout(PATIENCE_SECONDS)
    try:
        return connection.recv(1) == b""
    except ConnectionResetError:
        return True


@pytest.mark.parametrize("sent", [b"", b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Slow: "])
def test_a_head_that_does_not_come_ends_its_connection(monkeypatch: pytest.MonkeyPatch, port: int, sent: bytes) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS", 0.5)
    with connected(port) as connection:
        connection.sendall(sent)
        trickle = threading.Timer(0.3, connection.sendall, [b"x"])
        trickle.start()
        assert closed(connection)
        trickle.join()


def test_idle_connections_make_room_for_who_asks(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    monkeypatch.setattr(connections, "MAX_CONNECTIONS", 20)
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(port)) for _ in range(50)]
        assert httpx.get(f"http://127.0.0.1:{port}/healthz", trust_env=False).status_code == 200
        assert closed(idle[0])
        working = stack.enter_context(connected(port))
        working.sendall(head("alice", 3) + b"{")
        wait_until(lambda: post(port, "anna", b"{}").status_code == 403, "an answer")
        idle += [stack.enter_context(connected(port)) for _ in range(50)]
        assert closed(idle[60])
        working.sendall(b"} ")
        assert status(working) == 200, "whoever is being answered stays"
