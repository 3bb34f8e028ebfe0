"""Signs what goes to webhooks, and lets their receivers check that it was us.

Source: the Standard Webhooks specification. A POST has the headers `webhook-id`, which is the same whenever the same end is
told again, `webhook-timestamp`, and `webhook-signature`: "v1," and the base64 of HMAC-SHA256 over "id.timestamp.body". A
secret that begins with "whsec_" has its key behind that in base64; the bytes of any other secret are the key.
"""

import base64
import binascii
import hashlib
import hmac
import json
import time
from collections.abc import Mapping
from typing import Any

from farm.errors import FarmError, SpecError

TOLERANCE_SECONDS = 300.0
_SECRET_PREFIX = "whsec_"  # noqa: S105 - what marks a secret, not one


class WebhookError(FarmError):
    """What was received is not from the farm, or not from now."""

    code = "webhook-refused"


def sign(secret: str, id_: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`; `timestamp` in seconds since the epoch. Raises SpecError for a broken secret."""
    message = b"%s.%d.%s" % (id_.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(key_of(secret), message, hashlib.sha256)).decode()


def signed_headers(secret: str, id_: str, timestamp: int, body: bytes) -> dict[str, str]:
    """The headers that go with `body`. Raises SpecError for a broken secret."""
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": sign(secret, id_, timestamp, body),
    }


def key_of(secret: str) -> bytes:
    """The key that a secret stands for. Raises SpecError for a broken one."""
    if not secret.startswith(_SECRET_PREFIX):
        return secret.encode()
    try:
        return base64.b64decode(secret.removeprefix(_SECRET_PREFIX), validate=True)
    except (binascii.Error, ValueError) as error:
        raise SpecError(
            f"Behind {_SECRET_PREFIX} a webhook's secret has to be base64; any other text needs no prefix."
        ) from error


def verify(
    secret: str, headers: Mapping[str, str], body: bytes, tolerance: float = TOLERANCE_SECONDS
) -> dict[str, Any]:
    """For receivers: the message in `body`, if its headers prove that who sent it knows the secret.

    `tolerance`: how many seconds the sender's clock may be off; older messages may be somebody's recording. Keep the
    `webhook-id` of what you have handled: the same message may come again.

    Raises WebhookError otherwise.
    """
    values = {name.lower(): value for name, value in headers.items()}
    id_, timestamp = values.get("webhook-id", ""), values.get("webhook-timestamp", "")
    if not id_ or not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) < 16):
        raise WebhookError("The message lacks webhook-id or webhook-timestamp; it is not from the farm.")
    if abs(time.time() - int(timestamp)) > tolerance:
        raise WebhookError(f"The message's time is more than {tolerance:g} s off; check both clocks.")
    expected = sign(secret, id_, int(timestamp), body).encode()
    # A list, so that no signature's comparison is left out: the time must not tell which one fits.
    fits = [hmac.compare_digest(expected, one.encode()) for one in values.get("webhook-signature", "").split(" ")]
    if not any(fits):
        raise WebhookError("The signature does not fit; the message is not from the farm, or the secret is another.")
    message = json.loads(body)
    assert isinstance(message, dict)
    return message
