"""Batches on the operators' page: seen, steered, found."""

import re

from playwright.sync_api import Page, expect

from farm.jobs import states
from farm.jobs.states import State
from tests.api.pages.farm import WORKER, Farm
from tests.support import finished


def test_an_empty_farm_says_how_to_begin(page: Page) -> None:
    page.goto("/")

    expect(page.get_by_text("No batch yet.")).to_be_visible()
    expect(page.get_by_text("No worker was heard of")).to_be_visible()
    expect(page.get_by_role("link", name="Flower")).to_have_attribute("href", "http://flower.test:5555/")
    expect(page.get_by_role("link", name="Grafana")).to_have_attribute("href", "https://grafana.test/d/farm")
    expect(page.get_by_role("button", name="Sign out")).to_have_count(0)


def test_the_bars_move_without_a_reload(farm: Farm, page: Page) -> None:
    batch = farm.submit("miku", name="vol. 1")
    farm.workers.register(WORKER, 1)
    page.goto("/")
    page.evaluate("window.loadedOnce = true")
    of_batch = page.locator(f"#batch-{batch}").get_by_role("progressbar")
    expect(of_batch).to_have_js_property("value", 0)

    # WHEN a worker takes the job and draws
    farm.draw(farm.take(), 3)

    of_worker = page.get_by_role("row", name=re.compile(re.escape(WORKER))).get_by_role("progressbar", name="miku")
    expect(of_batch).to_have_js_property("value", 3)
    expect(of_worker).to_have_js_property("value", 3)
    expect(page.locator(f"#batch-{batch}")).to_contain_text("rendering")
    assert page.evaluate("window.loadedOnce")


def test_a_new_batch_appears_above_the_others_and_leaves_an_open_question_open(farm: Farm, page: Page) -> None:
    first = farm.submit("miku", name="vol. 1")
    page.goto("/")
    page.get_by_role("button", name="Cancel vol. 1").click()

    second = farm.submit("rin", name="vol. 2")

    expect(page.locator("tr[id^=batch-]")).to_have_count(2)
    rows = page.locator("tr[id^=batch-]").evaluate_all("rows => rows.map(row => row.id)")
    assert rows == [f"batch-{second}", f"batch-{first}"]
    expect(page.get_by_role("dialog", name="Cancel vol. 1")).to_be_visible()


def test_the_pause_button_pauses_and_the_resume_button_resumes(farm: Farm, page: Page) -> None:
    batch = farm.submit("miku", name="vol. 1")
    page.goto("/?state=active")

    page.get_by_role("button", name="Pause vol. 1").click()
    expect(page).to_have_url(re.compile(r"/\?state=active#batch-"))
    assert farm.jobs.batch(batch).paused
    page.goto("/")
    page.get_by_role("button", name="Resume vol. 1").click()

    expect(page.get_by_role("button", name="Pause vol. 1")).to_be_visible()
    assert not farm.jobs.batch(batch).paused


def test_cancelling_asks_first(farm: Farm, page: Page) -> None:
    batch = farm.submit("miku", "rin", name="vol. 1")
    page.goto("/")
    question = page.get_by_role("dialog", name="Cancel vol. 1")

    page.get_by_role("button", name="Cancel vol. 1").click()
    expect(question).to_contain_text("2 jobs that have not ended will be taken back.")
    question.get_by_role("button", name="Back").click()
    expect(question).to_be_hidden()
    assert farm.jobs.batch(batch).counts[State.QUEUED] == 2
    page.get_by_role("button", name="Cancel vol. 1").click()
    question.get_by_role("button", name="Cancel the batch").click()

    expect(page.locator(f"#batch-{batch}")).to_contain_text("cancelled")
    assert farm.jobs.batch(batch).counts[State.CANCELLED] == 2


def test_cancelled_and_failed_jobs_are_retried_apart(farm: Farm, page: Page) -> None:
    batch = farm.submit("miku", "rin", name="vol. 1")
    finished.fail(farm.connection, farm.take())
    farm.jobs.change_all(batch, states.cancel)
    page.goto(f"/batches/{batch}")

    page.get_by_role("button", name="Retry what failed").click()
    expect(page.get_by_role("button", name="Retry what failed")).to_have_count(0)
    assert [job.state for job in farm.jobs.jobs(batch)] == [State.QUEUED, State.CANCELLED]
    page.get_by_role("button", name="Retry what was cancelled").click()
    expect(page.get_by_role("button", name="Retry what was cancelled")).to_have_count(0)

    assert [job.state for job in farm.jobs.jobs(batch)] == [State.QUEUED, State.QUEUED]


def test_the_priority_is_set(farm: Farm, page: Page) -> None:
    batch = farm.submit("miku", name="vol. 1")
    page.goto("/")

    page.get_by_role("button", name="Priority of vol. 1").click()
    page.get_by_role("combobox", name="Jobs of a higher one").select_option("7")
    page.get_by_role("button", name="Set the priority").click()

    expect(page.get_by_role("button", name="Priority of vol. 1")).to_have_text("Priority 7")
    assert farm.jobs.batch(batch).priority == 7


def test_batches_come_in_pages_and_are_found_by_name_and_state(farm: Farm, page: Page) -> None:
    for number in range(26):
        farm.submit("miku", name=f"vol. {number}", paused=number == 3)
    page.goto("/")
    shown = page.locator("tr[id^=batch-]")
    expect(shown).to_have_count(25)
    page.get_by_role("link", name="Older").click()
    expect(shown).to_have_text([re.compile("vol. 0")])
    page.get_by_role("link", name="Newest").click()

    page.get_by_label("State").select_option("paused")
    page.get_by_role("button", name="Filter").click()
    expect(shown).to_have_text([re.compile("vol. 3")])
    page.get_by_role("link", name="All", exact=True).click()
    page.get_by_label("Name").fill("vol. 2")
    page.get_by_role("button", name="Filter").click()

    expect(shown).to_have_count(7)
