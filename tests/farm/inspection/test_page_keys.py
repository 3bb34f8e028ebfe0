"""The page for inspection by keyboard: where the focus is, and what is said of what cannot be."""

import json
import re
from pathlib import Path

from playwright.sync_api import Browser, Page, Route, expect

from farm.inspection.page import script
from tests.farm.inspection.paging import Collection
from tests.support.browser import page_of

BLINK, VOWEL = "まばたき", "あ"
LEFT = "eye/closed/left"
MISSING = re.compile("ERR_FAILED|ERR_FILE_NOT_FOUND")
"""What a browser says by itself of what is not there."""


def focused(page: Page) -> str:
    return str(page.evaluate("document.activeElement.id || document.activeElement.tagName"))


def test_a_target_that_the_evidence_rules_out_is_told_whenever_it_is_given(
    browser: Browser, collection: Collection
) -> None:
    # GIVEN an eye that closes on both sides, a mouth, and what changes nothing
    collection.add("one", (BLINK, "eye", "eye/closed/both", "both"), (VOWEL, "mouth", "mouth/a", "both"))
    collection.add("two", (BLINK, "eye", None, ""), ("ω", "mouth", None, "both"))
    with page_of(browser, "file:///") as page:
        page.goto(collection.write())
        status, verdict, row = map(page.locator, ("#status", "#verdict", "#inner-0"))

        def give(target: str) -> None:
            page.keyboard.press("c")
            page.keyboard.type(target)
            page.keyboard.press("Enter")

        # WHEN it is given a target of another part, THEN that is said at once, in the list, and wherever it is shown
        give("mouth/i")
        expect(status).to_have_text(
            f"{BLINK}: mouth/i. But it changes nothing at the mouth; your word counts, u takes it back."
        )
        page.keyboard.press("k")
        expect(verdict).to_have_text("Decided: mouth/i. But it changes nothing at the mouth.")
        expect(verdict).to_have_class("against")
        expect(row).to_contain_text("but changes nothing at the mouth")

        # or of one side, WHEN it moves both
        give(LEFT)
        expect(status).to_contain_text("But it changes both sides")

        # WHEN one takes another's target, THEN who loses it is told
        give("eye/closed/both")  # あ, the next
        expect(status).to_contain_text("But it changes nothing at the eyes")
        page.keyboard.press("p")
        page.keyboard.press("j")
        give(LEFT)
        expect(status).to_contain_text(f"{BLINK} plays nothing now.")

        # WHEN what changes nothing is to play, as the next model's first, THEN it does not
        give(LEFT)
        expect(status).to_have_text(f"{BLINK} changes nothing that is seen: it cannot play {LEFT}. x says so.")
        expect(page.locator("#progress-text")).to_have_text("2 of 4 decided")

        # AND for all of a name: nothing plays it, and why
        page.keyboard.press("g")
        give("mouth/o")
        expect(status).to_contain_text("in 0 models. Nothing plays it: the first because it changes nothing")


def test_what_pictures_show_nothing_of_is_proposed_for_nothing_once_they_are_there(
    browser: Browser, collection: Collection, tmp_path: Path
) -> None:
    # GIVEN a page that knows from the file alone that a morph moves both eyes, as a farm's does before pictures are drawn
    second = (f"{BLINK}２", "eye", "eye/closed/both", "both")
    for name in ("one", "two"):
        collection.add(name, (BLINK, "eye", None, ""), second, (VOWEL, "mouth", "mouth/a", "both"))
    url, data = collection.write(), tmp_path / "page" / "data" / "index.js"
    value = json.loads(json.loads(data.read_text("utf-8").partition(", ")[2].removesuffix(");\n")))
    for model in value["models"]:
        for morph in model["morphs"]:
            morph[3] = "both"
        model["morphs"][0][2], model["morphs"][1][2] = model["morphs"][1][2], -1
    data.write_text(script("collection", value), "utf-8")
    with page_of(browser, "file:///") as page:
        page.goto(url)

        # WHEN the pictures come, THEN it is not proposed, the next that fits is, and confirming all gives it nothing
        expect(page.locator("#verdict")).to_have_text("Not proposed for any target.")
        expect(page.locator("#inner-1")).to_contain_text("eye/closed/both")
        page.keyboard.press("n")
        page.keyboard.press("Shift+Enter")
        expect(page.locator("#progress-text")).to_have_text("3 of 6 decided")
        page.keyboard.press("p")
        expect(page.locator("#inner-0")).to_contain_text("plays nothing")


def test_who_types_no_target_is_told_so(browser: Browser, collection: Collection) -> None:
    collection.add("one", (BLINK, "eye", None, "both"))
    with page_of(browser, "file:///") as page:
        page.goto(collection.write())
        page.keyboard.press("c")
        page.keyboard.type("nose")
        page.keyboard.press("Enter")

        expect(page.locator("#picker-note")).to_contain_text("No target is called so")
        expect(page.locator("#picker")).to_be_visible()
        for _ in "nose":
            page.keyboard.press("Backspace")
        expect(page.locator("#picker-note")).to_be_empty()
        page.keyboard.press("Escape")
        expect(page.locator("#progress-text")).to_have_text("0 of 1 decided")


def test_focus_stays_in_a_dialog_and_goes_back_to_where_it_was(browser: Browser, collection: Collection) -> None:
    collection.add("one", (BLINK, "eye", "eye/closed/both", "both"))
    with page_of(browser, "file:///") as page:
        page.goto(collection.write())
        expect(page.locator("#effect")).to_contain_text("changes the face")
        for opener, key, dialog in (("save", "s", "saving"), ("help", "?", "keys"), ("change", "c", "picker")):
            for by_key in (False, True):
                # GIVEN a button that was come to by Tab
                page.locator(f"#{opener}").focus()
                # WHEN the dialog is opened by it, or by its key
                page.keyboard.press(key if by_key else "Enter")
                expect(page.locator(f"#{dialog}")).to_be_visible()
                # THEN Tab goes round in it, either way
                for way in ("Tab", "Shift+Tab"):
                    stops = []
                    for _ in range(12):
                        page.keyboard.press(way)
                        stops.append(focused(page))
                    assert page.evaluate(f"document.querySelector('#{dialog}').contains(document.activeElement)")
                    assert "BODY" not in stops, (dialog, way, stops)
                # AND Escape leaves it, and the focus is where it was
                page.keyboard.press("Escape")
                expect(page.locator(f"#{dialog}")).to_be_hidden()
                assert focused(page) == opener


def test_a_button_by_keyboard_keeps_the_focus_and_a_click_gives_it_back_to_the_keys(
    browser: Browser, collection: Collection
) -> None:
    collection.add("one", *((f"{BLINK}{number}", "eye", None, "both") for number in range(4)))
    with page_of(browser, "file:///") as page:
        page.goto(collection.write())
        page.locator("#reject").focus()
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")
        expect(page.locator("#progress-text")).to_have_text("2 of 4 decided")
        assert focused(page) == "reject"

        page.locator("#reject").click()
        assert focused(page) == "BODY"
        expect(page.locator("#progress-text")).to_have_text("3 of 4 decided")


def test_a_whole_model_is_confirmed_once_its_pictures_are_there(
    browser: Browser, collection: Collection, tmp_path: Path
) -> None:
    # GIVEN pictures of the first model that come late, and of the second that never come
    mouth = (VOWEL, "mouth", "mouth/a", "both")
    late, never = collection.add("late", mouth, mouth), collection.add("never", mouth)
    collection.add("third", mouth)
    with page_of(browser, "file:///", allowed=MISSING) as page:
        held: list[Route] = []
        page.route(f"**/data/{late}.js", lambda route: held.append(route))
        page.route(f"**/data/{never}.js", lambda route: route.abort())
        page.goto(collection.write(), wait_until="commit")  # what is held belongs to what it loads
        expect(page.locator("#outer-0")).to_contain_text("late")
        progress, status = page.locator("#progress-text"), page.locator("#status")

        # WHEN all of it is confirmed, twice by an impatient hand
        page.keyboard.press("Shift+Enter")
        page.keyboard.press("Shift+Enter")

        # THEN nothing is decided until they are there; then it is, once, and the next model is shown
        expect(status).to_have_text("The pictures of late are on their way.")
        expect(progress).to_have_text("0 of 4 decided")
        held[0].continue_()
        expect(progress).to_have_text("2 of 4 decided")
        expect(page.locator("#outer-1")).to_have_attribute("aria-selected", "true")

        # WHEN they cannot come, THEN nothing is confirmed by the dozen, and why is said
        page.keyboard.press("Shift+Enter")
        expect(status).to_contain_text("Nothing is confirmed: the pictures of never cannot be shown")
        expect(page.locator("#outer-1")).to_have_attribute("aria-selected", "true")
        page.keyboard.press("Enter")
        expect(progress).to_have_text("3 of 4 decided")
