"""How alike the forward canvas' pictures are to Blender's own render, on all characters at hand and in all styles.

usage: python -m benchmarks.likeness [--models 24] [--out build/likeness]

Each character is drawn in one pose with its head turned, by the canvas `forward` and by the canvas `final`
(`bpy.ops.render.render`, Eevee) with the same materials. SSIM is taken in the head's box, on grey. Writes
sheet.png with the least alike pictures: forward, final, and their difference.
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from rich.console import Console
from rich.table import Table

from benchmarks.cast import cast
from benchmarks.subject import subject
from farm import pipe
from farm.dataset.similarity import ssim_about
from farm.drawing.blender import Blender, Drawn
from farm.labels import LabelName
from farm.poses import Partition
from farm.spec import CanvasName
from farm.styles import PAPER_STYLES

ALIKE = 0.985
"""SSIM below which a pair of pictures is to be looked at."""
SAMPLES = 8
"""A pixel, of the canvas `final`. Eight times as many give pictures of SSIM 0.999 to these, in three times the time."""
_NOISY = 0.97
"""SSIM below which a character is drawn again with all samples: eight leave noise in what is half transparent."""
_ROWS = 24
"""Of the sheet, at most."""
_GROUND = 127.5
_LOUDER = 4
"""Times by which differences are shown too large."""
_TEXT, _INK, _WRONG = 300, (40, 44, 52), (200, 30, 30)


@dataclass(frozen=True, slots=True)
class Pair:
    """One character in one style, drawn by both canvases."""

    character: str
    style: str
    forward: NDArray[np.uint8]
    """(size, size, 4), as `final`."""
    final: NDArray[np.uint8]
    ssim: float
    mean_difference: float
    """Of 255, over the whole picture on grey."""


def pairs(models: Sequence[Path], room: Path) -> Iterator[Pair]:
    """Draw the characters, one after the other, in one Blender."""
    blender = Blender()
    try:
        for number, path in enumerate(models):
            model = subject(path, room / str(number))
            shot = next(shot for shot in model.shots if shot.partition is Partition.ROTATED and shot.sample >= 0)
            one = model.request.model_copy(update={"shots": [shot]})
            (forward,) = blender.draw(one.model_copy(update={"labels": [LabelName.LANDMARKS]}), lambda _: None)
            found = _compared(path, one, forward, _final(blender, one, SAMPLES))
            if min(pair.ssim for pair in found) < _NOISY:
                found = _compared(path, one, forward, _final(blender, one, pipe.FINAL_SAMPLES))
            yield from found
    finally:
        blender.stop()


def _final(blender: Blender, one: pipe.Render, samples: int) -> Drawn:
    rendered = one.model_copy(update={"canvas": CanvasName.FINAL, "final_samples": samples})
    (drawn,) = blender.draw(rendered, lambda _: None)
    return drawn


def _compared(path: Path, one: pipe.Render, forward: Drawn, final: Drawn) -> list[Pair]:
    assert forward.marks is not None
    box = forward.marks.head_box or (0, 0, one.size, one.size)
    found = []
    for style, a, b in zip(one.styles, forward.pictures, final.pictures, strict=True):
        difference = float(np.abs(_on_ground(a) - _on_ground(b)).mean())
        found.append(Pair("/".join(path.parts[-2:]), style, a, b, ssim_about(a, b, box), difference))
    return found


def measure(
    models: Sequence[Path], room: Path, out: Path, note: Callable[[Pair], None] = lambda _: None
) -> dict[str, Any]:
    """Draw, compare, and write sheet.png into the folder `out`."""
    found = []
    for pair in pairs(models, room):
        note(pair)
        found.append(pair)
    write_sheet(found, out / "sheet.png")
    return _figures(found)


def _figures(found: Sequence[Pair]) -> dict[str, Any]:
    """What the results keep: for each character and style SSIM and mean difference; the worst; how many are below `ALIKE`."""
    by_character: dict[str, dict[str, dict[str, float]]] = {}
    for pair in found:
        entry = {"ssim": pair.ssim, "mean_difference": pair.mean_difference}
        by_character.setdefault(pair.character, {})[pair.style] = entry
    return {
        "characters": by_character,
        "ssim_min": min(pair.ssim for pair in found),
        "ssim_median": float(np.median([pair.ssim for pair in found])),
        "pairs": len(found),
        "below": sum(pair.ssim < ALIKE for pair in found),
        "limit": ALIKE,
    }


def table(results: dict[str, Any]) -> Table:
    """The figures for people: the least alike character first."""
    shown = Table(
        title=f"SSIM of forward to bpy.ops.render.render in the head's box: median {results['ssim_median']:.4f}, "
        f"{results['below']} of {results['pairs']} under {results['limit']}"
    )
    shown.add_column("", overflow="fold")
    for heading in (*PAPER_STYLES, "mean difference of 255, worst style"):
        shown.add_column(heading, justify="right")
    for name, styles in sorted(results["characters"].items(), key=lambda item: _least(item[1])):
        cells = []
        for style in PAPER_STYLES:
            value = styles[style]["ssim"]
            cells.append(f"[red]{value:.4f}[/red]" if value < results["limit"] else f"{value:.4f}")
        shown.add_row(name, *cells, f"{max(entry['mean_difference'] for entry in styles.values()):.2f}")
    return shown


def _least(styles: dict[str, dict[str, float]]) -> float:
    return min(entry["ssim"] for entry in styles.values())


def write_sheet(found: Sequence[Pair], path: Path) -> None:
    """The least alike pairs, a row each: forward, final, difference in colour and of alpha, `_LOUDER` times too large."""
    rows = sorted(found, key=lambda pair: pair.ssim)[:_ROWS]
    size = len(rows[0].forward)
    sheet = Image.new("RGB", (_TEXT + 4 * size, size * len(rows)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=14)
    for number, pair in enumerate(rows):
        top = number * size
        text = f"{pair.character}\n{pair.style}\nSSIM {pair.ssim:.4f}\nmean difference {pair.mean_difference:.2f}"
        pen.text((8, top + 8), text, _WRONG if pair.ssim < ALIKE else _INK, font)
        a, b = _on_ground(pair.forward), _on_ground(pair.final)
        apart = np.abs(a - b) * _LOUDER
        alpha = np.abs(pair.forward[..., 3:].astype(float) - pair.final[..., 3:]) * _LOUDER
        for column, picture in enumerate((a, b, apart, alpha.repeat(3, axis=2))):
            cell = Image.fromarray(np.rint(picture.clip(0, 255)).astype(np.uint8))
            sheet.paste(cell, (_TEXT + column * size, top))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path)


def _on_ground(picture: NDArray[np.uint8]) -> NDArray[np.float64]:
    alpha = picture[..., 3:].astype(np.float64) / 255
    return np.asarray(picture[..., :3] * alpha + _GROUND * (1 - alpha), np.float64)


def main() -> None:
    """Draw, compare, write, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=int, default=24)
    parser.add_argument("--out", type=Path, default=Path("build/likeness"))
    asked = parser.parse_args()
    progress = Console(stderr=True)

    def note(pair: Pair) -> None:
        progress.print(f"[dim]{pair.character} {pair.style}: {pair.ssim:.4f}[/dim]", highlight=False)

    with tempfile.TemporaryDirectory(prefix="facefarm-likeness-") as folder:
        room = Path(folder)
        found = measure(cast(room / "models", asked.models).models, room / "packages", asked.out, note)
    Console().print(table(found))
    print(asked.out / "sheet.png")


if __name__ == "__main__":
    main()
