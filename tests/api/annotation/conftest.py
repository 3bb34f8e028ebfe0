"""A farm with keys that people annotate on: a real API, Valkey and store."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from farm.keys import Role, entry_for, new_key
from farm.models.package import upload_form
from tests.support import servers
from tests.support.browser import chromium

KEYS = {name: new_key() for name in ("anna", "ben", "rita")}
_ROLES = {"anna": [Role.ANNOTATE, Role.SUBMIT], "ben": [Role.ANNOTATE], "rita": [Role.READ]}


@dataclass(frozen=True)
class Farm:
    """The farm, and the mascots in it by their names."""

    url: str
    environment: dict[str, str]
    folder: Path
    models: dict[str, str]

    def client(self, who: str) -> httpx.Client:
        """REST, with somebody's key."""
        headers = {"X-API-Key": KEYS[who]}
        return httpx.Client(base_url=self.url, headers=headers, timeout=servers.PATIENCE_SECONDS, trust_env=False)

    def collect(self, name: str, *models: str) -> str:
        """A collection of these models; the address of its page."""
        with self.client("anna") as anna:
            ids = [self.models[model] for model in models]
            answer = anna.post("/v1/annotations/collections", json={"name": name, "models": ids})
            assert answer.status_code == 201, answer.text
        return f"/annotate/{name}/"


@pytest.fixture
def farm(new_database: Callable[[], str], tmp_path: Path, mascots: dict[str, Path]) -> Iterator[Farm]:
    environment = {
        "FARM_REDIS_URL": new_database(),
        "FARM_STORAGE_URL": f"file://{tmp_path}/store",
        "FARM_API_KEYS": ",".join(entry_for(name, _ROLES[name], key) for name, key in KEYS.items()),
        "FARM_RATE_LIMIT": "0",
    }
    with servers.api_server(tmp_path / "api", environment) as api:
        farm = Farm(api.url, environment, tmp_path, {})
        with farm.client("anna") as anna:
            for name, path in mascots.items():
                file, data = upload_form(path)
                answer = anna.post("/v1/models", files={"file": (file, data)})
                farm.models[name] = answer.json()["models"][0]["id"]
        yield farm


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def look_away(page: Page) -> None:
    """From now on the page heeds nothing that it hears of others' decisions, not even what it asked for a moment ago."""
    page.evaluate("inspection.page.store.backend.isUnsaved = () => true")


def sign_in(page: Page, who: str, leads_to: str) -> None:
    """By keyboard."""
    page.goto(leads_to)
    expect(page.get_by_label("API key")).to_be_focused()  # by the browser's next frame, which may be after the load
    page.keyboard.type(KEYS[who])
    page.keyboard.press("Enter")
