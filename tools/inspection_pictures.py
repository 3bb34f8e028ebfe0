"""Makes docs/images/inspection-light.png and -dark.png: the page of `farm annotate --html` over the two mascots.

usage: .venv/bin/python -m tools.inspection_pictures

Needs Chromium. The kana are drawn with the font that comes with Blender, so that no font has to be installed.
"""

import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory

import bpy
from playwright.sync_api import Page

from farm.mascots import write_mascots
from tests.support.browser import chromium

_TARGET = Path("docs/images")
_FONT = Path(bpy.utils.resource_path("LOCAL")) / "datafiles/fonts/Noto Sans CJK Regular.woff2"
_STYLE = (
    "@font-face {{ font-family: kana; src: url('{}') }} body {{ font-family: system-ui, sans-serif, kana !important }}"
)


def _take(page: Page, index: Path, file: Path, keys: list[str]) -> None:
    page.goto(index.as_uri())
    page.add_style_tag(content=_STYLE.format(_FONT.as_uri()))
    for key in keys:
        page.keyboard.press(key)
    page.wait_for_timeout(2000)  # thumbnails come when a row has been in sight for a moment
    page.screenshot(path=file)


def main() -> None:
    """Draw and take."""
    with TemporaryDirectory() as room, chromium() as browser:
        write_mascots(Path(room) / "mascots")
        out = Path(room) / "page"
        subprocess.run([sys.executable, "-m", "farm", "annotate", room, "--html", out], check=True)
        for scheme, keys in (("light", ["n", *7 * ["Enter"]]), ("dark", ["g", "Enter", "Enter", "j"])):
            with browser.new_context(viewport={"width": 1360, "height": 860}, color_scheme=scheme) as context:
                _take(context.new_page(), out / "index.html", _TARGET / f"inspection-{scheme}.png", keys)


if __name__ == "__main__":
    main()
