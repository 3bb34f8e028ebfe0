"""Makes docs/images/inspection-*.png, the page of `farm annotate --html` over the two mascots, and annotate-*.png, a farm's.

usage: make annotation-pictures

Needs Chromium. The kana are drawn with the font that comes with Blender, so that no font has to be installed.
"""

import base64
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import bpy
from playwright.sync_api import Browser, Page, ViewportSize, expect

from farm.client import FarmClient
from farm.mascots import write_mascots
from farm.stack import EmbeddedStack
from tests.support.browser import chromium

_TARGET = Path("docs/images")
_FONT = Path(bpy.utils.resource_path("LOCAL")) / "datafiles/fonts/Noto Sans CJK Regular.woff2"
_STYLE = (
    "@font-face {{ font-family: kana; src: url('{}') }} body {{ font-family: system-ui, sans-serif, kana !important }}"
)


_DRAWN_MS = 300_000


def _take(page: Page, address: str, font: str, file: Path, keys: list[str]) -> None:
    page.goto(address)
    page.add_style_tag(content=_STYLE.format(font))
    expect(page.locator("#effect")).to_contain_text("At weight 1", timeout=_DRAWN_MS)
    expect(page.locator("#drawing")).to_be_hidden(timeout=_DRAWN_MS)
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_timeout(2000)  # thumbnails come when a row has been in sight for a moment
    page.screenshot(path=file)


def _of_a_farm(browser: Browser, room: Path) -> None:
    font = f"data:font/woff2;base64,{base64.b64encode(_FONT.read_bytes()).decode()}"  # no file for a server's page
    with EmbeddedStack(room / "farm", workers=1) as stack, FarmClient(stack.api_url, stack.api_key) as client:
        for path in sorted(room.glob("mascots/*/*.pmx")):
            client.upload(path)
        client.annotations.create_collection("spring", list(client.models()))
        for scheme, keys in (("light", ["n", *7 * ["Enter"]]), ("dark", ["g", "Enter", "Enter", "j"])):
            size: ViewportSize = {"width": 1360, "height": 860}
            with browser.new_context(viewport=size, color_scheme=scheme, bypass_csp=True) as context:
                file = _TARGET / f"annotate-{scheme}.png"
                page = context.new_page()
                page.goto(stack.page_url)  # signs in
                page.wait_for_url(f"{stack.api_url}/")
                _take(page, f"{stack.api_url}/annotate/spring/", font, file, keys)


def main() -> None:
    """Draw and take."""
    with TemporaryDirectory() as room, chromium() as browser:
        write_mascots(Path(room) / "mascots")
        out = Path(room) / "page"
        subprocess.run([sys.executable, "-m", "farm", "annotate", room, "--html", out], check=True)
        for scheme, keys in (("light", ["n", *7 * ["Enter"]]), ("dark", ["g", "Enter", "Enter", "j"])):
            with browser.new_context(viewport={"width": 1360, "height": 860}, color_scheme=scheme) as context:
                _take(
                    context.new_page(),
                    (out / "index.html").as_uri(),
                    _FONT.as_uri(),
                    _TARGET / f"inspection-{scheme}.png",
                    keys,
                )
        _of_a_farm(browser, Path(room))


if __name__ == "__main__":
    main()
