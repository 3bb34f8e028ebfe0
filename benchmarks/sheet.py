"""All characters at hand on one sheet: every style, parts, landmarks, and how far the styles are apart.

usage: python -m benchmarks.sheet [--out build/sheet] [MODEL ...]

Writes index.html with the PNG files that it shows, and sheet.png, which has a row for each character.
"""

import argparse
import html
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console

from benchmarks.subject import subject
from farm import pipe
from farm.dataset.label_pictures import label_pictures
from farm.dataset.similarity import ssim_about
from farm.dataset.usability import reasons_against
from farm.drawing.blender import Blender
from farm.errors import FarmError
from farm.labels import LabelName
from farm.poses import Partition
from farm.styles import PAPER_STYLES
from tests.support.characters import at_hand

APART = (("toon", "flat"), ("ink", "toon"), ("default", "toon"))
"""The pairs of styles that have to differ on every character, by `APART_BELOW` (SSIM in the head's box, on grey)."""
APART_BELOW = 0.98
LIGHT = 0.6
"""The middle of the paper's range."""
_NECK_ROW, _COVERED = 0.8, 0.1
"""Shares of the frame: where the neck bone is, and how wide a row is where something begins."""
_AXIS, _NARROW, _ABOVE_CROWN, _MUCH = 0.4, 0.5, 0.97, 1.105
"""Of the height above the neck: how far to the side of the axis a head is looked at, how wide it is at its crown, where on it
that is, and from where on what is higher is no head. As the framing has them (`farm/models/posing/head.py`)."""
_GROUND, _PAPER, _INK, _WRONG = (214, 218, 224, 255), (255, 255, 255), (40, 44, 52), (200, 30, 30)
_TEXT = 330
"""Pixels; the width of a row's figures."""


@dataclass(frozen=True, slots=True)
class Row:
    """One character."""

    name: str
    pictures: dict[str, np.ndarray]
    """(size, size, 4) by the names of styles and labels."""
    figures: list[tuple[str, bool]]
    """Lines of text, each with whether it is as it should be."""


def rows(models: Sequence[Path], room: Path) -> Iterator[Row]:
    """Draw the characters, one after the other, at rest."""
    blender = Blender()
    try:
        for number, path in enumerate(models):
            name = "/".join(path.parts[-2:])
            try:
                yield _row(blender, name, path, room / str(number))
            except FarmError as error:
                yield Row(name, {}, [(str(error), False)])
    finally:
        blender.stop()


def _row(blender: Blender, name: str, path: Path, room: Path) -> Row:
    shot = pipe.Shot(sample=0, partition=Partition.FRONTAL, weights={}, rotation=(0, 0, 0), light=LIGHT)
    labels = [LabelName.PARTS, LabelName.LANDMARKS]
    request = subject(path, room).request.model_copy(update={"labels": labels, "shots": [shot]})
    loaded: list[pipe.Loaded] = []
    (drawn,) = blender.draw(request, loaded.append)
    pictures = dict(zip(request.styles, drawn.pictures, strict=True))
    figures = []
    box = drawn.marks.head_box if drawn.marks is not None else None
    if box is None:
        figures.append(("no head in the frame", False))
    else:
        for one, other in APART:
            alike = ssim_about(pictures[one], pictures[other], box)
            figures.append((f"{one} / {other}: {alike:.4f}", alike < APART_BELOW))
    share = head_share(pictures["flat"])
    figures.append((f"head {share:.0%} of the frame", abs(share - 0.48) <= 0.04))
    figures += [(text, False) for text in (*reasons_against(loaded[0].survey), *loaded[0].warnings)]
    return Row(name, pictures | label_pictures(drawn.labels, drawn.marks, pictures["flat"]), figures)


def head_share(picture: np.ndarray) -> float:
    """The head's height in a (size, size, 4) picture, as a share of the frame: from the neck up to where it is no hair.

    Ears and buns may stand above it: what does so by much, above the height at which the head gets narrow, does not count.
    """
    size = len(picture)
    aside = np.abs((np.arange(size) + 0.5) / size - 0.5)
    top = 0.0
    for row, covered in enumerate(picture[..., 3] > 127):
        share = _NECK_ROW - row / size
        if not top and covered.mean() > _COVERED:
            top = share
        if share > 0 and (covered & (aside < _AXIS * share)).mean() >= _NARROW * share:
            crown = share / _ABOVE_CROWN
            return crown if top > crown * _MUCH else top
    return top


class Sheet:
    """The page and the picture, written row by row."""

    def __init__(self, out: Path, columns: Sequence[str], size: int) -> None:
        self._out, self._columns, self._size = out, columns, size
        self._strips: list[Image.Image] = []
        self._page: list[str] = []
        out.mkdir(parents=True, exist_ok=True)

    def add(self, row: Row) -> None:
        """Put a character on the sheet and write its pictures."""
        strip = Image.new("RGB", (_TEXT + len(self._columns) * self._size, self._size), _PAPER)
        pen, font = ImageDraw.Draw(strip), ImageFont.load_default(size=13)
        place = 6
        for text, right in ((row.name, True), *row.figures):
            for line in _wrapped(text, 46):
                pen.text((6, place), line, _INK if right else _WRONG, font)
                place += 16
        cells = []
        for number, column in enumerate(self._columns):
            if column in row.pictures:
                cell = Image.new("RGBA", (self._size, self._size), _GROUND)
                cell.alpha_composite(Image.fromarray(row.pictures[column]))
                strip.paste(cell.convert("RGB"), (_TEXT + number * self._size, 0))
                file = f"{len(self._strips):02d}-{column}.png"
                cell.convert("RGB").save(self._out / file)
                cells.append(f'<td><img src="{file}" alt="{column}"></td>')
        lines = "".join(f"<li{'' if right else ' class=wrong'}>{html.escape(text)}</li>" for text, right in row.figures)
        self._page.append(f"<tr><th>{html.escape(row.name)}<ul>{lines}</ul></th>{''.join(cells)}</tr>")
        self._strips.append(strip)

    def write(self) -> None:
        """Write index.html and sheet.png."""
        head = "".join(f"<th>{column}</th>" for column in ("", *self._columns))
        style = "th{text-align:left;font:13px sans-serif;vertical-align:top;max-width:24em}.wrong{color:#c81e1e}"
        page = (
            f"<!doctype html><meta charset=utf-8><title>Characters</title><style>{style}</style><table><tr>{head}</tr>"
        )
        (self._out / "index.html").write_text(page + "".join(self._page) + "</table>")
        sheet = Image.new("RGB", (self._strips[0].width, self._size * len(self._strips)), _PAPER)
        for number, strip in enumerate(self._strips):
            sheet.paste(strip, (0, number * self._size))
        sheet.save(self._out / "sheet.png")


def _wrapped(text: str, width: int) -> Iterator[str]:
    while text:
        yield text[:width]
        text = text[width:]


def main() -> None:
    """Draw and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", type=Path)
    parser.add_argument("--out", type=Path, default=Path("build/sheet"))
    arguments = parser.parse_args()
    console = Console(stderr=True)
    with tempfile.TemporaryDirectory(prefix="facefarm-sheet-") as home:
        models = arguments.models or at_hand(Path(home) / "own")
        sheet = Sheet(arguments.out, (*PAPER_STYLES, LabelName.PARTS.value, LabelName.LANDMARKS.value), 256)
        for number, row in enumerate(rows(models, Path(home)), 1):
            wrong = "; ".join(text for text, right in row.figures if not right)
            console.print(f"[dim]{number}/{len(models)}[/dim] {row.name} [red]{wrong}[/red]", soft_wrap=True)
            sheet.add(row)
        sheet.write()
    print(arguments.out / "index.html")


if __name__ == "__main__":
    main()
