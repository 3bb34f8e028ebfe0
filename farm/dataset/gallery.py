"""The contact sheets of all models of a folder on pages: index.html, index-2.html and so on.

A page holds few enough models to open at once, and its pictures are loaded as they are scrolled to.
"""

import html
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from farm.dataset.manifest import CLIP_VIDEO, CONTACT_SHEET
from farm.dataset.output import RenderedModel, replacing
from farm.wording import counted

GALLERY = "index.html"
MODELS_A_PAGE = 50
_PAGE_NAME = re.compile(r"index-([0-9]+)\.html")


@contextmanager
def gallery(out: Path) -> Iterator[Callable[[RenderedModel], None]]:
    """Write the pages of the folder `out`: call what is given with one model after the other.

    Pages that an earlier, larger gallery left are removed when the `with` ends well.
    """
    number, cards = 1, list[str]()

    def add(model: RenderedModel) -> None:
        nonlocal number
        if len(cards) == MODELS_A_PAGE:
            _write(out, number, cards, last=False)
            number += 1
            cards.clear()
        cards.append(_card(model))

    yield add
    _write(out, number, cards, last=True)
    for path in out.iterdir():
        found = _PAGE_NAME.fullmatch(path.name)
        if found and int(found[1]) > number:
            path.unlink()


def _write(out: Path, number: int, cards: Sequence[str], last: bool) -> None:
    links = []
    if number > 1:
        links.append(f'<a href="{GALLERY}">first page</a> <a href="{_page(number - 1)}">previous page</a>')
    if not last:
        links.append(f'<a href="{_page(number + 1)}">next page</a>')
    ways = f"<nav>page {number} {' '.join(links)}</nav>" if links else ""
    with replacing(out / _page(number)) as path:
        path.write_text(_PAGE.replace("CARDS", "\n".join([ways, *cards, ways])), encoding="utf-8")


def _page(number: int) -> str:
    return GALLERY if number == 1 else f"index-{number}.html"


def _card(model: RenderedModel) -> str:
    manifest, name = model.manifest, html.escape(model.folder.name)
    notes = "".join(f"<li>{html.escape(warning)}</li>" for warning in manifest.warnings)
    return (
        f"<section><h2>{html.escape(manifest.model.title or model.folder.name)}</h2>"
        f"<p>{name} &middot; {html.escape(manifest.model.format)} &middot; {counted(manifest.target_morphs, 'target morph')} "
        f"&middot; {counted(manifest.samples, 'sample')} &middot; {counted(len(manifest.images), 'image')}</p>"
        + (f"<ul>{notes}</ul>" if notes else "")
        + (_VIDEO.replace("SOURCE", f"{name}/{CLIP_VIDEO}") if manifest.clip and manifest.clip.video_sha256 else "")
        + f'<a href="{name}/"><img src="{name}/{CONTACT_SHEET}" alt="Contact sheet of {name}" loading="lazy"'
        ' decoding="async"></a></section>'
    )


_VIDEO = '<video src="SOURCE" controls loop muted preload="none"></video>'
_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>Facefarm: rendered models</title>
<style>
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 1600px; padding: 0 1rem; color: #282c34; }
section { margin-bottom: 3rem; } h2 { margin-bottom: 0; } p { color: #667; margin-top: .2rem; } nav { margin: 1rem 0; }
img { max-width: 100%; min-height: 200px; border: 1px solid #dde; } li { color: #a50; }
</style></head><body><h1>Rendered models</h1>
CARDS
</body></html>
"""
