"""Jobs and workers on the operators' page: what went wrong, what was drawn, who works."""

import re

from playwright.sync_api import Page, expect

from farm.jobs import states
from farm.jobs.states import State
from tests.api.pages.farm import WORKER, Farm
from tests.support import finished


def test_failures_are_grouped_by_reason_and_lead_to_their_jobs(farm: Farm, page: Page) -> None:
    batch = farm.submit("miku", "rin", "len", "luka", name="vol. 1")
    for code in ("model-unusable", "no-neck-bone", "model-unusable"):
        finished.fail(farm.connection, farm.take(), code)
    page.goto("/")
    page.locator(f"#batch-{batch}").get_by_role("link", name="3", exact=True).click()

    rows = page.locator("tr[id^=reason-]")
    expect(rows).to_have_count(2)
    expect(rows.first).to_contain_text(re.compile(r"model-unusable\s*2\s*miku: It cannot be drawn."))
    rows.first.get_by_role("link", name="model-unusable").click()

    expect(page.locator("tr[id^=job-]").get_by_role("rowheader")).to_have_text(["miku", "len"])


def test_jobs_are_filtered_by_state(farm: Farm, page: Page) -> None:
    batch = farm.submit("miku", "rin", "len")
    finished.fail(farm.connection, farm.take())
    farm.take()
    page.goto(f"/batches/{batch}")
    shown = page.locator("tr[id^=job-]").get_by_role("rowheader")
    expect(shown).to_have_text(["miku", "rin", "len"])

    page.get_by_role("link", name="leased 1").click()

    expect(shown).to_have_text(["rin"])


def test_a_long_batch_comes_in_pages(farm: Farm, page: Page) -> None:
    batch = farm.submit(*(f"model {number}" for number in range(51)))
    page.goto(f"/batches/{batch}")
    shown = page.locator("tr[id^=job-]")
    expect(shown).to_have_count(50)

    page.get_by_role("link", name="Next").click()
    expect(shown).to_have_text([re.compile("model 50")])
    page.get_by_role("link", name="First").click()

    expect(shown).to_have_count(50)


def test_thumbnails_appear_when_a_job_is_done(farm: Farm, page: Page) -> None:
    batch = farm.submit("miku", "rin")
    page.goto(f"/batches/{batch}")
    expect(page.get_by_role("heading", name="Pictures")).to_have_count(0)

    job = farm.take()
    farm.finish(job)

    thumbnail = page.locator(f"#sheet-{job.id} img")
    expect(thumbnail).to_have_js_property("naturalWidth", 32)
    page.locator(f"#sheet-{job.id} a").click()
    expect(page).to_have_url(re.compile(f"/jobs/{job.id}$"))


def test_a_done_job_shows_its_sheet_and_single_pictures(farm: Farm, page: Page) -> None:
    farm.submit("miku")
    job = farm.take()
    farm.finish(job)

    page.goto(f"/jobs/{job.id}")

    pictures = page.locator("main img")
    expect(pictures).to_have_count(3)
    for place in range(3):
        pictures.nth(place).scroll_into_view_if_needed()
        expect(pictures.nth(place)).to_have_js_property("naturalWidth", 32)
    expect(page.get_by_role("link", name="manifest")).to_have_attribute(
        "href", f"/v1/jobs/{job.id}/files/manifest.json"
    )
    expect(page.get_by_role("button", name="Retry")).to_have_count(0)


def test_a_quarantined_job_shows_why_and_can_be_retried(farm: Farm, page: Page) -> None:
    batch = farm.submit("miku")
    for _ in range(states.MAX_ATTEMPTS):
        farm.connection.redis.delete("farm:later")
        job = farm.jobs.jobs(batch)[0]
        claimed = farm.jobs.change(job.id, lambda present: states.claim(present, WORKER))
        finished.lose(farm.connection, claimed, log="Writing frame 7\nSegmentation fault <b>here</b>")
    page.goto(f"/jobs/{batch}-0")

    expect(page.get_by_role("heading", level=1)).to_contain_text("quarantined")
    expect(page.locator("tr[id^=attempt-]")).to_have_count(3)
    expect(page.locator("main pre")).to_have_text("Writing frame 7\nSegmentation fault <b>here</b>")
    page.get_by_role("button", name="Retry").click()

    expect(page.get_by_role("heading", level=1)).to_contain_text("queued")
    assert farm.jobs.job(f"{batch}-0").state is State.QUEUED


def test_a_worker_is_drained_and_gets_jobs_again(farm: Farm, page: Page) -> None:
    farm.workers.register(WORKER, 2)
    farm.submit("miku")
    page.goto("/")
    expect(page.get_by_role("alert")).to_have_count(0)

    page.get_by_role("button", name=f"Drain {WORKER}").click()
    expect(page.get_by_role("alert")).to_contain_text("every worker is drained")
    expect(page.get_by_text("anonymous drained it on the operators' page.")).to_be_visible()
    assert farm.workers.drained(WORKER)
    page.get_by_role("button", name=f"Give jobs again to {WORKER}").click()

    expect(page.get_by_role("alert")).to_have_count(0)
    assert not farm.workers.drained(WORKER)
