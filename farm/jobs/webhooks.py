"""Tells whoever asked for it that a batch has ended, and lets the receiver check that it was us.

    farm:webhooks     sorted set of batches of which is to be told, by the time when it is to be tried; `lua/commit.lua`
                      puts a batch there when its last job ends, and takes it away when a retry reopens the batch
    farm:batch:<id>   webhook_tries, webhook_state, webhook_last: how it went since the batch ended

What is sent follows the Standard Webhooks specification: a POST with the headers `webhook-id`, which is the same
whenever the same end is told again, `webhook-timestamp`, and `webhook-signature`: "v1," and the base64 of HMAC-SHA256
over "id.timestamp.body". A secret that begins with "whsec_" has its key behind that in base64; the bytes of any other
secret are the key.

Every end is told at least once: whoever tells it takes it for `_CLAIM_SECONDS`, and when that process dies, another
one tells it after that. It is told twice only if the process, or Redis, goes away between the answer and its note.
"""

import asyncio
import base64
import binascii
import hashlib
import hmac
import json
import logging
import socket
import ssl
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from functools import cache
from http import HTTPStatus
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Any

import httpx

from farm.errors import FarmError, NotFoundError, ServiceError, SpecError
from farm.jobs.batches import Batch, Webhook
from farm.jobs.connection import Connection
from farm.jobs.store import JobStore

log = logging.getLogger(__name__)
RETRY_SECONDS = (5.0, 30.0, 120.0, 600.0, 3600.0, 6 * 3600.0)
"""Between the tries; after the last there is none."""
SEND_SECONDS = 10.0
"""For one try: finding the address, connecting and the answer's head; nobody reads its body."""
TOLERANCE_SECONDS = 300.0
MAX_URL = 2000
_CONNECT_SECONDS = 3.0
_MAX_ADDRESSES = 3
"""Addresses of one name that a try goes to; the first that takes a connection gets the message."""
_CLAIM_SECONDS = 90.0
_POLL_SECONDS = 0.5
_SENDERS = 4
"""Messages on the way at a time: a receiver that lets us wait keeps few others waiting."""
_WEBHOOKS = "farm:webhooks"
_SECRET_PREFIX = "whsec_"  # noqa: S105 - what marks a secret, not one
_TRIES, _STATE, _LAST = "webhook_tries", "webhook_state", "webhook_last"
_NAT64 = IPv6Network("64:ff9b::/96")
_GLOBAL = IPv6Network("2000::/3")


class WebhookError(FarmError):
    """What was received is not from the farm, or not from now."""

    code = "webhook-refused"


class _AddressError(FarmError):
    """The webhook leads where it must not."""

    code = "webhook-address"


class DeliveryState(StrEnum):
    """How far the telling is."""

    PENDING = "pending"
    """The batch has not ended, or the receiver has not taken it yet and is tried again."""
    DELIVERED = "delivered"
    GIVEN_UP = "given-up"


@dataclass(frozen=True, slots=True)
class Delivery:
    """How it went to tell that a batch has ended."""

    state: DeliveryState
    tries: int
    last: str
    """What came of the last try, for people: "HTTP 500"; empty before the first."""


def deliveries(connection: Connection, batches: Sequence[str]) -> list[Delivery | None]:
    """How it went for each of the batches; None for one without a webhook. Raises ServiceError."""
    pipe = connection.redis.pipeline(transaction=False)
    for batch in batches:
        pipe.hmget(f"farm:batch:{batch}", "webhook", "ended", _TRIES, _STATE, _LAST)
    return [_delivery(*values) for values in connection.safely(pipe.execute)]


def _delivery(
    webhook: str | None, ended: str | None, tries: str | None, state: str | None, last: str | None
) -> Delivery | None:
    if webhook is None:
        return None
    if ended is None or tries is None:  # `commit.lua` forgets the tries when a batch ends again
        return Delivery(DeliveryState.PENDING, 0, "")
    return Delivery(DeliveryState(state or DeliveryState.PENDING), int(tries), last or "")


def check_webhook(webhook: Webhook, private_allowed: bool) -> None:
    """Raise SpecError for a webhook that could never be told anything.

    A name that leads to a private address is found out when it is told, since names change.
    """
    _key(webhook.secret)
    try:
        url = httpx.URL(webhook.url)
    except httpx.InvalidURL as error:
        raise SpecError(f"The webhook's URL cannot be read: {error}.") from error
    strange = (
        url.scheme not in ("http", "https") or not url.host or bool(url.userinfo) or not 0 < (url.port or 80) < 65536
    )
    if strange or len(webhook.url) > MAX_URL:
        raise SpecError(
            f"A webhook's URL looks like https://host/path: http or https, no user, at most {MAX_URL} characters."
        )
    try:
        address = ip_address(url.host)
    except ValueError:
        return
    if not private_allowed and not _is_public(address):
        raise SpecError(
            "The webhook's address is not public. Use one that is, or ask an operator for FARM_WEBHOOK_PRIVATE=1."
        )


def sign(secret: str, id_: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`; `timestamp` in seconds since the epoch. Raises SpecError for a broken secret."""
    message = b"%s.%d.%s" % (id_.encode(), timestamp, body)
    return "v1," + base64.b64encode(hmac.digest(_key(secret), message, hashlib.sha256)).decode()


def _key(secret: str) -> bytes:
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


class Messenger:
    """Tells of ended batches, in threads of its own after `start`. Any number of processes may have one.

    `private_allowed`: whether webhooks may lead to addresses that are not public; `retries`: seconds between the tries.
    """

    def __init__(
        self,
        connection: Connection,
        jobs: JobStore,
        private_allowed: bool,
        retries: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        self._connection = connection
        self._redis = connection.redis
        self._jobs = jobs
        self._private_allowed = private_allowed
        self._retries = retries
        self._stop = threading.Event()
        self._threads = [
            threading.Thread(target=self._run, name=f"messenger-{number}", daemon=True) for number in range(_SENDERS)
        ]

    def start(self) -> None:
        """Tell until `stop`."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End, after the messages that are on the way."""
        self._stop.set()
        deadline = time.monotonic() + SEND_SECONDS + 1
        for thread in self._threads:
            if thread.is_alive():
                thread.join(max(0.0, deadline - time.monotonic()))

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self.tell_next():
                    continue
            except ServiceError:
                pass  # the keeper says so in the log
            except Exception:  # one message that breaks down must not end the others
                log.exception("a webhook's message broke down")
            self._stop.wait(_POLL_SECONDS)

    def tell_next(self) -> bool:
        """Try to tell what is due first; False when nothing was due. Raises ServiceError when Redis does not answer."""
        batch_id = self._claim()
        if batch_id is None:
            return False
        try:
            batch = self._jobs.batch(batch_id)
        except NotFoundError:
            self._connection.safely(lambda: self._redis.zrem(_WEBHOOKS, batch_id))
            return True
        if batch.record.webhook is not None and batch.ended_at is not None:  # else it was reopened just now
            self._note(batch, *self._tell(batch, batch.record.webhook, batch.ended_at))
        return True

    def _claim(self) -> str | None:
        """A batch that is due, which nobody else gets for `_CLAIM_SECONDS`."""

        def take(pipe: Any) -> str | None:
            now = self._connection.now()
            due = pipe.zrangebyscore(_WEBHOOKS, "-inf", now, start=0, num=1)
            pipe.multi()
            if not due:
                return None
            pipe.zadd(_WEBHOOKS, {due[0]: now + _CLAIM_SECONDS}, xx=True)
            return str(due[0])

        found: str | None = self._connection.safely(
            lambda: self._redis.transaction(take, _WEBHOOKS, value_from_callable=True)
        )
        return found

    def _tell(self, batch: Batch, webhook: Webhook, ended_at: float) -> tuple[DeliveryState, str]:
        """What came of one try, and a phrase for people."""
        body = json.dumps(_message(batch, ended_at)).encode()
        # The end is part of the name: a batch that was retried ends a second time, and that is another message.
        id_ = f"{batch.id}-{round(ended_at * 1000)}"
        timestamp = int(self._connection.now())
        try:
            check_webhook(webhook, self._private_allowed)
            headers = {
                "content-type": "application/json",
                "user-agent": "Facefarm",
                "webhook-id": id_,
                "webhook-timestamp": str(timestamp),
                "webhook-signature": sign(webhook.secret, id_, timestamp, body),
            }
            status = asyncio.run(_post(httpx.URL(webhook.url), headers, body, self._private_allowed))
        except (SpecError, _AddressError) as error:
            return DeliveryState.GIVEN_UP, str(error)
        except (TimeoutError, httpx.TimeoutException):
            return DeliveryState.PENDING, "no answer in time"
        except (httpx.HTTPError, OSError):  # what exactly happened is the business of nobody who can only submit
            return DeliveryState.PENDING, "no connection"
        if 200 <= status < 300:
            return DeliveryState.DELIVERED, f"HTTP {status}"
        gone = status == HTTPStatus.GONE  # how the specification lets a receiver say that it wants no more
        return DeliveryState.GIVEN_UP if gone else DeliveryState.PENDING, f"HTTP {status}"

    def _note(self, batch: Batch, state: DeliveryState, last: str) -> None:
        """Keep what came of a try, unless the batch was reopened meanwhile: its next end is another message."""
        key = f"farm:batch:{batch.id}"

        def write(pipe: Any) -> int:
            ended, tries = pipe.hmget(key, "ended", _TRIES)
            now = self._connection.now()
            pipe.multi()
            if ended is None or float(ended) != batch.ended_at:
                return 0
            count = int(tries or 0) + 1
            if state is DeliveryState.PENDING and count <= len(self._retries):
                pipe.hset(key, mapping={_TRIES: count, _STATE: state, _LAST: last})
                pipe.zadd(_WEBHOOKS, {batch.id: now + self._retries[count - 1]}, xx=True)
                return 0
            final = DeliveryState.DELIVERED if state is DeliveryState.DELIVERED else DeliveryState.GIVEN_UP
            pipe.hset(key, mapping={_TRIES: count, _STATE: final, _LAST: last})
            pipe.zrem(_WEBHOOKS, batch.id)
            return count if final is DeliveryState.GIVEN_UP else 0

        tries = self._connection.safely(lambda: self._redis.transaction(write, key, value_from_callable=True))
        if tries:
            log.warning("the webhook of batch %s was given up after %d tries: %s", batch.id, tries, last)


def _message(batch: Batch, ended_at: float) -> dict[str, Any]:
    moment = datetime.fromtimestamp(ended_at, UTC).isoformat(timespec="milliseconds")
    return {
        "type": "batch.ended",
        "timestamp": moment,
        "batch": {
            "id": batch.id,
            "name": batch.record.name,
            "created": batch.record.created,
            "jobs": batch.counts,
            "images_total": batch.images_total,
            "images_done": batch.images_done,
            "errors": batch.errors,
            "ended_at": moment,
        },
    }


async def _post(url: httpx.URL, headers: Mapping[str, str], body: bytes, private_allowed: bool) -> int:
    """POST `body`, and the status of the answer. Follows no redirects.

    Raises _AddressError when the URL's name leads to no allowed address, TimeoutError, OSError and httpx.HTTPError.
    """
    # httpx times each step; the whole is timed here, or a receiver that sends a byte now and then would hold us for ever.
    async with asyncio.timeout(SEND_SECONDS):
        addresses = await _addresses(url, private_allowed)
        timeout = httpx.Timeout(SEND_SECONDS, connect=_CONNECT_SECONDS)
        async with httpx.AsyncClient(verify=_tls(), trust_env=False, timeout=timeout) as client:
            for address in addresses:
                request = client.build_request(
                    "POST",
                    # To the address that was looked at: a second look-up could lead elsewhere.
                    url.copy_with(host=address),
                    headers={**headers, "host": url.netloc.decode("ascii")},
                    content=body,
                    extensions={"sni_hostname": url.raw_host.decode("ascii")},
                )
                try:
                    answer = await client.send(request, stream=True, follow_redirects=False)
                except (httpx.ConnectError, httpx.ConnectTimeout):
                    if address == addresses[-1]:
                        raise
                    continue
                await answer.aclose()
                return answer.status_code
    raise AssertionError("There is at least one address.")


@cache
def _tls() -> ssl.SSLContext:
    return httpx.create_ssl_context()


async def _addresses(url: httpx.URL, private_allowed: bool) -> list[str]:
    """Where the URL's name leads to, as far as it may. Raises OSError, and _AddressError when nothing is left."""
    found = await asyncio.get_running_loop().getaddrinfo(url.raw_host, url.port, type=socket.SOCK_STREAM)
    unique = dict.fromkeys(str(address[0]) for *_, address in found)
    allowed = [text for text in unique if private_allowed or _is_public(ip_address(text))]
    if not allowed:
        raise _AddressError(
            "The webhook's address is not public, and the farm goes to no other; an operator can set FARM_WEBHOOK_PRIVATE=1."
        )
    return allowed[:_MAX_ADDRESSES]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    """Whether an address is somebody's on the internet, and neither this machine's nor a private network's."""
    if isinstance(address, IPv6Address):
        if address in _NAT64:  # an IPv4 address in other clothes; so is the next
            return _is_public(IPv4Address(int(address) & 0xFFFFFFFF))
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        return address in _GLOBAL and address.is_global
    return address.is_global and not address.is_multicast
