"""What browsers may do with the API's answers, and the page of its routes; in a real Chromium."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from farm.keys import Role, entry_for, new_key
from tests.support import servers
from tests.support.browser import chromium, page_of

KEY = new_key()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def url(fresh_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    folder = tmp_path_factory.mktemp("policy")
    environment = {
        "FARM_REDIS_URL": fresh_url,
        "FARM_STORAGE_URL": f"file://{folder / 'store'}",
        "FARM_API_KEYS": entry_for("local", [Role.OPERATE], KEY),
        "FARM_RATE_LIMIT": "0",
    }
    with servers.api_server(folder, environment) as api:
        yield api.url


@pytest.fixture(scope="module")
def fresh_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with servers.redis_server(tmp_path_factory.mktemp("valkey")) as found:
        yield found


@pytest.mark.parametrize(
    "path",
    ["/", "/sign-in", "/docs", "/docs/start.js", "/openapi.json", "/v1/models", "/nothing", "/healthz", "/static/x"],
)
def test_every_answer_says_what_a_browser_may_do_with_it(url: str, path: str) -> None:
    for headers in ({}, {"Authorization": f"Bearer {KEY}"}):
        answer = httpx.get(url + path, headers=headers, trust_env=False)

        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe-inline" not in policy.partition("script-src")[2].partition(";")[0]
        assert answer.headers["x-content-type-options"] == "nosniff"


def test_the_page_of_the_routes_works_and_asks_no_other_host(url: str, browser: Browser) -> None:
    asked: list[str] = []
    with page_of(browser, url) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto("/docs")
        expect(page.get_by_role("heading", name="Facefarm")).to_be_visible()
        expect(page.locator(".opblock").first).to_be_visible()

    assert f"{url}/docs/swagger-ui-bundle.js" in asked
    assert [address for address in asked if not address.startswith((url, "data:"))] == []


def test_the_link_of_farm_up_signs_in_and_leaves_no_key_behind(url: str, browser: Browser) -> None:
    with page_of(browser, url) as page:
        page.goto(f"/sign-in#{KEY}")
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()
        assert KEY not in page.url
        (cookie,) = page.context.cookies()
        assert KEY not in str(cookie)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()

    answer = httpx.get(f"{url}/v1/models", headers={"Cookie": f"farm_session={cookie['value']}"}, trust_env=False)
    assert answer.status_code == 401, "signed out, the session opens nothing"


def test_swaggers_files_are_no_way_to_others(url: str, tmp_path: Path) -> None:
    for name in ("../main.py", "..%2fmain.py", "__init__.py", "favicon-32x32.png", "%2e%2e/main.py"):
        assert httpx.get(f"{url}/docs/{name}", trust_env=False).status_code in (401, 404)
