"""Celery's way to Redis: made as all connections of the farm are (`farm.jobs.address`), and by which no answer of the
server, and no message that is no ticket, ends a worker.

kombu reads a message outside of all that Celery guards: one that is no JSON, or lacks a field, ends the whole process.
Whoever can write to the queue could so end every worker, one by one. And it takes "I am a read-only replica", "my disk is
full" and their like for mistakes of the program, which ends too; here they are a connection that is lost, so the worker
says what it waits for and tries again.
"""

import logging
from queue import Empty
from typing import Any

import redis
from celery import Celery
from kombu.transport import TRANSPORT_ALIASES, virtual
from kombu.transport import redis as kombu_redis

from farm.jobs.address import ANSWER_SECONDS, HEALTH_SECONDS, RedisAddress
from farm.jobs.client import Client
from farm.jobs.connection import prove
from farm.jobs.refusals import explain

log = logging.getLogger(__name__)
_ADDRESS = "farm_address"
_SCHEMES = ("redis", "rediss", "sentinel")


class _QoS(kombu_redis.QoS):
    """A ticket that cannot be acknowledged, since Redis is away, is done all the same.

    Else it would fill, for ever, the one place that a worker has for tickets. It comes again in an hour, and finds nothing
    to do.
    """

    def ack(self, delivery_tag: Any) -> None:
        try:
            super().ack(delivery_tag)  # type: ignore[no-untyped-call]
        except Transport.connection_errors:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise

    def reject(self, delivery_tag: Any, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue)  # type: ignore[no-untyped-call]
        except Transport.connection_errors:
            virtual.QoS.ack(self, delivery_tag)  # type: ignore[no-untyped-call]
            raise


class _Channel(kombu_redis.Channel):
    QoS = _QoS

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)  # type: ignore[no-untyped-call]
        # Else a consumer would connect to a server that takes no writes, fail at its first command, and so on at once.
        try:
            prove(self.client)
        except redis.RedisError as error:
            sentence = f"Redis at {self._address()} {explain(error) or error}"
            self.close()  # type: ignore[no-untyped-call]
            raise redis.ConnectionError(sentence) from error

    def _address(self) -> RedisAddress:
        address = self.connection.client.transport_options[_ADDRESS]
        assert isinstance(address, RedisAddress)
        return address

    def _get_pool(self, asynchronous: bool = False) -> redis.ConnectionPool:
        def ended(connection: Any) -> None:
            if self._registered:
                self._on_connection_disconnect(connection)  # type: ignore[no-untyped-call]

        address = self._address()
        self.keyprefix_fanout = self.keyprefix_fanout.format(db=address.database)
        return address.pool(ANSWER_SECONDS, decode=False, on_disconnect=ended if asynchronous else None)

    def _get_client(self) -> Any:
        return Client

    def _brpop_read(self, **options: Any) -> Any:
        try:
            return super()._brpop_read(**options)  # type: ignore[no-untyped-call]
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            log.warning("a message in the queue is no ticket and was dropped (%s)", type(error).__name__)
            raise Empty from error


class Transport(kombu_redis.Transport):
    """Redis, as kombu has it, but for what it says and for messages that are none."""

    Channel = _Channel
    connection_errors = (*kombu_redis.Transport.connection_errors, redis.ResponseError)


def install() -> None:
    """Make addresses of Redis use it."""
    TRANSPORT_ALIASES.update(dict.fromkeys(_SCHEMES, f"{__name__}:Transport"))


def options(address: RedisAddress, visibility_seconds: float) -> dict[str, Any]:
    """What Celery is to hand to the transport. Workers tell it to whoever inspects them, so it has no secret."""
    return {
        _ADDRESS: address,
        # kombu shares connections between addresses that look the same, and the login of this one cannot be seen. Python's
        # hash is of this process alone, so it tells nothing of the login.
        "farm_login": hash(address),
        "visibility_timeout": visibility_seconds,
        # A server that has not answered for as long is asked no more; kombu looks for it so often, too.
        "health_check_interval": HEALTH_SECONDS,
        "socket_timeout": ANSWER_SECONDS,
        "max_retries": 0,  # who issues a ticket is told at once that it cannot be; workers connect as often as it takes
        "master_name": address.service,
    }


def log_in(app: Celery, address: RedisAddress) -> None:
    """Let Flower's `app` know user and password: it counts tickets over a connection of its own."""
    app.conf.broker_url = address.celery_url(login=True)
    if address.sentinel_password:
        login = {"username": address.sentinel_username or None, "password": address.sentinel_password}
        app.conf.broker_transport_options |= {"sentinel_kwargs": login}
