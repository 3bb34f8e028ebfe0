"""Webhooks on a real Valkey and real receivers: told once an end, tried again, signed, and sent nowhere they must not go."""

import base64
import hashlib
import hmac
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest

from farm.errors import SpecError
from farm.jobs import posting, states
from farm.jobs.batches import BatchRecord, Webhook
from farm.jobs.connection import Connection
from farm.jobs.signatures import WebhookError, sign, verify
from farm.jobs.states import Job, State, job_id
from farm.jobs.store import JobStore, new_id, utc_now
from farm.jobs.webhooks import Delivery, DeliveryState, Messenger, check_webhook, deliveries
from farm.morphs.refs import MorphRef
from farm.process import spawn
from farm.spec import RenderSpec
from farm.stack import free_port, valkey_command
from tests.support.servers import PATIENCE_SECONDS, api_server, end, wait_until

SECRET = "a secret of the receiver"
HOW_TO = Path(__file__).parents[3] / "docs/how-to/follow-a-batch.md"


@dataclass
class Receiver:
    """What a receiver got, and what it answers: `answers` one after the other, then 200."""

    url: str = ""
    answers: list[int] = field(default_factory=list)
    seconds: float = 0.0
    """How long it thinks before each answer."""
    got: list[tuple[str, dict[str, str], bytes]] = field(default_factory=list)
    """Path, headers with their names in lower case, body."""
    times: list[float] = field(default_factory=list)

    @property
    def ids(self) -> list[str]:
        return [headers["webhook-id"] for _, headers, _ in self.got]


@contextmanager
def receiving(host: str = "127.0.0.1", port: int = 0, tls: ssl.SSLContext | None = None) -> Iterator[Receiver]:
    receiver = Receiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"]))
            receiver.got.append((self.path, {name.lower(): value for name, value in self.headers.items()}, body))
            receiver.times.append(time.monotonic())
            status = receiver.answers.pop(0) if receiver.answers else 200
            time.sleep(receiver.seconds)
            self.send_response(status)
            self.send_header("content-length", "0")
            if status in (302, 307):
                self.send_header("location", f"{receiver.url}/elsewhere")
            self.end_headers()

        def log_message(self, format: str, *args: object) -> None:
            pass

    with ThreadingHTTPServer((host, port), Handler) as server:
        if tls:
            server.socket = tls.wrap_socket(server.socket, server_side=True)
        receiver.url = f"{'https' if tls else 'http'}://{host}:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join(PATIENCE_SECONDS)


@pytest.fixture
def connection(fresh_redis: str) -> Connection:
    return Connection(fresh_redis)


@pytest.fixture
def jobs(connection: Connection) -> JobStore:
    return JobStore(connection)


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as found:
        yield found


def batch_to(jobs: JobStore, url: str, secret: str = SECRET, models: int = 2) -> str:
    batch = new_id()
    annotation = {"mouth/a": MorphRef(index=0, name="あ")}
    found = [Job(job_id(batch, index), "0" * 64, "model", annotation, 1, 8, "1" * 64) for index in range(models)]
    jobs.add_batch(batch, BatchRecord("a name", RenderSpec(), utc_now(), "", Webhook(url, secret)), found)
    return batch


def finish(jobs: JobStore, batch: str, failed: int = 0) -> None:
    """End every job of the batch; the first `failed` of them badly."""
    for job in jobs.jobs(batch):
        if job.state.ended:
            continue
        attempt = jobs.change(job.id, lambda j: states.claim(j, "worker@one")).attempt
        if job.index < failed:
            jobs.change(job.id, lambda j, a=attempt: states.fail(j, a, "no-neck-bone", "It has no neck."))  # type: ignore[misc]
        else:
            jobs.change(job.id, lambda j, a=attempt: states.finish(j, a))  # type: ignore[misc]


def messenger(connection: Connection, private: bool = True, retries: Sequence[float] = (0.0,) * 6) -> Messenger:
    return Messenger(connection, JobStore(connection), private, retries)


@contextmanager
def running(*messengers: Messenger) -> Iterator[None]:
    for one in messengers:
        one.start()
    try:
        yield
    finally:
        for one in messengers:
            one.stop()


def delivery(connection: Connection, batch: str) -> Delivery:
    (found,) = deliveries(connection, [batch])
    assert found is not None
    return found


def test_an_ended_batch_is_told_once_with_what_became_of_it(
    connection: Connection, jobs: JobStore, receiver: Receiver
) -> None:
    batch = batch_to(jobs, f"{receiver.url}/hook?for=me", models=3)
    assert messenger(connection).tell_next() is False  # it has not ended
    assert delivery(connection, batch) == Delivery(DeliveryState.PENDING, 0, "")
    finish(jobs, batch, failed=1)

    assert messenger(connection).tell_next() is True
    assert messenger(connection).tell_next() is False

    ((path, headers, body),) = receiver.got
    assert path == "/hook?for=me"
    assert headers["content-type"] == "application/json"
    told = json.loads(body)
    assert told["type"] == "batch.ended"
    assert (told["batch"]["id"], told["batch"]["name"]) == (batch, "a name")
    assert {state: count for state, count in told["batch"]["jobs"].items() if count} == {"done": 2, "failed": 1}
    assert (told["batch"]["images_total"], told["batch"]["images_done"]) == (24, 16)
    assert told["batch"]["errors"] == {"no-neck-bone": 1}
    assert told["batch"]["ended_at"].startswith("20")
    assert SECRET not in body.decode() + str(headers)
    assert delivery(connection, batch) == Delivery(DeliveryState.DELIVERED, 1, "HTTP 200")


@pytest.mark.parametrize("secret", [SECRET, "whsec_" + base64.b64encode(b"\0\xffthe key of a receiver").decode()])
def test_the_signature_is_that_of_the_specification(
    secret: str, connection: Connection, jobs: JobStore, receiver: Receiver
) -> None:
    batch = batch_to(jobs, receiver.url, secret)
    finish(jobs, batch)
    messenger(connection).tell_next()

    ((_, headers, body),) = receiver.got
    key = b"\0\xffthe key of a receiver" if secret.startswith("whsec_") else secret.encode()
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 30
    assert "." not in headers["webhook-id"]
    assert verify(secret, headers, body)["batch"]["id"] == batch


def test_the_signature_fits_the_example_of_the_specification() -> None:
    # The one in the specification's documentation.
    signature = sign(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, b'{"test": 2432232314}'
    )

    assert signature == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def received(age: int = 0, body: bytes = b'{"a": 1}') -> dict[str, str]:
    timestamp = int(time.time()) - age
    return {
        "Webhook-Id": "one",
        "Webhook-Timestamp": str(timestamp),
        "Webhook-Signature": " ".join(
            ("v2,other", *(sign(secret, "one", timestamp, body) for secret in ("another secret", SECRET)))
        ),
    }


def test_a_receiver_takes_any_of_several_signatures_and_names_in_any_case() -> None:
    assert verify(SECRET, received(), b'{"a": 1}') == {"a": 1}


@pytest.mark.parametrize(
    ("age", "changes", "body"),
    [
        (0, {}, b'{"a": 2}'),
        (310, {}, b'{"a": 1}'),
        (-310, {}, b'{"a": 1}'),
        (0, {"Webhook-Id": "two"}, b'{"a": 1}'),
        (9, {"Webhook-Timestamp": str(int(time.time()))}, b'{"a": 1}'),
        (0, {"Webhook-Timestamp": "9" * 5000}, b'{"a": 1}'),
        (0, {"Webhook-Timestamp": ""}, b'{"a": 1}'),
        (0, {"Webhook-Signature": ""}, b'{"a": 1}'),
        (0, {"Webhook-Signature": "v1,ü"}, b'{"a": 1}'),
    ],
    ids=["body", "old", "early", "id", "time", "endless time", "no time", "no signature", "odd signature"],
)
def test_a_receiver_refuses_what_was_changed_or_is_old(age: int, changes: dict[str, str], body: bytes) -> None:
    with pytest.raises(WebhookError):
        verify(SECRET, {**received(age), **changes}, body, tolerance=300)


def test_a_receiver_that_fails_is_tried_again_with_the_same_message(
    connection: Connection, jobs: JobStore, receiver: Receiver
) -> None:
    receiver.answers = [500, 503, 429]
    batch = batch_to(jobs, receiver.url)
    finish(jobs, batch)
    one = messenger(connection)

    for tries, status in enumerate((500, 503, 429), 1):
        assert one.tell_next() is True
        assert delivery(connection, batch) == Delivery(DeliveryState.PENDING, tries, f"HTTP {status}")
    assert one.tell_next() is True

    assert delivery(connection, batch) == Delivery(DeliveryState.DELIVERED, 4, "HTTP 200")
    assert one.tell_next() is False
    assert len(set(receiver.ids)) == 1
    assert len({body for _, _, body in receiver.got}) == 1


def test_the_tries_keep_their_distance(connection: Connection, jobs: JobStore, receiver: Receiver) -> None:
    receiver.answers = [500, 500]
    batch = batch_to(jobs, receiver.url)
    finish(jobs, batch)

    with running(messenger(connection, retries=(1.0, 3.0))):
        wait_until(lambda: delivery(connection, batch).state is DeliveryState.DELIVERED, "the delivery")

    first, second = (b - a for a, b in zip(receiver.times, receiver.times[1:], strict=False))
    assert 1.0 <= first < 2.5
    assert 3.0 <= second < 4.5


def test_a_receiver_that_never_takes_it_is_given_up(connection: Connection, jobs: JobStore, receiver: Receiver) -> None:
    receiver.answers = [500] * 9
    batch = batch_to(jobs, receiver.url)
    finish(jobs, batch)
    one = messenger(connection, retries=(0.0, 0.0))

    while one.tell_next():
        pass

    assert delivery(connection, batch) == Delivery(DeliveryState.GIVEN_UP, 3, "HTTP 500")
    assert len(receiver.got) == 3


def test_a_receiver_that_is_gone_for_good_is_not_tried_again(
    connection: Connection, jobs: JobStore, receiver: Receiver
) -> None:
    receiver.answers = [410]
    batch = batch_to(jobs, receiver.url)
    finish(jobs, batch)
    messenger(connection).tell_next()

    assert delivery(connection, batch) == Delivery(DeliveryState.GIVEN_UP, 1, "HTTP 410")


@pytest.mark.parametrize("status", [302, 307])
def test_a_redirect_is_not_followed(status: int, connection: Connection, jobs: JobStore, receiver: Receiver) -> None:
    receiver.answers = [status]
    batch = batch_to(jobs, f"{receiver.url}/hook")
    finish(jobs, batch)
    messenger(connection, retries=()).tell_next()

    assert [path for path, _, _ in receiver.got] == ["/hook"]
    assert delivery(connection, batch) == Delivery(DeliveryState.GIVEN_UP, 1, f"HTTP {status}")


def test_a_receiver_that_is_away_is_tried_again(connection: Connection, jobs: JobStore) -> None:
    port = free_port()
    batch = batch_to(jobs, f"http://127.0.0.1:{port}")
    finish(jobs, batch)
    one = messenger(connection)
    one.tell_next()
    assert delivery(connection, batch) == Delivery(DeliveryState.PENDING, 1, "no connection")

    with receiving(port=port) as receiver:
        one.tell_next()

    assert len(receiver.got) == 1
    assert delivery(connection, batch).state is DeliveryState.DELIVERED


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


def test_two_messengers_tell_every_end_once(fresh_redis: str, jobs: JobStore, receiver: Receiver) -> None:
    receiver.seconds = 0.05
    batches = [batch_to(jobs, receiver.url, models=1) for _ in range(30)]

    with running(messenger(Connection(fresh_redis)), messenger(Connection(fresh_redis))):
        for batch in batches:
            finish(jobs, batch)
        wait_until(lambda: len(receiver.got) >= len(batches), "all messages")
        time.sleep(1.0)  # for a second message to come, if one did

    assert sorted(id_.partition("-")[0] for id_ in receiver.ids) == sorted(batches)


def test_a_message_whose_process_died_on_the_way_is_told_by_another(
    connection: Connection, jobs: JobStore, receiver: Receiver
) -> None:
    batch = batch_to(jobs, receiver.url)
    finish(jobs, batch)
    assert messenger(connection)._claim() == batch  # and died
    assert messenger(connection).tell_next() is False

    now = connection.now()
    due = connection.redis.zscore("farm:webhooks", batch)
    assert now + 60 < due < now + 120
    connection.redis.zadd("farm:webhooks", {batch: now})  # that much later

    assert messenger(connection).tell_next() is True
    assert len(receiver.got) == 1


def test_a_batch_that_is_retried_is_told_again_when_it_has_ended_again(
    connection: Connection, jobs: JobStore, receiver: Receiver
) -> None:
    batch = batch_to(jobs, receiver.url)
    finish(jobs, batch, failed=1)
    one = messenger(connection)
    one.tell_next()
    jobs.change_all(batch, states.retry)
    assert delivery(connection, batch) == Delivery(DeliveryState.PENDING, 0, "")
    assert one.tell_next() is False

    finish(jobs, batch)
    assert delivery(connection, batch) == Delivery(DeliveryState.PENDING, 0, "")
    one.tell_next()

    assert len(set(receiver.ids)) == 2
    assert [json.loads(body)["batch"]["jobs"][State.FAILED] for _, _, body in receiver.got] == [1, 0]
    assert delivery(connection, batch) == Delivery(DeliveryState.DELIVERED, 1, "HTTP 200")


def test_an_answer_that_comes_after_the_batch_was_reopened_does_not_count_for_its_next_end(
    connection: Connection, jobs: JobStore, receiver: Receiver
) -> None:
    batch = batch_to(jobs, receiver.url)
    finish(jobs, batch, failed=1)
    receiver.seconds = 1.0
    telling = threading.Thread(target=messenger(connection).tell_next)
    telling.start()
    wait_until(lambda: bool(receiver.got), "the first message")
    jobs.change_all(batch, states.retry)
    finish(jobs, batch)
    telling.join(PATIENCE_SECONDS)
    assert delivery(connection, batch) == Delivery(DeliveryState.PENDING, 0, "")

    messenger(connection).tell_next()

    assert len(set(receiver.ids)) == 2
    assert delivery(connection, batch) == Delivery(DeliveryState.DELIVERED, 1, "HTTP 200")


def test_a_batch_that_is_forgotten_is_not_told(connection: Connection, jobs: JobStore, receiver: Receiver) -> None:
    batch = batch_to(jobs, receiver.url)
    finish(jobs, batch)
    jobs.remove_batch(batch)
    connection.redis.zadd("farm:webhooks", {batch: 0})  # as if it had been forgotten just now

    assert messenger(connection).tell_next() is True
    assert messenger(connection).tell_next() is False
    assert receiver.got == []
    assert deliveries(connection, [batch]) == [None]


def test_what_is_due_survives_a_killed_redis_and_a_restarted_messenger(tmp_path: Path, receiver: Receiver) -> None:
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    command = [*valkey_command(), "--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    command += ["--appendonly", "yes"]
    connection = Connection(url)

    def answers() -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    redis = spawn(command, tmp_path / "valkey.log")
    try:
        wait_until(answers, "Valkey listening")
        jobs = JobStore(connection)
        batch = batch_to(jobs, receiver.url)
        finish(jobs, batch)
        receiver.answers = [500]
        with running(messenger(connection, retries=(4.0,))):
            wait_until(lambda: delivery(connection, batch).tries == 1, "the first try")
        end(redis)
        redis = spawn(command, tmp_path / "valkey.log")
        wait_until(answers, "Valkey listening again")
        with running(messenger(Connection(url), retries=(4.0,))):
            end(redis)
            time.sleep(1.0)
            redis = spawn(command, tmp_path / "valkey.log")
            wait_until(answers, "Valkey listening once more")
            wait_until(lambda: len(receiver.got) >= 2, "the second try")
            wait_until(lambda: delivery(connection, batch).state is DeliveryState.DELIVERED, "the note")
    finally:
        end(redis)

    assert len(set(receiver.ids)) == 1


def test_the_api_tells_what_ended_while_it_was_stopped_and_keeps_the_secret(
    fresh_redis: str, connection: Connection, jobs: JobStore, receiver: Receiver, tmp_path: Path
) -> None:
    batch = batch_to(jobs, receiver.url)
    finish(jobs, batch)
    environment = {
        "FARM_REDIS_URL": fresh_redis,
        "FARM_STORAGE_URL": f"file://{tmp_path / 'store'}",
        "FARM_WEBHOOK_PRIVATE": "1",
    }
    receiver.answers = [500]

    with api_server(tmp_path, environment) as one, api_server(tmp_path, environment):
        wait_until(lambda: delivery(connection, batch).state is DeliveryState.DELIVERED, "the delivery")
        for path in ("/v1/batches", f"/v1/batches/{batch}", f"/v1/batches/{batch}/events"):
            answer = httpx.get(one.url + path, trust_env=False, timeout=PATIENCE_SECONDS)
            assert answer.is_success
            assert batch in answer.text
            assert SECRET not in answer.text

    assert len(receiver.got) == 2
    assert len(set(receiver.ids)) == 1
    assert SECRET not in (tmp_path / "api.log").read_text("utf-8")


def test_the_receiver_of_the_how_to_takes_real_messages_and_refuses_forged_ones(
    connection: Connection, jobs: JobStore, tmp_path: Path
) -> None:
    program = HOW_TO.read_text("utf-8").partition("```python\n")[2].partition("```")[0]
    assert "verify" in program
    port = free_port()
    assert program.count("9000") == 1
    path = tmp_path / "receiver.py"
    path.write_text(program.replace("9000", str(port)), "utf-8")
    log = tmp_path / "receiver.log"
    process = spawn([sys.executable, str(path)], log, {"WEBHOOK_SECRET": SECRET, "PYTHONPATH": os.getcwd()})  # noqa: PTH109
    try:
        url = f"http://127.0.0.1:{port}"

        def refuses() -> bool:
            try:
                return httpx.post(url, json={"batch": {}}, trust_env=False, timeout=5).status_code == 400
            except httpx.HTTPError:
                return False

        wait_until(refuses, "the receiver refusing a forged message")
        batch = batch_to(jobs, url)
        finish(jobs, batch)
        messenger(connection, retries=()).tell_next()
        assert delivery(connection, batch) == Delivery(DeliveryState.DELIVERED, 1, "HTTP 204")
        assert batch in log.read_text("utf-8")
    finally:
        end(process)
