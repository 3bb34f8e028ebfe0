"""Who sees and presses what on the operators' page: signing in, roles, and requests from other sites."""

from urllib.parse import urljoin

import httpx
import pytest
from playwright.sync_api import Browser, expect

from farm.keys import Role, new_key
from tests.api.pages.farm import KEYS, WORKER, Farm, sign_in
from tests.support.browser import page_of


def test_whoever_has_no_key_is_asked_for_one_and_led_on(guarded: Farm, browser: Browser) -> None:
    batch = guarded.submit("miku", name="vol. 1")
    with browser.new_context(base_url=guarded.url) as context:
        page = context.new_page()
        answer = page.goto(f"/batches/{batch}?state=queued")
        assert answer is not None
        assert answer.status == 401
        assert "vol. 1" not in page.content()

        sign_in(page, new_key())
        expect(page.get_by_role("alert")).to_contain_text("The farm does not know this key.")
        sign_in(page, KEYS[Role.OPERATE])

        expect(page).to_have_url(f"{guarded.url}/batches/{batch}?state=queued")
        expect(page.get_by_role("button", name="Cancel vol. 1")).to_be_visible()
        page.get_by_role("button", name="Sign out").click()
        expect(page.get_by_label("API key")).to_be_visible()
        page.goto("/")
        expect(page.get_by_label("API key")).to_be_visible()


def test_a_link_on_another_site_leads_to_the_page_for_whoever_is_signed_in(guarded: Farm, browser: Browser) -> None:
    batch = guarded.submit("miku", name="vol. 1")
    with browser.new_context(base_url=guarded.url) as context:
        page = context.new_page()
        page.goto("/sign-in")
        sign_in(page, KEYS[Role.READ])
        expect(page.get_by_role("button", name="Sign out")).to_be_visible()

        page.goto(f"data:text/html,<a href={guarded.url}/batches/{batch}>here</a>")
        page.get_by_role("link", name="here").click()

        expect(page.get_by_role("heading", name="vol. 1")).to_be_visible()


@pytest.mark.parametrize(
    "leads_to", ["//evil.test/x", "https://evil.test//evil.test", "/\\evil.test", "javascript:alert(1)"]
)
def test_signing_in_leads_to_no_other_site(guarded: Farm, leads_to: str) -> None:
    answer = httpx.post(
        f"{guarded.url}/sign-in", data={"key": KEYS[Role.READ], "leads_to": leads_to},
        headers={"Sec-Fetch-Site": "same-origin"}, trust_env=False,
    )  # fmt: skip

    assert answer.status_code == 303
    assert urljoin(f"{guarded.url}/sign-in", answer.headers["location"]) in (f"{guarded.url}/", f"{guarded.url}/x")
    assert "httponly" in answer.headers["set-cookie"].lower()


@pytest.mark.parametrize(
    ("role", "buttons"),
    [
        (Role.READ, []),
        (Role.ANNOTATE, []),
        (Role.SUBMIT, ["Pause", "Cancel…"]),
        (Role.OPERATE, ["Pause", "Priority 0", "Cancel…", "Drain"]),
    ],
)
def test_a_key_sees_the_buttons_that_it_may_press(
    guarded: Farm, browser: Browser, role: Role, buttons: list[str]
) -> None:
    guarded.connection.redis.flushdb()
    guarded.submit("miku", name="vol. 1")
    guarded.workers.register(WORKER, 1)
    with page_of(browser, guarded.url) as page:
        page.goto("/sign-in")
        sign_in(page, KEYS[role])

        expect(page.get_by_role("link", name="vol. 1")).to_be_visible()
        assert page.locator("section td button:visible").all_inner_texts() == buttons


def test_a_post_without_the_role_or_from_another_site_is_refused(guarded: Farm) -> None:
    batch = guarded.submit("miku")

    def post(path: str, role: Role, site: str) -> int:
        with httpx.Client(base_url=guarded.url, trust_env=False) as browser:
            browser.post("/sign-in", data={"key": KEYS[role]}, headers={"Sec-Fetch-Site": "same-origin"})
            assert browser.cookies
            return browser.post(path, headers={"Sec-Fetch-Site": site}).status_code

    assert post(f"/batches/{batch}/pause", Role.READ, "same-origin") == 403
    assert post(f"/workers/{WORKER}/drain", Role.SUBMIT, "same-origin") == 403
    assert post(f"/batches/{batch}/pause", Role.OPERATE, "cross-site") == 403
    assert post("/sign-out", Role.OPERATE, "cross-site") == 403
    assert not guarded.jobs.batch(batch).paused
    assert post(f"/batches/{batch}/pause", Role.SUBMIT, "same-origin") == 403  # the batch is somebody else's
    assert not guarded.jobs.batch(batch).paused
    assert post(f"/batches/{batch}/pause", Role.OPERATE, "same-origin") == 303
    assert guarded.jobs.batch(batch).paused


def test_after_an_action_one_is_led_back_to_ones_own_page_only(farm: Farm) -> None:
    batch = farm.submit("miku")

    def led_to(referer: str) -> str:
        answer = httpx.post(f"{farm.url}/batches/{batch}/pause", headers={"Referer": referer}, trust_env=False)
        return str(answer.headers["location"])

    assert led_to(f"{farm.url}/?state=active") == f"/?state=active#batch-{batch}"
    assert led_to("http://evil.test//evil.test/x") == f"/batches/{batch}#batch-{batch}"
    assert led_to("") == f"/batches/{batch}#batch-{batch}"
