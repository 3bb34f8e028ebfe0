"""Makes docs/images/occluders.png: both mascots without and with each occluder, and what the labels say of it.

usage: .venv/bin/python tools/occluders_picture.py
"""

import io
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from farm import pipe
from farm.colour import laid_over
from farm.dataset.label_pictures import label_pictures
from farm.drawing.blender import Blender
from farm.labels import LabelName
from farm.mascots import write_mascots
from farm.models.package import read_model, to_bytes, unfold
from farm.occluders import OccluderName
from farm.poses import Partition

CELL = 224
GROUND = (236, 240, 243)
TURNS = {"nagi": (4.0, -5.0, 16.0), "momo": (-3.0, 4.0, -14.0)}
_LABELS = ("parts", "occlusion")
_TARGET = Path("docs/images/occluders.png")


def _rows(blender: Blender, model: Path, room: Path) -> list[list[NDArray[np.uint8]]]:
    """The pictures of one character in two styles, bare first, and two of their labels."""
    package = read_model(model)
    character, textures = unfold(to_bytes(package), room)
    annotation = {target: morph.index for target, morph in package.inventory.annotation.items()}
    request = pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=sorted(set(annotation.values())),
        annotation=annotation,
        occluders=list(OccluderName),
        styles=["default", "ink"],
        labels=[LabelName.PARTS, LabelName.OCCLUSION],
        size=CELL,
        supersample=3,
        shots=[
            pipe.Shot(
                sample=number,
                partition=Partition.ROTATED,
                weights={annotation["mouth/a"]: 0.6},
                rotation=TURNS[model.stem],
                light=0.7,
                view=pipe.View(occluder=worn),
            )
            for number, worn in enumerate((None, *OccluderName))
        ],
    )
    drawn = list(blender.draw(request, lambda _: None))
    labels = [label_pictures(one.labels, None, one.pictures[0]) for one in drawn]
    return [
        *([one.pictures[style] for one in drawn] for style in range(len(request.styles))),
        *([found[name] for found in labels] for name in _LABELS),
    ]


def main() -> None:
    """Compose the picture."""
    blender = Blender()
    try:
        with tempfile.TemporaryDirectory() as folder:
            room = Path(folder)
            nagi, momo = (_rows(blender, model, room / model.stem) for model in write_mascots(room / "mascots"))
    finally:
        blender.stop()
    rows = [nagi[0], momo[1], *nagi[2:]]
    ground = np.full((CELL, CELL, 3), GROUND, np.uint8)
    sheet = np.vstack([np.hstack([laid_over(picture, ground) for picture in row]) for row in rows])
    with io.BytesIO() as out:
        Image.fromarray(sheet).quantize(192, dither=Image.Dither.NONE).save(out, "PNG", optimize=True)
        _TARGET.write_bytes(out.getvalue())


if __name__ == "__main__":
    main()
