"""The operators' page without scripts, on a telephone, out of date, and with names that are meant to harm."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from farm.process import spawn
from farm.stack import free_port
from farm.valkey import valkey_command
from tests.api.pages.farm import Farm, start
from tests.support import servers
from tests.support.browser import page_of

HOSTILE = "<script>document.title='stolen'</script><img src=x onerror=alert(1)>"


def test_a_name_that_is_html_is_shown_as_it_is(farm: Farm, page: Page) -> None:
    batch = farm.submit(HOSTILE, name=HOSTILE)
    job = farm.take()
    for path in ("/", f"/?{httpx.QueryParams(name=HOSTILE)}", f"/batches/{batch}", f"/jobs/{job.id}"):
        page.goto(path)

        expect(page.get_by_text(HOSTILE).first).to_be_visible()
        assert page.title() != "stolen"

    # WHEN it comes in by the script's update
    farm.finish(job)

    expect(page.get_by_role("heading", level=1)).to_contain_text("done")
    assert page.title() == f"{HOSTILE} · Facefarm"
    assert page.locator("main script, main img[src=x]").count() == 0


@pytest.mark.parametrize("path", ["/", "/batches/{batch}", "/jobs/{batch}-0", "/batches/0123456789abcdef"])
def test_every_page_forbids_foreign_code_and_frames(farm: Farm, path: str) -> None:
    batch = farm.submit("miku")

    answer = httpx.get(farm.url + path.format(batch=batch), trust_env=False)

    policy = dict(part.split(maxsplit=1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'" == policy["frame-ancestors"]
    assert policy["script-src"] == "'self'" == policy["style-src"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    own = re.findall(r'(?:src|href|action)="(https?:)?//', answer.text.partition("</header>")[2])
    assert own == []
    assert not re.search(r"<script>|<style|style=|onclick=", answer.text)


def test_what_is_not_there_is_a_page_that_says_so(farm: Farm) -> None:
    for path in ("/batches/0123456789abcdef", "/jobs/0123456789abcdef-0", "/batches/nonsense", "/static/nothing"):
        answer = httpx.get(farm.url + path, trust_env=False)

        assert answer.status_code in (404, 422)
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert 'role="alert"' in answer.text


def test_the_page_works_without_javascript(farm: Farm, browser: Browser) -> None:
    batch = farm.submit("miku", name="vol. 1")
    with page_of(browser, farm.url, javascript=False) as page:
        page.goto("/")
        page.get_by_role("button", name="Pause vol. 1").click()
        expect(page.locator(f"#batch-{batch}")).to_contain_text("paused")
        page.get_by_role("button", name="Cancel vol. 1").click()
        page.get_by_role("button", name="Cancel the batch").click()
        expect(page.locator(f"#batch-{batch}")).to_contain_text("cancelled")
        page.get_by_role("link", name="vol. 1").click()
        expect(page.get_by_role("heading", name="vol. 1")).to_be_visible()


def test_nothing_needs_scrolling_sideways_on_a_telephone(farm: Farm, page: Page) -> None:
    batch = farm.submit("a-name-of-a-model-without-any-space-in-it-" * 4, name="無名" * 40)
    farm.workers.register("worker@a-machine-with-quite-a-long-name.in-some.domain.example", 1)
    page.set_viewport_size({"width": 360, "height": 740})
    for path in ("/", f"/batches/{batch}", f"/jobs/{batch}-0"):
        page.goto(path)

        assert page.evaluate("document.documentElement.scrollWidth") <= 360


@contextmanager
def valkey_on(port: int, folder: Path) -> Iterator[None]:
    """A server that can go and come back."""
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(folder)]
    process = spawn([*valkey_command(), *options], folder / "valkey.log")
    try:
        yield
    finally:
        servers.end(process)


def test_the_page_says_when_it_is_out_of_date_and_catches_up(browser: Browser, tmp_path: Path) -> None:
    port = free_port()
    environment, store, connection = start(tmp_path, f"redis://127.0.0.1:{port}/0")
    with servers.api_server(tmp_path, environment) as api, browser.new_context(base_url=api.url) as context:
        page = context.new_page()
        farm = Farm(api.url, store, connection, tmp_path)

        # GIVEN a page that was opened while Redis was away
        answer = page.goto("/")
        assert answer is not None
        assert answer.status == 503
        expect(page.get_by_role("alert")).to_contain_text("Redis")

        # WHEN Redis comes, it shows the farm
        with valkey_on(port, tmp_path):
            expect(page.get_by_text("No batch yet.")).to_be_visible()
            page.reload()

        # WHEN Redis goes, the page stays and says so
        told = page.locator("#stale")
        expect(told).to_contain_text("Redis")
        expect(page.get_by_text("No batch yet.")).to_be_visible()

        # WHEN it is back, so is the news
        with valkey_on(port, tmp_path):
            expect(told).to_be_hidden()
            batch = farm.submit("miku")
            expect(page.locator(f"#batch-{batch}")).to_be_visible()

            # WHEN the API goes
            servers.end(api.process)
            expect(told).to_contain_text("The farm does not answer.")
