"""A real Chromium for tests of pages."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, ConsoleMessage, HttpCredentials, Page, expect, sync_playwright

_FLAGS = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
)  # fmt: skip
_PATIENCE_MS = 30_000
"""For what a page should show in a moment, on a machine that has other things to do."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """The browser, without a window. Skips the test where none is installed."""
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("Chromium is not installed: apt-get install --no-install-recommends chromium")
    expect.set_options(timeout=_PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=_FLAGS)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(
    browser: Browser,
    url: str,
    javascript: bool = True,
    allowed: re.Pattern[str] | None = None,
    login: tuple[str, str] | None = None,
) -> Iterator[Page]:
    """A page of a browser that has never been here; relative addresses are those of `url`.

    `login` is what it says when it is asked for a user and a password. What it complains about (errors of scripts, refused by
    the policy, not found) fails the test, but for what is `allowed`.
    """
    complaints: list[str] = []
    who = HttpCredentials(username=login[0], password=login[1]) if login else None
    with browser.new_context(base_url=url, java_script_enabled=javascript, http_credentials=who) as context:
        context.set_default_timeout(_PATIENCE_MS)
        page = context.new_page()
        page.on("console", lambda said: complaints.append(_told(said)) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        yield page
    assert [text for text in complaints if allowed is None or not allowed.search(text)] == []


def _told(said: ConsoleMessage) -> str:
    return f"{said.text} {said.location.get('url', '')}".strip()
