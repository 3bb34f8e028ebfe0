"""Flower as `farm flower` runs it, and what it shows."""

import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from farm.process import spawn
from farm.stack import free_port
from tests.support.servers import end, wait_until

LOGIN = ("operator", "a word, and another")
"""Who may look."""


@dataclass(frozen=True)
class ShownFlower:
    """A running Flower."""

    url: str
    log: Path
    login: tuple[str, str] = LOGIN

    def rows(self, search: str = "") -> dict[str, dict[str, Any]]:
        """Its tasks by their ids, those that `search` finds; none before it answers."""
        try:
            found = self.get("/api/tasks", search=search)
        except httpx.TransportError:
            return {}
        assert found.status_code == 200, found.text
        return dict(found.json())

    def get(self, path: str, **query: str) -> httpx.Response:
        """Ask it, signed in."""
        return httpx.get(self.url + path, params=query, auth=self.login, timeout=30, trust_env=False)


@contextmanager
def flower_on(redis_url: str, folder: Path, environment: Mapping[str, str] | None = None) -> Iterator[ShownFlower]:
    """Flower over a Redis; it answers."""
    port = free_port()
    folder.mkdir(parents=True, exist_ok=True)
    shown = ShownFlower(f"http://127.0.0.1:{port}", folder / "flower.log")
    settings = {"FARM_REDIS_URL": redis_url, "FARM_FLOWER_BASIC_AUTH": ":".join(LOGIN), **(environment or {})}
    process = spawn([sys.executable, "-m", "farm", "flower", "--port", str(port)], shown.log, settings)
    try:
        wait_until(lambda: _answers(shown), "Flower answering")
        yield shown
    finally:
        end(process)


def _answers(shown: ShownFlower) -> bool:
    try:
        return shown.get("/healthcheck").is_success
    except httpx.TransportError:
        return False
