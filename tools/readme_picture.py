"""Makes docs/images/styles.png: one sample of the mascot Nagi in all styles, and its labels.

usage: .venv/bin/python tools/readme_picture.py
"""

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from farm import pipe
from farm.dataset.label_pictures import label_pictures
from farm.drawing.blender import Blender
from farm.labels import LabelName
from farm.mascots import write_mascots
from farm.models.package import read_model, to_bytes, unfold
from farm.morphs.annotation import sampled_targets
from farm.poses import Partition, draw
from farm.styles import PAPER_STYLES

SEED, SAMPLE = 0, 38
CELL, BAR, TOP = 256, 26, 40
GROUND = (236, 240, 243, 255)
_TARGET = Path("docs/images/styles.png")


def _draw(room: Path) -> list[tuple[str, np.ndarray]]:
    """The sample's pictures, rotated: styles, then labels."""
    package = read_model(write_mascots(room)[0])
    character, textures = unfold(to_bytes(package), room / "package")
    annotation = {target: morph.index for target, morph in package.inventory.annotation.items()}
    sample = draw(SEED, package.id, SAMPLE, sampled_targets(package.inventory.annotation))
    request = pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=sorted(set(annotation.values())),
        annotation=annotation,
        styles=list(PAPER_STYLES),
        labels=list(LabelName),
        size=CELL,
        supersample=2,
        shots=[
            pipe.Shot(
                sample=SAMPLE,
                partition=Partition.ROTATED,
                weights={annotation[target]: weight for target, weight in sample.weights.items()},
                rotation=sample.rotation,
                light=sample.light,
                other_rotation=(0.0, 0.0, 0.0),
            )
        ],
    )
    blender = Blender()
    try:
        (drawn,) = blender.draw(request, lambda _: None)
    finally:
        blender.stop()
    flat = drawn.pictures[PAPER_STYLES.index("flat")]
    labels = label_pictures(drawn.labels, drawn.marks, flat)
    wanted = ("parts", "landmarks", "depth", "normals")  # uv and flow say less to the eye
    return [*zip(PAPER_STYLES, drawn.pictures, strict=True), *((name, labels[name]) for name in wanted)]


def main() -> None:
    """Compose the picture."""
    with tempfile.TemporaryDirectory() as room:
        pictures = _draw(Path(room))
    columns = len(PAPER_STYLES)
    height = CELL - TOP
    sheet = Image.new("RGBA", (CELL * columns, 2 * (BAR + height)), "white")
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(size=15)
    for place, (name, pixels) in enumerate(pictures):
        left, top = place % columns * CELL, place // columns * (BAR + height)
        pen.text((left + CELL / 2, top + BAR / 2), name, (40, 44, 52), font, anchor="mm")
        cell = Image.new("RGBA", (CELL, CELL), GROUND)
        cell.alpha_composite(Image.fromarray(pixels))
        sheet.paste(cell.crop((0, TOP, CELL, CELL)), (left, top + BAR))
    _TARGET.parent.mkdir(parents=True, exist_ok=True)
    with io.BytesIO() as out:
        sheet.convert("RGB").save(out, "PNG", optimize=True)
        _TARGET.write_bytes(out.getvalue())
    print(_TARGET)


if __name__ == "__main__":
    main()
