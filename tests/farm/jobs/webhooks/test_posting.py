"""Where webhooks are sent: to the address that was looked at, to nothing inside, and not for longer than they may take."""

import socket
import ssl
import subprocess
import threading
from pathlib import Path
from typing import Any

import httpx
import pytest

from farm.errors import SpecError
from farm.jobs import posting
from farm.jobs.batches import Webhook
from farm.jobs.connection import Connection
from farm.jobs.store import JobStore
from farm.jobs.webhooks import Delivery, DeliveryState, check_webhook
from tests.farm.jobs.webhooks.receiver import SECRET, Receiver, batch_to, delivery, finish, messenger, receiving
from tests.support.servers import PATIENCE_SECONDS


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_not_followed(status: int, connection: Connection, jobs: JobStore, receiver: Receiver) -> None:
    receiver.answers = [status]
    batch = batch_to(jobs, f"{receiver.url}/hook")
    finish(jobs, batch)
    messenger(connection, retries=()).tell_next()

    assert [path for path, _, _ in receiver.got] == ["/hook"]
    assert delivery(connection, batch) == Delivery(DeliveryState.GIVEN_UP, 1, f"HTTP {status}")


def test_a_receiver_that_drips_its_answer_cannot_hold_the_farm(
    connection: Connection, jobs: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(posting, "SEND_SECONDS", 1.5)
    stop = threading.Event()

    def drip(listening: socket.socket) -> None:
        peer, _ = listening.accept()
        with peer:
            peer.sendall(b"HTTP/1.1 200 OK\r\nx: ")
            while not stop.wait(0.1):
                try:
                    peer.sendall(b"x")
                except OSError:
                    return

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=drip, args=(listening,))
        thread.start()
        batch = batch_to(jobs, f"http://127.0.0.1:{listening.getsockname()[1]}")
        finish(jobs, batch)
        messenger(connection).tell_next()  # it comes back, although the answer would drip for ever
        stop.set()
        thread.join(PATIENCE_SECONDS)

    assert delivery(connection, batch) == Delivery(DeliveryState.PENDING, 1, "no answer in time")


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "127.1", "2130706433", "0x7f.0.0.1", "[::ffff:127.0.0.1]", "0"]
)
def test_an_address_that_is_not_public_is_not_gone_to(
    host: str, connection: Connection, jobs: JobStore, receiver: Receiver
) -> None:
    batch = batch_to(jobs, f"http://{host}:{httpx.URL(receiver.url).port}/")
    finish(jobs, batch)
    messenger(connection, private=False).tell_next()

    found = delivery(connection, batch)
    assert (found.state, found.tries) == (DeliveryState.GIVEN_UP, 1)
    assert "not public" in found.last
    assert "127" not in found.last  # what a name means inside is nobody's business
    assert receiver.got == []


_NOT_PUBLIC = """
10.1.2.3 172.16.0.1 192.168.1.1 169.254.169.254 100.64.0.1 0.0.0.0 224.0.0.1 240.0.0.1 255.255.255.255 192.0.2.1
[::1] [::] [fe80::1] [fc00::1] [fec0::1] [ff02::1] [2001:db8::1] [2002:7f00:1::] [64:ff9b::7f00:1] [::ffff:10.0.0.1]
"""


@pytest.mark.parametrize("address", _NOT_PUBLIC.split())
def test_addresses_that_are_not_public_are_refused_when_a_batch_is_made(address: str) -> None:
    with pytest.raises(SpecError, match="not public"):
        check_webhook(Webhook(f"http://{address}/", SECRET), private_allowed=False)

    check_webhook(Webhook(f"http://{address}/", SECRET), private_allowed=True)


@pytest.mark.parametrize(
    "url",
    [
        "https://93.184.215.14/",
        "https://[2606:4700::1111]:8443/a",
        "http://[64:ff9b::808:808]/",
        "https://hook.example/?a=1",
    ],
)
def test_public_addresses_and_names_are_taken(url: str) -> None:
    check_webhook(Webhook(url, SECRET), private_allowed=False)


@pytest.mark.parametrize(
    "webhook",
    [
        Webhook("ftp://hook.example/", SECRET),
        Webhook("file:///etc/passwd", SECRET),
        Webhook("//hook.example/", SECRET),
        Webhook("https:///path", SECRET),
        Webhook("https://user:word@hook.example/", SECRET),
        Webhook("https://hook.example:99999/", SECRET),
        Webhook("https://hook.example/" + "a" * 2000, SECRET),
        Webhook("https://hook.example/", "whsec_no base64!"),
    ],
    ids=lambda webhook: webhook.url[:30],
)
def test_a_webhook_that_could_never_be_told_is_refused(webhook: Webhook) -> None:
    with pytest.raises(SpecError) as refusal:
        check_webhook(webhook, private_allowed=True)

    assert "no base64" not in str(refusal.value)


def test_the_address_that_was_looked_at_is_the_one_that_is_gone_to(
    connection: Connection, jobs: JobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """GIVEN a name that leads elsewhere whenever it is asked for again."""
    answers = ["127.0.0.1", "127.0.0.2", "127.0.0.2"]
    asked: list[Any] = []
    real = socket.getaddrinfo

    def changing(host: Any, *rest: Any, **more: Any) -> Any:
        if host not in (b"hook.test", "hook.test"):
            return real(host, *rest, **more)
        asked.append(host)
        return real(answers[len(asked) - 1], *rest, **more)

    monkeypatch.setattr(socket, "getaddrinfo", changing)
    with receiving() as first:
        port = httpx.URL(first.url).port
        assert port is not None
        with receiving("127.0.0.2", port) as second:
            batch = batch_to(jobs, f"http://hook.test:{port}/")
            finish(jobs, batch)
            messenger(connection).tell_next()

    assert len(asked) == 1
    assert second.got == []
    assert [headers["host"] for _, headers, _ in first.got] == [f"hook.test:{port}"]


def test_a_certificate_is_checked_against_the_name_and_not_the_address(
    connection: Connection, jobs: JobStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", "key.pem", "-out", "certificate.pem", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost"],
        cwd=tmp_path, check=True, capture_output=True,
    )  # fmt: skip
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(tmp_path / "certificate.pem", tmp_path / "key.pem")
    names: list[str | None] = []
    tls.set_servername_callback(lambda _, name, __: names.append(name))
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "certificate.pem"))
    posting._tls.cache_clear()
    try:
        with receiving(tls=tls) as receiver:
            port = httpx.URL(receiver.url).port
            by_name, by_address = (batch_to(jobs, f"https://{host}:{port}/") for host in ("localhost", "127.0.0.1"))
            for batch in (by_name, by_address):
                finish(jobs, batch)
                messenger(connection, retries=()).tell_next()
    finally:
        posting._tls.cache_clear()

    assert names[0] == "localhost"
    assert delivery(connection, by_name) == Delivery(DeliveryState.DELIVERED, 1, "HTTP 200")
    assert delivery(connection, by_address) == Delivery(DeliveryState.GIVEN_UP, 1, "no connection")
