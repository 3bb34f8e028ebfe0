"""The page for annotation on a running farm, in a real Chromium and with the keyboard alone."""

import re
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from farm.dataset.manifest import MANIFEST
from tests.api.annotation.conftest import Farm, look_away, sign_in
from tests.support import servers
from tests.support.browser import page_of

_DRAWN_MS = 120_000
STALE = re.compile("status of 412")
"""What a browser says by itself when the farm refuses a change."""
UNKNOWN = re.compile("status of 401")
"""And when it asks for a key."""

NEW = {"If-Match": '"0"'}
"""For what nobody has decided before."""


def record_of(farm: Farm, model: str) -> dict[str, Any]:
    with farm.client("rita") as rita:
        return dict(rita.get(f"/v1/annotations/models/{farm.models[model]}").json()["record"])


def saved(page: Page) -> None:
    """What is decided is kept. Asked from here: the page's policy lets no string be evaluated that would wait in it."""
    servers.wait_until(lambda: page.evaluate("!inspection.page.store.saving"), "what was decided being kept")


@pytest.mark.blender
def test_two_characters_are_annotated_from_nothing_to_a_rendered_batch(browser: Browser, farm: Farm) -> None:
    with (
        servers.worker_process(farm.folder / "worker", farm.environment),
        page_of(browser, farm.url, allowed=UNKNOWN) as page,
    ):
        # GIVEN a farm with two characters that nobody has looked at: WHEN a collection of them is made
        sign_in(page, "anna", "/annotate")
        expect(page.get_by_text("No collection yet.")).to_be_visible()
        page.keyboard.type("spring")
        page.keyboard.press("Enter")

        # THEN its pictures are drawn by a worker, and the page says how far that is
        expect(page.locator("#drawing-text")).to_contain_text("of 37 drawn", timeout=_DRAWN_MS)
        expect(page.locator("#drawing")).to_be_hidden(timeout=_DRAWN_MS)
        expect(page.locator("#effect")).to_have_text("At weight 1 it closes both eyes.")
        expect(page.locator("#morph-reading")).to_have_text("mabataki")
        assert page.evaluate("document.querySelector('#after').width") > 0
        expect(page.locator("#unusable")).to_be_hidden()

        # WHEN one name is decided for both, and each is looked at
        page.keyboard.press("g")
        expect(page.locator("#outer-0")).to_contain_text("2 models")
        page.keyboard.press("Enter")
        expect(page.locator("#progress-text")).to_have_text("1 of 30 names decided")
        page.keyboard.press("m")
        page.keyboard.press("Enter")  # momo: まばたき
        page.keyboard.press("x")  # 笑い
        page.keyboard.press("c")  # あ
        page.keyboard.type("mouth u")
        page.keyboard.press("Enter")
        page.keyboard.press("x")
        page.keyboard.press("u")
        expect(page.locator("#morph-name")).to_have_text("い")
        page.keyboard.press("n")
        page.keyboard.press("Shift+Enter")  # nagi: all as proposed
        expect(page.locator("#progress-text")).to_have_text("33 of 35 decided")
        saved(page)

        # THEN the rule is shown before it is rendered
        page.keyboard.press("s")
        expect(page.locator("#saving-text")).to_contain_text("Of 2 models 1 has more than 5 target morphs")
        expect(page.locator("#saving-list")).to_contain_text("2 target morphs: 20 samples")
        page.keyboard.press("Shift+Tab")
        page.keyboard.type("1")
        page.keyboard.press("Enter")
        expect(page.locator("#status")).to_contain_text("2 models are being rendered")
        page.keyboard.press("b")
        expect(page.get_by_role("heading", name=re.compile("spring"))).to_be_visible()
        expect(page.locator(".badge", has_text="done").first).to_be_visible(timeout=_DRAWN_MS)
        batch = page.url.rpartition("/")[2]

        # AND the results play what was decided
        with farm.client("rita") as rita:
            servers.wait_until(lambda: rita.get(f"/v1/batches/{batch}").json()["ended"], "the batch ending")
            jobs = {job["name"]: job["id"] for job in rita.get(f"/v1/batches/{batch}/jobs").json()["jobs"]}
            momo = rita.get(f"/v1/jobs/{jobs['もも']}/files/{MANIFEST}").json()
            nagi = rita.get(f"/v1/jobs/{jobs['凪']}/files/{MANIFEST}").json()
    playing = {target: (ref["name"] if isinstance(ref, dict) else ref[1]) for target, ref in momo["annotation"].items()}
    assert playing == {"eye/closed/both": "まばたき", "mouth/u": "あ"}
    assert len(nagi["annotation"]) > 20
    assert [ref["name"] for ref in record_of(farm, "momo")["idle"]] == ["笑い"]


def test_who_is_slower_is_told_and_loses_nothing(browser: Browser, farm: Farm) -> None:
    address = farm.collect("spring", "momo")
    with page_of(browser, farm.url, allowed=re.compile(f"{STALE.pattern}|{UNKNOWN.pattern}")) as page:
        sign_in(page, "anna", address)
        expect(page.locator("#morph-name")).to_have_text("まばたき")

        # GIVEN that ben decides about the same model while anna's page is open
        look_away(page)
        with farm.client("ben") as ben:
            said = {"verdicts": {"mouth/a": {"status": "confirmed", "morph": "あ"}}}
            path = f"/v1/annotations/models/{farm.models['momo']}"
            assert ben.put(path, json=said, headers=NEW).status_code == 200
        # WHEN anna decides on what she sees
        page.keyboard.press("Enter")

        # THEN she is told who did what, and what of hers is not saved
        expect(page.locator("#conflict-text")).to_contain_text("ben set mouth/a to 'あ', confirmed")
        expect(page.locator("#conflict-list")).to_contain_text("まばたき of もも: eye/closed/both")
        assert list(record_of(farm, "momo")["verdicts"]) == ["mouth/a"]
        page.keyboard.press("Escape")
        expect(page.locator("#unsaved")).to_contain_text("1 decision is not saved")
        expect(page.locator("#outer-0")).to_contain_text("not saved")

        # WHEN she puts it over the new version, THEN both stand
        page.keyboard.press("r")
        page.keyboard.press("Enter")
        expect(page.locator("#unsaved")).to_be_hidden()
        saved(page)
        expect(page.locator("#progress-text")).to_have_text("2 of 5 decided")
    verdicts = record_of(farm, "momo")["verdicts"]
    assert {target: verdict["who"] for target, verdict in verdicts.items()} == {
        "eye/closed/both": "anna",
        "mouth/a": "ben",
    }


def test_what_others_decide_appears_and_a_name_is_not_overwritten(browser: Browser, farm: Farm) -> None:
    address = farm.collect("spring", "momo", "nagi")
    with page_of(browser, farm.url, allowed=re.compile(f"{STALE.pattern}|{UNKNOWN.pattern}")) as page:
        sign_in(page, "anna", address)
        expect(page.locator("#morph-name")).to_have_text("まばたき")
        page.keyboard.press("g")
        expect(page.locator("#progress-text")).to_have_text("0 of 30 names decided")
        first = page.evaluate("inspection.page.collection.names[0].id")
        second = page.evaluate("inspection.page.collection.names[1].id")
        rows = "/v1/annotations/collections/spring/rows"
        with farm.client("ben") as ben:
            # WHEN ben decides, THEN anna's page shows it by itself
            assert ben.put(f"{rows}/{first}", json={"target": "mouth/o"}, headers=NEW).status_code == 200
            expect(page.locator("#outer-0")).to_contain_text("✓")
            expect(page.locator("#outer-0")).to_contain_text("mouth/o")

            # WHEN both decide about the next name, and anna's page cannot know yet
            page.evaluate("inspection.page.collection.names[1].busy = true")
            assert ben.put(f"{rows}/{second}", json={"target": None}, headers=NEW).status_code == 200
        page.evaluate("inspection.page.collection.names[1].busy = false")
        page.keyboard.press("j")
        page.keyboard.press("n")
        page.keyboard.press("Enter")

        # THEN nothing of ben's is lost, and anna may take it
        expect(page.locator("#conflict-text")).to_contain_text("ben")
        page.keyboard.press("t")
        expect(page.locator("#outer-1")).to_contain_text("plays nothing")
        expect(page.locator("#unsaved")).to_be_hidden()


def test_who_may_only_look_sees_all_and_decides_nothing(browser: Browser, farm: Farm) -> None:
    address = farm.collect("spring", "momo")
    with page_of(browser, farm.url, allowed=UNKNOWN) as page:
        sign_in(page, "rita", address)
        expect(page.locator("#morph-name")).to_have_text("まばたき")
        expect(page.locator("#drawing-text")).to_contain_text("The pictures of 1 of 1 model are not drawn")

        page.keyboard.press("Enter")

        expect(page.locator("#status")).to_contain_text("needs the role annotate")
        expect(page.locator("#progress-text")).to_have_text("0 of 5 decided")
        page.goto("/annotate")
        expect(page.get_by_role("link", name="spring")).to_be_visible()
        expect(page.get_by_role("button", name="Make it")).to_have_count(0)
    assert record_of(farm, "momo")["version"] == 0
