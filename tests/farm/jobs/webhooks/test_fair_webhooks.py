"""Receivers that let us wait keep those waiting who chose them, and nobody else."""

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from farm.jobs.connection import Connection
from farm.jobs.store import JobStore
from farm.jobs.webhooks import _FOR_HOST, _FOR_OWNER, DeliveryState
from tests.farm.jobs.webhooks.receiver import Receiver, batch_to, delivery, finish, messenger, receiving, running
from tests.support.servers import wait_until


@contextmanager
def tarpit(host: str) -> Iterator[str]:
    """A server that takes connections and never answers; its URL. Its backlog is all that it reads with."""
    with socket.socket() as server:
        server.bind((host, 0))
        server.listen(500)
        yield f"http://{host}:{server.getsockname()[1]}"


def on_the_way(connection: Connection, lane: str) -> int:
    return int(connection.redis.zcard(f"farm:webhooks:{lane}"))


def test_sixty_messages_to_a_tarpit_do_not_delay_another_users(
    connection: Connection, jobs: JobStore, receiver: Receiver
) -> None:
    with ExitStack() as pits:
        urls = [pits.enter_context(tarpit(f"127.0.0.{2 + number}")) for number in range(10)]
        stuck = [batch_to(jobs, urls[number % 10], models=1, owner="mallory") for number in range(60)]
        for batch in stuck:
            finish(jobs, batch)
        with running(messenger(connection)):
            wait_until(lambda: on_the_way(connection, "owner:mallory") == _FOR_OWNER, "the tarpit's messages")
            mine = batch_to(jobs, receiver.url, models=1, owner="alice")
            finish(jobs, mine)
            ended = time.monotonic()
            wait_until(lambda: delivery(connection, mine).state is DeliveryState.DELIVERED, "the delivery")
            took = time.monotonic() - ended
            assert on_the_way(connection, "owner:mallory") <= _FOR_OWNER
            told = [delivery(connection, batch).tries for batch in stuck]

    assert sum(told) <= 2 * _FOR_OWNER, f"the tarpit's messages were not all waited for (this took {took:.1f} s)"
    assert on_the_way(connection, "owner:alice") == 0


def test_many_users_of_one_slow_host_share_its_lane(connection: Connection, jobs: JobStore, receiver: Receiver) -> None:
    with tarpit("127.0.0.2") as url:
        for number in range(30):
            finish(jobs, batch_to(jobs, url, models=1, owner=f"sock-puppet-{number}"))
        with running(messenger(connection)):
            wait_until(lambda: on_the_way(connection, "host:127.0.0.2") == _FOR_HOST, "the tarpit's messages")
            mine = batch_to(jobs, receiver.url, models=1, owner="alice")
            finish(jobs, mine)
            wait_until(lambda: delivery(connection, mine).state is DeliveryState.DELIVERED, "the delivery")
            assert on_the_way(connection, "host:127.0.0.2") <= _FOR_HOST


def test_more_due_messages_than_one_look_reaches_do_not_hide_another_users(
    connection: Connection, jobs: JobStore, receiver: Receiver
) -> None:
    with tarpit("127.0.0.2") as url:
        for _ in range(450):
            finish(jobs, batch_to(jobs, url, models=1, owner="mallory"))
        mine = batch_to(jobs, receiver.url, models=1, owner="alice")
        finish(jobs, mine)
        with running(messenger(connection)):
            wait_until(lambda: delivery(connection, mine).state is DeliveryState.DELIVERED, "the delivery")


def test_messages_of_one_user_to_one_host_are_all_told(connection: Connection, jobs: JobStore) -> None:
    with receiving() as receiver:
        batches = [batch_to(jobs, receiver.url, models=1, owner="alice") for _ in range(40)]
        for batch in batches:
            finish(jobs, batch)
        threads = [threading.Thread(target=_tell_all, args=(connection,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(id_.partition("-")[0] for id_ in receiver.ids) == sorted(batches)
    assert connection.redis.keys("farm:webhooks:*") == [], "lanes are empty when all is told"


def _tell_all(connection: Connection) -> None:
    one = messenger(connection)
    while connection.redis.zcard("farm:webhooks"):
        if not one.tell_next():
            time.sleep(0.02)
