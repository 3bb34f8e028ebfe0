"""What an operator sees in Flower, in a real browser, while a real farm renders."""

import re
from base64 import b64encode
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, Locator, Page, Response, expect

from farm.client import FarmClient, ModelRef
from farm.errors import UnusableModelError
from farm.jobs.connection import Connection
from farm.spec import RenderSpec
from farm.stack import EmbeddedStack
from tests.support.browser import chromium, page_of
from tests.support.servers import wait_until

pytest.importorskip("flower")
pytestmark = pytest.mark.blender
HOSTILE = '<img src=x onerror="document.title=1">\u202e/home/alice/{0}&bare'
SHOWN = "{0}+bare"
ENDLESS = RenderSpec(samples=5000, size=64, styles=("flat",))
REFRESH_MS = 1000


@dataclass
class Shown:
    """A farm that has rendered a batch and is at another."""

    stack: EmbeddedStack
    client: FarmClient
    home: Path
    ended: str
    """A batch of a model that was rendered and one that failed."""
    going: str
    """One of a model that takes for ever."""
    browser: Browser
    page: Page

    @property
    def login(self) -> tuple[str, str]:
        """User and password."""
        user, _, password = self.stack.flower_login.partition(":")
        return user, password


@pytest.fixture(scope="module")
def shown(mascots: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    folder = tmp_path_factory.mktemp("flower")
    bare = folder / "bare.pmx"  # without its textures, which only pictures tell
    bare.write_bytes(mascots["nagi"].read_bytes())
    with ExitStack() as parts:
        stack = parts.enter_context(EmbeddedStack(folder / "home", 1, flower=True))
        client = parts.enter_context(FarmClient(stack.api_url, stack.api_key))
        model, broken, endless = (
            client.upload(path)[0][0].id for path in (mascots["momo"], bare, mascots["nagi"])
        )  # fmt: skip
        spec = RenderSpec(samples=1, size=48)
        ended = client.submit([ModelRef(model, "momo"), ModelRef(broken, HOSTILE)], spec).id
        wait_until(lambda: client.batch(ended).ended, "the first batch's end")
        going = client.submit([ModelRef(endless, "nagi, for ever")], ENDLESS).id
        wait_until(lambda: client.batch(going).images_done > 0, "pictures of the second")
        user, _, password = stack.flower_login.partition(":")
        browser = parts.enter_context(chromium())
        page = parts.enter_context(page_of(browser, stack.flower_url, login=(user, password)))
        yield Shown(stack, client, folder, ended, going, browser, page)


def row(page: Page, job: str, attempt: int = 1) -> Locator:
    """The row of an attempt."""
    return page.locator(f"tr[id='{job}.{attempt}']")


def look_again(page: Page, until: Locator, text: str | re.Pattern[str]) -> None:
    """Tasks do not refresh by themselves: load the page until a row says it."""

    def says() -> bool:
        page.reload()
        page.wait_for_timeout(REFRESH_MS)
        told = " ".join(until.all_inner_texts())
        return bool(re.search(text, told))

    wait_until(says, f"a row that says {text}")


def search(page: Page, query: str, count: int) -> None:
    """Type it into the search field; so many rows stay."""
    page.locator("input[type=search]").fill(query)
    expect(page.locator("#tasks-table tbody tr[id]")).to_have_count(count)


def test_nobody_looks_in_without_the_password(shown: Shown) -> None:
    for path in (
        "/",
        "/tasks",
        "/tasks/datatable",
        f"/task/{shown.ended}-0.1",
        "/api/tasks",
        "/api/workers",
        "/broker",
        "/metrics",
        "/static/js/flower.js",
        "/login",
        "/logout",
        "/no-such-page",
    ):
        for auth in (None, ("farm", "wrong"), ("farm", "\u00e9"), ("", "")):
            answer = httpx.get(shown.stack.flower_url + path, auth=auth, timeout=30, trust_env=False)
            assert answer.status_code == 401, path
            assert answer.headers["www-authenticate"].startswith("Basic ")
            assert len(answer.content) < 100
            assert_headers(answer)


@pytest.mark.parametrize(
    "login", ["", "Basic", "Basic !!!!", "Basic /////w==", "Bearer {right}", "Basic {right}x", "{right}"]
)
def test_what_is_no_login_is_refused_and_breaks_nothing(shown: Shown, login: str) -> None:
    header = login.format(right=b64encode(shown.stack.flower_login.encode()).decode())
    answer = httpx.get(
        f"{shown.stack.flower_url}/tasks", headers={"authorization": header}, timeout=30, trust_env=False
    )
    assert answer.status_code == 401
    assert_headers(answer)


def test_a_probe_hears_ok_and_nothing_else(shown: Shown) -> None:
    answer = httpx.get(f"{shown.stack.flower_url}/healthcheck", timeout=30, trust_env=False)
    assert (answer.status_code, answer.text) == (200, "OK")
    assert_headers(answer)
    for other in (
        "/healthcheck/",
        "//healthcheck",
        "/healthcheck/../metrics",
        "/healthcheck%2f..%2fmetrics",
        "/Healthcheck",
    ):
        assert httpx.get(shown.stack.flower_url + other, timeout=30, trust_env=False).status_code == 401, other


def assert_headers(answer: httpx.Response) -> None:
    """It says what a browser may do with it, and not which server made it."""
    policy = dict(part.split(maxsplit=1) for part in answer.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == policy["form-action"] == "'none'"
    assert "unsafe" not in policy["script-src"]
    assert answer.headers["x-frame-options"] == "DENY"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["referrer-policy"] == "same-origin"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert "server" not in answer.headers


def test_every_answer_has_a_policy_and_every_page_works_under_it(shown: Shown) -> None:
    """`page_of` fails the test for whatever the browser refuses by the policy."""
    page = shown.page
    worker = httpx.get(
        f"{shown.stack.flower_url}/workers?json=1", auth=shown.login, timeout=30, trust_env=False
    ).json()["data"][0]["hostname"]  # fmt: skip
    seen: list[str] = []

    def look(answer: Response) -> None:
        seen.append(answer.url)
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"], answer.url

    page.on("response", look)
    for path, shows in (
        ("/workers", worker), (f"/worker/{worker}", "Pool"), ("/tasks", shown.ended), ("/broker", "render"),
        (f"/task/{shown.ended}-0.1", "SUCCESS"), ("/", worker),
    ):  # fmt: skip
        page.goto(path)
        expect(page.locator("#main-content")).to_contain_text(shows)
    page.get_by_role("link", name="Workers").first.click()
    page.locator("#theme-toggle").click()
    page.locator('[data-bs-theme-value="dark"]').click()
    expect(page.locator("html")).to_have_attribute("data-bs-theme", "dark")
    assert page.evaluate("typeof autorefresh") == "number"  # the script that stands in the page
    page.remove_listener("response", look)
    assert any("/static/css/" in url for url in seen)
    assert any("datatable" in url for url in seen)


def test_a_script_that_came_into_a_page_is_not_run(shown: Shown) -> None:
    refused = re.compile("Content Security Policy")
    with page_of(shown.browser, shown.stack.flower_url, login=shown.login, allowed=refused) as page:
        page.goto("/tasks")
        page.evaluate(
            """() => {
                const script = document.createElement("script");
                script.textContent = "document.title = 'taken'";
                document.body.append(script);
                const button = document.createElement("button");
                button.setAttribute("onclick", "document.title = 'taken'");
                document.body.append(button);
                button.click();
            }"""
        )
        page.wait_for_timeout(REFRESH_MS)
        assert page.title() == "Tasks \u00b7 Flower"


def test_a_page_of_it_is_shown_in_no_frame(shown: Shown) -> None:
    for path in ("/tasks", "/metrics", "/no-such-page", "/static/js/flower.js", "/api/tasks"):
        assert_headers(httpx.get(shown.stack.flower_url + path, auth=shown.login, timeout=30, trust_env=False))


def test_rows_say_what_was_done_and_what_is_being_done(shown: Shown) -> None:
    page = shown.page
    page.goto("/tasks")
    look_again(page, row(page, f"{shown.going}-0"), "STARTED")

    done, failed, doing = (row(page, job) for job in (f"{shown.ended}-0", f"{shown.ended}-1", f"{shown.going}-0"))
    for text in ("momo", "SUCCESS", "done, 8 of 8 images", f"{shown.ended}-0.1"):
        expect(done).to_contain_text(text)
    for text in (SHOWN, "FAILURE", UnusableModelError.code, "failed, 0 of 8 images"):
        expect(failed).to_contain_text(text)
    expect(doing).to_contain_text("nagi, for ever")
    expect(doing).to_contain_text(re.compile(r"rendering, [\d,]+ of 10,000 images"))
    expect(page.locator("#tasks-table tbody tr")).to_have_count(3)  # an attempt each, and no ticket
    assert page.title() == "Tasks · Flower"
    assert page.locator("#tasks-table img").count() == 0


def test_rows_are_filtered_by_batch_by_model_and_by_state(shown: Shown) -> None:
    page = shown.page
    page.goto("/tasks")
    search(page, f"kwargs:batch={shown.ended}", 2)
    search(page, f"kwargs:batch={shown.ended} kwargs:model=momo", 1)
    expect(row(page, f"{shown.ended}-0")).to_be_visible()
    search(page, '"kwargs:model=nagi, for ever"', 1)
    expect(row(page, f"{shown.going}-0")).to_be_visible()
    search(page, shown.going, 1)
    page.get_by_role("button", name="Failed").click()
    expect(page.locator("#tasks-table tbody tr[id]")).to_have_count(1)
    expect(row(page, f"{shown.ended}-1")).to_be_visible()


def test_a_rows_own_page_says_all_of_it_and_has_no_button(shown: Shown) -> None:
    page = shown.page
    page.goto(f"/task/{shown.ended}-1.1")
    details = page.locator("#task-page")
    for text in (
        "farm.render",
        "FAILURE",
        SHOWN,
        shown.ended,
        f"'job': '{shown.ended}-1'",
        "'attempt': 1",
        "model-unusable",
    ):
        expect(details).to_contain_text(text)
    page.goto(f"/task/{shown.going}-0.1")
    expect(details).to_contain_text("STARTED")
    expect(page.locator("#task-terminate, #task-revoke")).to_have_count(0)


def test_no_page_of_it_has_a_secret_or_a_folder_of_ours(shown: Shown) -> None:
    redis_url = shown.stack.environment["FARM_REDIS_URL"]
    secrets = (redis_url.split(":")[2].split("@")[0], shown.login[1], shown.stack.api_key, str(shown.home))
    worker = httpx.get(
        f"{shown.stack.flower_url}/workers?json=1", auth=shown.login, timeout=30, trust_env=False
    ).json()["data"][0]["hostname"]  # fmt: skip
    for path in (
        "/workers", f"/worker/{worker}", "/tasks", f"/task/{shown.ended}-1.1", "/broker", "/api/tasks",
        "/api/workers?refresh=1", "/api/workers", "/metrics",
    ):  # fmt: skip
        answer = httpx.get(shown.stack.flower_url + path, auth=shown.login, timeout=60, trust_env=False)
        assert answer.status_code == 200, path
        for secret in secrets:
            assert secret not in answer.text, path
    log = (shown.home / "home/logs/flower.log").read_text()
    assert not [secret for secret in secrets[:-1] if secret in log]


def test_what_is_handed_back_is_no_failure_and_what_is_cancelled_ends(shown: Shown) -> None:
    page, job = shown.page, f"{shown.going}-0"
    page.goto("/tasks")
    page.locator("input[type=search]").fill("")
    shown.client.pause(shown.going)
    look_again(page, row(page, job), "RETRY")
    expect(row(page, job)).to_contain_text("paused")
    expect(row(page, job)).to_contain_text(re.compile(r"handed back, [\d,]+ of 10,000 images"))

    shown.client.resume(shown.going)
    look_again(page, row(page, job, 2), "STARTED")
    shown.client.cancel(shown.going)
    look_again(page, row(page, job, 2), "REVOKED")
    expect(row(page, job)).to_contain_text("RETRY")


def test_nothing_of_it_stays_in_redis(shown: Shown) -> None:
    redis = Connection(shown.stack.environment["FARM_REDIS_URL"]).redis
    foreign = [key for key in redis.scan_iter() if not key.startswith("farm:")]

    assert set(foreign) <= {"render", "unacked", "unacked_index", "unacked_mutex"} | {
        key for key in foreign if key.startswith("_kombu.binding")
    }
    # Tickets name nothing: not in the queue, not while one is worked on.
    bodies = [*redis.lrange("render", 0, -1), *redis.hvals("unacked")]
    assert not [body for body in bodies if shown.ended in body or shown.going in body or "momo" in body]
