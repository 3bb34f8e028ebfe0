"""Tells whoever asked for it that a batch has ended.

    farm:webhooks     sorted set of batches of which is to be told, by the time when it is to be tried; `end_batch` in
                      `lua/prelude.lua` puts a batch there, `lua/commit.lua` takes it away when a retry reopens it
    farm:webhooks:owner:<name>, farm:webhooks:host:<host>
                      sorted sets of the batches of which a message is on the way to this user's receivers, or to this
                      host, by when it is so no longer, whatever became of it
    farm:batch:<id>   webhook: the host; webhook_tries, webhook_state, webhook_last: how it went since the batch ended

What is sent is signed (`farm.jobs.signatures`), and goes to public addresses alone unless the settings say otherwise
(`farm.jobs.posting`).

That it was told, or given up, the object store keeps too (`farm.jobs.orders`), so that a farm whose Redis was lost tells
what was not told, and not everything again.

Every end is told at least once: whoever tells it takes it for `_CLAIM_SECONDS`, and when that process dies, another
one tells it after that. It is told twice only if the process, or Redis, goes away between the answer and its note.
"""

import asyncio
import json
import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from http import HTTPStatus
from ipaddress import ip_address
from typing import Any

import httpx

from farm import logs, metrics
from farm.errors import NotFoundError, ServiceError, SpecError, StorageError
from farm.jobs import posting
from farm.jobs.batches import Batch, Told, Webhook
from farm.jobs.connection import Connection
from farm.jobs.signatures import key_of, signed_headers
from farm.jobs.store import JobStore

log = logging.getLogger(__name__)
RETRY_SECONDS = (5.0, 30.0, 120.0, 600.0, 3600.0, 6 * 3600.0)
"""Between the tries; after the last there is none."""
MAX_URL = 2000
_CLAIM_SECONDS = 90.0
_POLL_SECONDS = 0.5
_SLACK_SECONDS = 5.0
"""A message that has not come back for that much longer than one may take is not on the way: its process died."""
_SENDERS = 12
"""Messages on the way at a time, from this process."""
_FOR_OWNER, _FOR_HOST = 3, 2
"""Messages on the way at a time to one user's receivers, and to one host, from all processes: a receiver that lets us wait
keeps those waiting who chose it."""
_WEBHOOKS = "farm:webhooks"
_TRIES, _STATE, _LAST = "webhook_tries", "webhook_state", "webhook_last"


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
    key_of(webhook.secret)
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
    if not private_allowed and not posting.is_public(address):
        raise SpecError(
            "The webhook's address is not public. Use one that is, or ask an operator for FARM_WEBHOOK_PRIVATE=1."
        )


class Messenger:
    """Tells of ended batches, in threads of its own after `start`. Any number of processes may have one.

    `keep` notes durably that a batch's end was told, or given up; `private_allowed`: whether webhooks may lead to addresses
    that are not public; `retries`: seconds between the tries.
    """

    def __init__(
        self,
        connection: Connection,
        jobs: JobStore,
        keep: Callable[[str, Told], None],
        private_allowed: bool,
        retries: Sequence[float] = RETRY_SECONDS,
    ) -> None:
        self._connection = connection
        self._redis = connection.redis
        self._jobs = jobs
        self._keep = keep
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
        deadline = time.monotonic() + posting.SEND_SECONDS + 1
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
            with logs.within(batch=batch_id):
                self._tell_of(batch_id)
        finally:
            self._connection.run("release_webhook", batch_id)
        return True

    def _tell_of(self, batch_id: str) -> None:
        try:
            batch = self._jobs.batch(batch_id)
        except NotFoundError:
            self._connection.safely(lambda: self._redis.zrem(_WEBHOOKS, batch_id))
            return
        if batch.record.webhook is not None and batch.ended_at is not None:  # else it was reopened just now
            self._note(batch, *self._tell(batch, batch.record.webhook, batch.ended_at))

    def _claim(self) -> str | None:
        """A batch that is due, which nobody else gets for `_CLAIM_SECONDS`."""
        message = posting.SEND_SECONDS + _SLACK_SECONDS
        found: str | None = self._connection.run("claim_webhook", _CLAIM_SECONDS, message, _FOR_OWNER, _FOR_HOST)
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
                **signed_headers(webhook.secret, id_, timestamp, body),
            }
            status = asyncio.run(posting.post(httpx.URL(webhook.url), headers, body, self._private_allowed))
        except (SpecError, posting.AddressError) as error:
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

        def write(pipe: Any) -> Told | None:
            ended, tries = pipe.hmget(key, "ended", _TRIES)
            now = self._connection.time()
            pipe.multi()
            if ended is None or float(ended) != batch.ended_at:
                return None
            count = int(tries or 0) + 1
            if state is DeliveryState.PENDING and count <= len(self._retries):
                pipe.hset(key, mapping={_TRIES: count, _STATE: state, _LAST: last})
                pipe.zadd(_WEBHOOKS, {batch.id: now + self._retries[count - 1]}, xx=True)
                return None
            final = DeliveryState.DELIVERED if state is DeliveryState.DELIVERED else DeliveryState.GIVEN_UP
            pipe.hset(key, mapping={_TRIES: count, _STATE: final, _LAST: last})
            pipe.zrem(_WEBHOOKS, batch.id)
            return Told(final, count, last, batch.counts)

        told = self._connection.transaction(write, key)
        delivered = "delivered" if state is DeliveryState.DELIVERED else "failed"
        metrics.WEBHOOKS.inc(told.state if told else delivered)
        if told is None:
            return
        if told.state == DeliveryState.GIVEN_UP:
            log.warning("the webhook of batch %s was given up after %d tries: %s", batch.id, told.tries, last)
        try:
            self._keep(batch.id, told)
        except (ServiceError, StorageError) as error:  # then it is told again if Redis is lost, too
            log.warning("that batch %s was told is not kept in the store: %s", batch.id, error)


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
