"""Makes docs/images/styles.png from the folder that `make demo` leaves: one sample of each mascot in all styles.

usage: .venv/bin/python tools/readme_picture.py [build/demo/images]
"""

import sys
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from farm.dataset.output import RenderedModel, read_output
from farm.poses import Partition
from farm.spec import StyleName

SAMPLES = {"nagi": 38, "momo": 2}
CELL, BAR = 256, 26


def _row(model: RenderedModel, sample: int) -> Image.Image:
    row = Image.new("RGBA", (CELL * len(StyleName), CELL), (236, 240, 243, 255))
    for image in model.manifest.images:
        if image.sample == sample and image.partition is Partition.ROTATED:
            with Image.open(model.image_path(image)) as picture:
                row.alpha_composite(picture, (CELL * list(StyleName).index(image.style), 0))
    return row.crop((0, 40, row.width, CELL))


def main(folder: Path) -> None:
    """Compose the picture."""
    models = {model.folder.name.split("-")[0]: model for model in read_output(folder)}
    rows = [_row(models[name], sample) for name, sample in SAMPLES.items()]
    sheet = Image.new("RGB", (rows[0].width, BAR + sum(row.height for row in rows)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for column, style in enumerate(StyleName):
        pen.text((CELL * (column + 0.5), BAR / 2), style, (40, 44, 52), font, anchor="mm")
    top = BAR
    for row in rows:
        sheet.paste(row.convert("RGB"), (0, top))
        top += row.height
    target = Path("docs/images/styles.png")
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target, optimize=True)
    print(target)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "build/demo/images"))
