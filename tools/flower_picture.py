"""Makes docs/images/flower.png: the tasks of Flower while a farm renders the two mascots.

usage: .venv/bin/python -m tools.flower_picture

Needs Chromium.
"""

from pathlib import Path
from tempfile import TemporaryDirectory

from playwright.sync_api import expect

from farm.client import FarmClient, ModelRef
from farm.mascots import write_mascots
from farm.spec import RenderSpec
from farm.stack import EmbeddedStack
from tests.support.browser import chromium, page_of
from tests.support.servers import wait_until

_TARGET = Path("docs/images/flower.png")


def main() -> None:
    """Render and take."""
    with TemporaryDirectory() as room, EmbeddedStack(Path(room) / "farm", workers=1, flower=True) as stack:
        write_mascots(Path(room) / "mascots")
        bare = Path(room) / "momo.pmx"  # without its textures, so that it shows no face
        bare.write_bytes((Path(room) / "mascots/momo/momo.pmx").read_bytes())
        user, _, password = stack.flower_login.partition(":")
        with (
            FarmClient(stack.api_url, stack.api_key) as client,
            chromium() as browser,
            page_of(browser, stack.flower_url, login=(user, password)) as page,
        ):
            paths = [*sorted(Path(room).glob("mascots/*/*.pmx")), bare]
            momo, nagi, broken = (client.upload(path)[0][0].id for path in paths)
            models = [ModelRef(momo, "momo"), ModelRef(broken, "momo, textures lost"), ModelRef(nagi, "nagi")]
            first = client.submit(models, RenderSpec(samples=10, size=64)).id
            wait_until(lambda: client.batch(first).ended, "the first batch's end")
            second = client.submit([ModelRef(nagi, "nagi")], RenderSpec(samples=2000, size=64)).id
            wait_until(lambda: client.batch(second).images_done > 500, "pictures")
            client.pause(second)
            wait_until(lambda: next(client.jobs(second)).state == "queued", "the hand-back")
            client.resume(second)
            wait_until(lambda: next(client.jobs(second)).state == "rendering", "the next attempt")
            page.set_viewport_size({"width": 1600, "height": 540})
            page.wait_for_timeout(3000)
            page.goto("/tasks")
            expect(page.locator("#tasks-table tbody tr[id]")).to_have_count(5)
            page.screenshot(path=_TARGET)
            client.cancel(second)


if __name__ == "__main__":
    main()
