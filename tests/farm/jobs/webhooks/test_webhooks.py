"""Webhooks on a real Valkey and real receivers: told once an end, and tried again whatever dies meanwhile."""

import json
import socket
import threading
import time
from pathlib import Path

import httpx

from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.states import State
from farm.jobs.store import JobStore
from farm.jobs.webhooks import Delivery, DeliveryState, deliveries
from farm.process import spawn
from farm.stack import free_port
from farm.valkey import valkey_command
from tests.farm.jobs.webhooks.receiver import (
    SECRET,
    Receiver,
    batch_to,
    delivery,
    finish,
    messenger,
    receiving,
    running,
)
from tests.support.jobs import connected
from tests.support.servers import PATIENCE_SECONDS, api_server, end, wait_until


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
    assert first >= 1.0
    assert second >= 3.0


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


def test_two_messengers_tell_every_end_once(fresh_redis: str, jobs: JobStore, receiver: Receiver) -> None:
    batches = [batch_to(jobs, receiver.url, models=1) for _ in range(30)]

    with running(messenger(connected(fresh_redis)), messenger(connected(fresh_redis))):
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
    receiver.may_answer.clear()
    telling = threading.Thread(target=messenger(connection).tell_next)
    telling.start()
    wait_until(lambda: bool(receiver.got), "the first message")
    jobs.change_all(batch, states.retry)
    finish(jobs, batch)
    receiver.may_answer.set()
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
    command += ["--appendonly", "yes", "--appendfsync", "always"]
    connection = connected(url)

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
        with running(messenger(connected(url), retries=(4.0,))):
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
