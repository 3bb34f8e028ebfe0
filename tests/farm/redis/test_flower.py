"""Flower shows the queue of a Redis with a database, a password and TLS; no process is started with a password."""

import sys
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from farm.jobs.connection import Connection
from farm.process import spawn
from farm.settings import Settings
from farm.stack import free_port
from farm.worker.celery_app import CeleryTickets, make_app
from tests.farm.redis.test_addresses import redis_of
from tests.support.redises import PASSWORD, QUOTED
from tests.support.servers import end, wait_until

pytest.importorskip("flower")


@pytest.mark.parametrize("kind", ["TLS with its own CA", "a database, and a password of special characters"])
def test_flower_counts_the_tickets_of(kind: str, tmp_path: Path) -> None:
    with ExitStack() as stack:
        url = stack.enter_context(redis_of(kind, tmp_path))
        CeleryTickets(make_app(Settings(redis_url=url)), Connection(url)).issue(3)
        port = free_port()
        command = [sys.executable, "-m", "farm", "flower", "--port", str(port)]
        process = spawn(
            command, tmp_path / "flower.log", {"FARM_REDIS_URL": url, "FARM_FLOWER_BASIC_AUTH": "user:other-word"}
        )
        try:

            def length() -> int | None:
                try:
                    found = httpx.get(
                        f"http://127.0.0.1:{port}/api/queues/length",
                        auth=("user", "other-word"),
                        timeout=10,
                        trust_env=False,
                    )
                    return {queue["name"]: queue["messages"] for queue in found.json()["active_queues"]}.get("render")
                except (httpx.HTTPError, ValueError, KeyError):
                    return None

            wait_until(lambda: length() == 3, f"Flower counting: {(tmp_path / 'flower.log').read_text()}")
            arguments = Path(f"/proc/{process.pid}/cmdline").read_text()
            for secret in (PASSWORD, QUOTED, "other-word"):
                assert secret not in arguments
                assert secret not in (tmp_path / "flower.log").read_text()
        finally:
            end(process)
