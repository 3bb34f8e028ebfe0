"""A farm that a proxy shows under a path: pages, documentation, annotation, client and redirects, in a real Chromium."""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, expect

from farm.client import FarmClient, ModelRef
from farm.jobs.connection import Connection
from farm.keys import Role, entry_for, new_key
from farm.spec import RenderSpec
from farm.storage import LocalStore
from tests.support import finished, servers
from tests.support.browser import chromium, page_of
from tests.support.proxy import under_path

KEY = new_key()
SPEC = RenderSpec(samples=1, size=32)
_REFUSED = re.compile("status of 40[15]")
"""What a browser says when a page asks for a key."""


@dataclass(frozen=True)
class Shown:
    """A farm as it is seen through the proxy, and its parts behind it."""

    url: str
    connection: Connection
    store: LocalStore
    folder: Path


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(
    params=["taken away", *(pytest.param(how, marks=pytest.mark.long) for how in ("passed on", "other host"))]
)
def shown(request: pytest.FixtureRequest, new_database: Callable[[], str], tmp_path: Path) -> Iterator[Shown]:
    url, store = new_database(), tmp_path / "store"
    environment = {
        "FARM_REDIS_URL": url,
        "FARM_STORAGE_URL": f"file://{store}",
        "FARM_API_KEYS": entry_for("anna", [Role.OPERATE, Role.ANNOTATE, Role.SUBMIT], KEY),
        "FARM_API_PATH": "/some/farm",
    }
    with (
        servers.api_server(tmp_path / "api", environment) as api,
        under_path(api.url, "/some/farm", request.param != "passed on", request.param != "other host") as seen,
    ):
        yield Shown(seen, Connection(url), LocalStore(store), tmp_path)


def test_everything_works_under_a_path(shown: Shown, browser: Browser, mascots: dict[str, Path]) -> None:
    # The client, from upload to download
    with FarmClient(shown.url, KEY) as client:
        ((uploaded,), _) = client.upload(mascots["momo"])
        batch = client.submit([ModelRef(uploaded.id, "momo")], SPEC, name="night")
        finished.finish(shown.connection, shown.store, finished.take(shown.connection), SPEC, shown.folder)
        assert client.batch(batch.id).ended
        (job,) = client.jobs(batch.id)
        assert len(client.contact_sheet(job.id)) > 100
        with client.events(batch.id) as events:
            assert next(events).kind == "snapshot"

    with page_of(browser, shown.url, allowed=_REFUSED) as page:
        # signing in leads back to where the way led
        page.goto(f"{shown.url}/batches/{batch.id}")
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Sign in").click()
        expect(page.get_by_role("heading", name="night")).to_be_visible()
        assert page.url == f"{shown.url}/batches/{batch.id}"
        # pictures come, and so does the style sheet
        servers.wait_until(lambda: page.evaluate(_ALL_SHOWN), "the pictures")
        assert page.evaluate("document.styleSheets[0].cssRules.length") > 0
        assert page.locator("main").get_attribute("data-events") == f"/some/farm/v1/events?batch={batch.id}"

        # every link of the pages leads to a page of the farm
        for start in ("/", f"/batches/{batch.id}", f"/jobs/{job.id}", "/annotate"):
            page.goto(shown.url + start)
            links = page.eval_on_selector_all("a[href], img[src], form[action]", _ADDRESSES)
            assert links
            for link in links:
                assert link.startswith(shown.url), link
                assert page.request.get(link).status in (200, 405), link

        # a form leads back
        page.goto(f"{shown.url}/jobs/{job.id}")
        page.get_by_role("link", name="Annotate").click()
        page.get_by_label("Name").fill("spring")
        page.get_by_role("button", name="Make it").click()
        expect(page.locator("#morph-name")).to_have_text("まばたき")
        assert page.url == f"{shown.url}/annotate/spring/"
        page.keyboard.press("Enter")
        servers.wait_until(lambda: page.evaluate("!inspection.page.store.saving"), "the decision being kept")
        page.locator("#home").click()
        expect(page.get_by_role("heading", name="Collections")).to_be_visible()
        # without its last stroke, the framework's own redirect
        page.goto(f"{shown.url}/annotate/spring")
        expect(page.locator("#morph-name")).to_have_text("まばたき")

        # the documentation, which tries routes out
        page.goto(f"{shown.url}/docs")
        expect(page.get_by_text("/v1/totals")).to_be_visible()
        page.get_by_text("/v1/totals").click()
        page.get_by_role("button", name="Try it out").click()
        page.get_by_role("button", name="Execute").click()
        expect(page.locator(".request-url").first).to_contain_text("/some/farm/v1/totals")
        expect(page.locator(".responses-table.live-responses-table .response-col_status").last).to_contain_text("200")

        page.goto(shown.url)
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        assert page.url == f"{shown.url}/sign-in"


def test_a_probe_that_asks_without_the_path_is_answered(shown: Shown) -> None:
    assert httpx.get(f"{shown.url}/readyz", trust_env=False).is_success


_ADDRESSES = "(all) => all.map((one) => one.href || one.src || one.action).filter((one) => !one.includes('#'))"
_ALL_SHOWN = "[...document.images].every((image) => image.complete && image.naturalWidth)"
"""Asked again and again from here: a page's policy forbids the browser to wait for it by itself."""
