"""The page for inspection in a real browser, from the disk and with the keyboard alone."""

import csv
import re
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from farm.dataset.output import read_output
from farm.errors import FarmError
from farm.inspection import page as pages
from farm.inspection.record import DrawnInspection, Inspection, picture_version
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from farm.morphs.cells import as_written
from tests.farm.cli.command import farm
from tests.farm.inspection.paging import DOT, Collection
from tests.support.browser import page_of
from tests.support.fixtures import read_mascot

HOSTILE = "<img src=x onerror=alert(1)>"


def test_a_folder_of_something_else_is_not_written_into(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("the only copy")

    with pytest.raises(FarmError, match="name a new folder"):
        pages.InspectionPage(tmp_path)

    assert [path.name for path in tmp_path.iterdir()] == ["thesis.txt"]


def test_pictures_of_another_version_or_by_half_are_drawn_again(tmp_path: Path) -> None:
    page = pages.InspectionPage(tmp_path / "page")
    record = Inspection(version=picture_version(), model="a", size=8, head=(0, 0, 8, 8), sprite=(8, 8), morphs=[])

    assert page.kept("a") is None
    page.keep(DrawnInspection(record, DOT))
    assert page.kept("a") == record
    (tmp_path / "page" / "pictures" / "a.webp").unlink()
    assert page.kept("a") is None
    page.keep(DrawnInspection(record.model_copy(update={"version": "0"}), DOT))
    assert page.kept("a") is None


@pytest.mark.blender
def test_a_page_that_is_interrupted_shows_what_is_drawn_and_says_how_far_it_is(
    mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN more characters than are drawn in a moment, and nobody at a terminal
    for number in range(40):
        folder = tmp_path / "models" / f"{number:02}"
        shutil.copytree(mascots["momo"].parent, folder)
        model = folder / mascots["momo"].name
        character = read_character(".pmx", model.read_bytes())
        model.write_bytes(pmx_bytes(replace(character, name_en=f"momo {number}")))
    out = tmp_path / "page"
    command = [sys.executable, "-m", "farm", "annotate", str(tmp_path / "models"), "--html", str(out)]

    # WHEN it is interrupted after the first
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        first = next(line for line in process.stderr if line.startswith("drawn"))
        process.send_signal(signal.SIGINT)
        rest = process.stderr.read()
    assert process.returncode not in (0, 1)

    # THEN it has said so, and the page has what was drawn
    assert "momo: 5 morphs; 1 model so far" in first
    assert re.search(r"has (1 model that is|\d+ models that are) drawn", rest)
    assert (out / "index.html").is_file()
    assert 1 <= len(list((out / "data").glob("?" * 64 + ".js"))) < 40


def download(page: Page, to: Path) -> Path:
    page.keyboard.press("s")
    with page.expect_download() as found:
        page.keyboard.press("Enter")
    found.value.save_as(to)
    return to


def state_of(page: Page, row: int) -> str:
    return page.locator(f"#inner-{row} .text").inner_text()


@pytest.mark.blender
def test_two_characters_are_annotated_with_the_keyboard_alone_and_rendered(
    browser: Browser, mascots: dict[str, Path], tmp_path: Path
) -> None:
    # GIVEN the page over two characters
    folder, out = mascots["nagi"].parent.parent, tmp_path / "page"
    done = farm("annotate", folder, "--html", out)
    assert done.returncode == 0, done.stderr
    drawn = {path: path.stat().st_mtime_ns for path in (out / "pictures").iterdir()}

    # WHEN it is written again, THEN no picture is drawn again
    assert farm("annotate", folder, "--html", out).returncode == 0
    assert {path: path.stat().st_mtime_ns for path in (out / "pictures").iterdir()} == drawn

    # WHEN a person decides, without a mouse
    with page_of(browser, "file:///") as page:
        page.goto((out / "index.html").as_uri())
        expect(page.locator("#effect")).to_contain_text("closes both eyes")
        expect(page.locator("#morph-reading")).to_have_text("mabataki")
        page.keyboard.press("Enter")  # momo: まばたき is what is proposed
        page.keyboard.press("j")  # 笑い stays open
        expect(page.locator("#morph-name")).to_have_text("あ")
        page.keyboard.press("c")
        page.keyboard.type("mouth u")
        page.keyboard.press("Enter")
        expect(page.locator("#morph-name")).to_have_text("い")
        page.keyboard.press("x")
        page.keyboard.press("x")
        page.keyboard.press("u")  # お is taken back
        expect(page.locator("#status")).to_have_text("Taken back.")
        expect(page.locator("#progress-text")).to_have_text("3 of 35 decided")
        page.keyboard.press("n")
        page.keyboard.press("Shift+Enter")  # nagi: all as proposed
        expect(page.locator("#progress-text")).to_have_text("33 of 35 decided")

        # THEN it is kept when the page is opened again, and the rule is shown before it is saved
        page.reload()
        expect(page.locator("#progress-text")).to_have_text("33 of 35 decided")
        page.keyboard.press("s")
        expect(page.locator("#saving-text")).to_contain_text("Of 2 models 1 has more than 5 target morphs")
        expect(page.locator("#saving-list")).to_contain_text("3 target morphs: 20 samples")
        page.keyboard.press("Escape")
        table = download(page, tmp_path / "mapping.csv")

    # AND a render takes it
    done = farm(
        "render", folder, "--mapping", table, "--out", tmp_path / "out", "--samples", 1, "--style", "flat", "--size", 64
    )
    assert done.returncode == 0, done.stderr
    annotations = {model.manifest.model.id: model.manifest.annotation for model in read_output(tmp_path / "out")}
    momo = {target: ref.name for target, ref in annotations[read_mascot(mascots, "momo").id].items()}
    assert momo == {"eye/closed/both": "まばたき", "eye/happy": "笑い", "mouth/u": "あ", "mouth/o": "お"}
    nagi = read_mascot(mascots, "nagi")
    assert annotations[nagi.id] == nagi.inventory.annotation


def test_a_name_is_decided_for_all_models_that_the_picture_lets_pass(
    browser: Browser, collection: Collection, tmp_path: Path
) -> None:
    # GIVEN a name that closes the other eye in one model, nothing in another, and stands twice in a third
    wink, left = "ウィンク２", "eye/closed/left"
    usual = collection.add("usual", (wink, "eye", left, "left"))
    swapped = collection.add("swapped", (wink, "eye", left, "right"))
    still = collection.add("still", (wink, "eye", left, ""))
    twice = collection.add("twice", (wink, "eye", left, "left"), (wink, "eye", None, "left"))
    with page_of(browser, "file:///") as page:
        page.goto(collection.write())

        # WHEN it is confirmed for all
        page.keyboard.press("g")
        page.keyboard.press("Enter")

        # THEN the exceptions are open and say why
        expect(page.locator("#status")).to_contain_text("in 2 models. Left open: 3 exceptions")
        assert "but changes the right side alone" in state_of(page, 1)
        assert "but changes nothing that is seen" in state_of(page, 2)

        # WHEN one of them is given the other side, and one is rejected
        page.keyboard.press("j")
        page.keyboard.press("Shift+C")
        page.keyboard.type("eye closed right")
        page.keyboard.press("Enter")
        page.keyboard.press("Shift+X")
        table = download(page, tmp_path / "mapping.csv")

    # THEN the table says for each model what was decided for it
    assert collection.annotation(table, usual) == {left: 0}
    assert collection.annotation(table, swapped) == {"eye/closed/right": 0}
    assert collection.annotation(table, still) == {}
    assert collection.annotation(table, twice) == {left: 0}


def test_a_target_has_one_morph_and_undo_gives_it_back(browser: Browser, collection: Collection) -> None:
    collection.add("one", ("あ", "mouth", "mouth/a", "both"), ("ワ", "mouth", None, "both"))
    with page_of(browser, "file:///") as page:
        page.goto(collection.write())
        page.keyboard.press("Enter")
        page.keyboard.press("c")
        page.keyboard.type("mouth/a")
        page.keyboard.press("Enter")
        assert "plays nothing" in state_of(page, 0)
        assert "mouth/a" in state_of(page, 1)

        page.keyboard.press("u")
        assert "mouth/a" in state_of(page, 0)
        page.keyboard.press("u")
        page.keyboard.press("u")
        expect(page.locator("#status")).to_have_text("There is nothing to undo.")
        expect(page.locator("#progress-text")).to_have_text("0 of 2 decided")


def test_a_model_that_would_not_be_rendered_says_why_and_the_next_one_does_not(
    browser: Browser, collection: Collection
) -> None:
    mouth = ("あ", "mouth", "mouth/a", "both")
    collection.add("away", mouth, unusable=(f"The face is covered: {HOSTILE}.", "The picture is empty."))
    collection.add("fine", mouth)
    with page_of(browser, "file:///") as page:
        page.goto(collection.write())
        unusable = page.locator("#unusable")

        expect(unusable).to_have_text(
            f"This model would not be rendered. The face is covered: {HOSTILE}. The picture is empty."
        )
        page.keyboard.press("n")
        expect(page.locator("#outer-1")).to_have_attribute("aria-selected", "true")
        expect(page.locator("#effect")).to_contain_text("changes the face")
        expect(unusable).to_be_hidden()


def test_hostile_names_are_text_and_formulas_are_defused(
    browser: Browser, collection: Collection, tmp_path: Path
) -> None:
    formulas = ("=1+1", "＝２", "＠SUM", "-1", "'=3", "\t=4")
    model = collection.add(
        HOSTILE,
        *((name, "mouth", "mouth/a" if name == "=1+1" else None, "both") for name in formulas),
        (f'{HOSTILE},"\n', "mouth", None, "both"),
    )
    with page_of(browser, "file:///") as page:
        page.goto(collection.write())
        expect(page.locator("#outer-0")).to_contain_text(HOSTILE)
        page.keyboard.press("Shift+Enter")
        table = download(page, tmp_path / "mapping.csv")

    with table.open(newline="", encoding="utf-8-sig") as file:
        written = [row["source_morph"] for row in csv.DictReader(file)]
    assert written == [*(f"'{name}" for name in formulas), f'{HOSTILE},"\n']
    assert [as_written(cell) for cell in written[:-1]] == list(formulas)
    assert collection.annotation(table, model) == {"mouth/a": 0}


def test_keys_are_answered_at_once_with_a_hundred_thousand_morphs(browser: Browser, collection: Collection) -> None:
    # GIVEN 1,000 models of 100 morphs
    targets = ["eye/closed/left", "eye/closed/right", "mouth/a", None]
    for model in range(1000):
        own = [(f"表情{model % 50}-{number}", "other", None, "both") for number in range(80)]
        usual = [(f"名前{number}", "eye", targets[number] if number < 4 else None, "left") for number in range(20)]
        collection.add(f"model {model}", *usual, *own)
    with page_of(browser, "file:///") as page:
        devtools = page.context.new_cdp_session(page)
        devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

        def work() -> float:
            """Seconds of CPU that the page has used: of its main thread, waiting left out."""
            values = {metric["name"]: metric["value"] for metric in devtools.send("Performance.getMetrics")["metrics"]}
            return float(values["TaskDuration"])

        page.goto(collection.write())
        expect(page.locator("#progress-text")).to_have_text("0 of 100000 decided")

        # WHEN keys are pressed that move, decide for one, for all, and take back
        costs = {}
        for view in "mg":
            for key in (view, "j", "n", "Enter", "Shift+Enter", "x", "o", "u", "u"):
                before = work()
                page.keyboard.press(key)
                page.evaluate("new Promise((shown) => requestAnimationFrame(() => setTimeout(shown)))")
                costs[view, key] = work() - before

        # THEN each costs less than 200 ms, because only the rows in sight are there
        assert max(costs.values()) < 0.2, costs
        assert page.locator(".row").count() < 150
