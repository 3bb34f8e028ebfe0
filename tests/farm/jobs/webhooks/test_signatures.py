"""Signatures of webhooks: those of the specification, and what a receiver refuses."""

import base64
import hashlib
import hmac
import os
import sys
import time
from pathlib import Path

import httpx
import pytest

from farm.jobs.connection import Connection
from farm.jobs.signatures import WebhookError, sign, verify
from farm.jobs.store import JobStore
from farm.jobs.webhooks import Delivery, DeliveryState
from farm.process import spawn
from farm.stack import free_port
from tests.farm.jobs.webhooks.receiver import (
    SECRET,
    Receiver,
    batch_to,
    delivery,
    finish,
    messenger,
)
from tests.support.servers import end, wait_until

HOW_TO = Path(__file__).parents[4] / "docs/how-to/follow-a-batch.md"


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
