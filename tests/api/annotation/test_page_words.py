"""What the page of a running farm says before anything is drawn, of who was faster, and of what would be rendered."""

import re

from playwright.sync_api import Browser, expect

from tests.api.annotation.conftest import Farm, look_away, sign_in
from tests.api.annotation.test_page import NEW, STALE, UNKNOWN, saved
from tests.support.browser import page_of


def test_the_page_says_what_stands_and_what_would_be_rendered(browser: Browser, farm: Farm) -> None:
    address = farm.collect("spring", "momo", "nagi")
    with page_of(browser, farm.url, allowed=re.compile(f"{STALE.pattern}|{UNKNOWN.pattern}")) as page:
        # GIVEN two characters of which nothing is drawn or decided: THEN that is said
        saving = page.locator("#saving-text")
        sign_in(page, "anna", address)
        expect(page.locator("#morph-name")).to_have_text("まばたき")
        expect(page.locator("#effect")).to_contain_text(
            "what is proposed is by its file alone, and they may say otherwise"
        )
        expect(page.locator("#inner-note")).to_contain_text("none confirmed")
        page.keyboard.press("s")
        expect(saving).to_contain_text("Nothing is confirmed yet: there is nothing to render.")
        expect(page.locator("#saving-go")).to_be_disabled()
        page.keyboard.press("Escape")

        # WHEN a name is confirmed for both, THEN nobody else is said to play its target
        page.keyboard.press("g")
        expect(page.locator("#outer-0")).to_contain_text("2 models")
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text("あ: mouth/a, in 2 models.")
        saved(page)
        page.keyboard.press("m")
        expect(page.locator("#inner-2")).to_contain_text("mouth/a")
        expect(page.locator("#inner-2")).not_to_contain_text("is not the one of its model")

        # AND what would be rendered is counted by what is confirmed of a model itself: one, once it is
        for _ in range(2):
            page.keyboard.press("j")
        expect(page.locator("#morph-name")).to_have_text("あ")
        page.keyboard.press("Enter")
        saved(page)
        page.keyboard.press("s")
        expect(saving).to_contain_text("Of 1 model none has more than 5 target morphs: 20 samples each.")
        expect(saving).to_contain_text("Something is confirmed of 1 model, which is rendered.")
        expect(page.locator("#saving-list")).to_contain_text("nothing is confirmed: not rendered")
        page.keyboard.press("Escape")

        # WHEN ben was faster, THEN the model is called by its name
        page.keyboard.press("n")
        expect(page.locator("#outer-1")).to_have_attribute("aria-selected", "true")
        look_away(page)
        with farm.client("ben") as ben:
            said = {"verdicts": {"mouth/a": {"status": "confirmed", "morph": "あ"}}}
            path = f"/v1/annotations/models/{farm.models['nagi']}"
            assert ben.put(path, json=said, headers=NEW).status_code == 200
        page.keyboard.press("Enter")
        expect(page.locator("#conflict-text")).to_contain_text("ben")
        expect(page.locator("#conflict-text")).to_contain_text("凪")
        expect(page.locator("#conflict-text")).not_to_contain_text(farm.models["nagi"])
