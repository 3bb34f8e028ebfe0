"""What stands in the queue and is no ticket ends nobody: the next ticket is still delivered."""

import pytest
import redis
from kombu.entity import Queue
from kombu.messaging import Consumer

from farm.settings import Settings
from farm.worker.celery_app import QUEUE, RENDER_TASK, make_app

RUBBISH = (
    b"no json", b"\xff\xfe\x00", b"", b"[]", b"1", b"null", b'"text"', b"{}", b'{"properties": 1}', b'{"properties": {}}',
    b'{"properties": {"delivery_tag": "a"}, "body": "%%%", "content-type": 5}',
    b"[" * 100_000, b'{"body": ' * 5000,
)  # fmt: skip


def test_rubbish_in_the_queue_is_dropped_and_the_next_ticket_is_delivered(fresh_redis: str) -> None:
    app = make_app(Settings(redis_url=fresh_redis))
    with redis.Redis.from_url(fresh_redis) as client, app.connection_for_read() as connection:
        got: list[str] = []

        def take(_: object, message: object) -> None:
            got.append(message.headers.get("task", ""))  # type: ignore[attr-defined]
            message.ack()  # type: ignore[attr-defined]

        for rubbish in RUBBISH:
            client.lpush(QUEUE, rubbish)
        app.send_task(RENDER_TASK)
        queue = Queue(QUEUE)  # type: ignore[no-untyped-call]
        with Consumer(connection, [queue], callbacks=[take], accept=["json"]):  # type: ignore[no-untyped-call]
            for _ in range(40):
                if RENDER_TASK in got:
                    break
                try:
                    connection.drain_events(timeout=1)
                except TimeoutError:
                    continue
                except Exception as error:  # noqa: BLE001 - whatever it is, it would have ended the worker
                    pytest.fail(f"{type(error).__name__}: {error}")

        assert RENDER_TASK in got
        assert client.llen(QUEUE) == 0
