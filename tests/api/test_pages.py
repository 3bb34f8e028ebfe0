"""The operators' page in a real Chromium: a real API, Valkey and store; a test says what the workers do."""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urljoin

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from farm.jobs import states
from farm.jobs.batches import BatchRecord
from farm.jobs.connection import Connection
from farm.jobs.orders import OrderBook, OrderedModel, Standing, order_of
from farm.jobs.states import Job, State
from farm.jobs.store import JobStore, new_id, utc_now
from farm.jobs.workers import Workers
from farm.keys import Role, entry_for, new_key
from farm.process import spawn
from farm.spec import RenderSpec
from farm.stack import free_port, valkey_command
from farm.storage import LocalStore
from tests.support import finished, servers
from tests.support.browser import chromium, page_of

HOSTILE = "<script>document.title='stolen'</script><img src=x onerror=alert(1)>"
SPEC = RenderSpec(samples=2, styles=("flat", "ink"))
IMAGES = 8
WORKER = finished.WORKER
KEYS = {role: new_key() for role in Role}


@dataclass(frozen=True)
class Farm:
    """A farm without workers."""

    url: str
    store: LocalStore
    connection: Connection
    folder: Path

    @property
    def jobs(self) -> JobStore:
        return JobStore(self.connection)

    @property
    def workers(self) -> Workers:
        return Workers(self.connection)

    def submit(self, *names: str, name: str = "a batch", paused: bool = False) -> str:
        """A batch with a job for each of `names`; its id."""
        batch, record = new_id(), BatchRecord(name, SPEC, utc_now())
        models = [OrderedModel(model=f"{number:064x}", name=label, annotation={}) for number, label in enumerate(names)]
        order = OrderBook(self.store).write(order_of(batch, record, models, Standing(paused=paused)))
        assert self.jobs.add_batch(batch, record, order.jobs(), paused=paused)
        return batch

    def take(self) -> Job:
        """The next job, in a worker's hands."""
        return finished.take(self.connection)

    def draw(self, job: Job, images: int) -> None:
        """The worker has drawn so many."""
        self.jobs.change(job.id, lambda present: states.progress(present, present.attempt, images))

    def finish(self, job: Job) -> None:
        """The worker has finished the job, and its pictures are in the store."""
        finished.finish(self.connection, self.store, job, SPEC, self.folder)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


def start(folder: Path, redis_url: str, **settings: str) -> tuple[dict[str, str], LocalStore, Connection]:
    store = folder / "store"
    environment = {
        "FARM_REDIS_URL": redis_url,
        "FARM_STORAGE_URL": f"file://{store}",
        "FARM_RATE_LIMIT": "0",
        **settings,
    }
    return environment, LocalStore(store), Connection(redis_url, 45)


@pytest.fixture(scope="module")
def served(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm that asks nobody for a key."""
    folder = tmp_path_factory.mktemp("open")
    links = {"FARM_FLOWER_URL": "http://flower.test:5555/", "FARM_GRAFANA_URL": "https://grafana.test/d/farm"}
    environment, store, connection = start(folder, new_database(), **links)
    with servers.api_server(folder, environment) as api:
        yield Farm(api.url, store, connection, folder)


@pytest.fixture(scope="module")
def guarded(new_database: Callable[[], str], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Farm]:
    """A farm that asks for keys."""
    folder = tmp_path_factory.mktemp("guarded")
    entries = ",".join(entry_for(f"the-{role}", [role], key) for role, key in KEYS.items())
    environment, store, connection = start(folder, new_database(), FARM_API_KEYS=entries)
    with servers.api_server(folder, environment) as api:
        yield Farm(api.url, store, connection, folder)


@pytest.fixture
def farm(served: Farm) -> Farm:
    """The farm, with nothing in it."""
    served.connection.redis.flushdb()
    return served


@pytest.fixture
def page(browser: Browser, farm: Farm) -> Iterator[Page]:
    with page_of(browser, farm.url) as page:
        yield page


def sign_in(page: Page, key: str) -> None:
    page.get_by_label("API key").fill(key)
    page.get_by_role("button", name="Sign in").click()


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
