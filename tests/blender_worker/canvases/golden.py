"""Golden pictures of our own characters: what they looked like when somebody last looked.

usage: python -m tests.blender_worker.canvases.golden      draws them anew; look at every one before you commit it
"""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from farm import pipe
from farm.dataset.label_pictures import label_pictures
from farm.dataset.similarity import ssim
from farm.drawing.blender import Blender
from farm.labels import LabelName
from farm.mascots import write_mascots
from farm.models.package import read_model
from farm.occluders import OccluderName
from farm.poses import Partition
from farm.spec import CanvasName
from farm.styles import PAPER_STYLES
from tests.support.morphs import played
from tests.support.requests import request_of

FOLDER = Path(__file__).parent / "golden"
SIZE = 96
LEAST_SSIM = 0.985
"""Another driver draws edges a little differently; what a person would call a change is far below this."""
MASCOTS = ("nagi", "momo")
WORN = {"nagi": OccluderName.GLASSES, "momo": OccluderName.MASK}
"""What each wears in the picture NAME-worn, in ink, and in that of the label occlusion; in no other."""
CANVASES = (CanvasName.FORWARD, CanvasName.EEVEE)


def names() -> list[str]:
    """All golden pictures, by file name without suffix."""
    drawn = [f"{mascot}-{canvas}-{style}" for mascot in MASCOTS for canvas in CANVASES for style in PAPER_STYLES]
    drawn += [f"{mascot}-worn" for mascot in MASCOTS]
    return drawn + [f"{mascot}-label-{label}" for mascot in MASCOTS for label in LabelName]


def draw_all(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """Draw every golden picture: (name, (SIZE, SIZE, 4) straight alpha)."""
    blender = Blender()
    try:
        for path in write_mascots(folder):
            for canvas in CANVASES:
                yield from _draw(blender, path, folder, canvas)
    finally:
        blender.stop()


def _draw(blender: Blender, model: Path, folder: Path, canvas: CanvasName) -> Iterator[tuple[str, np.ndarray]]:
    package = read_model(model)
    annotation = played(package)
    turned = (8.0, -6.0, 14.0)
    ours = canvas is CanvasName.FORWARD  # what Eevee draws of an occluder is looked at elsewhere
    request = request_of(
        package,
        folder / f"{model.stem}-{canvas}",
        canvas=canvas,
        occluders=[WORN[model.stem]],
        styles=list(PAPER_STYLES),
        labels=list(LabelName),
        size=SIZE,
        supersample=2,
        shots=[
            pipe.Shot(
                sample=0,
                partition=Partition.ROTATED,
                weights={annotation["mouth/a"]: 0.7},
                rotation=turned,
                light=0.6,
                other_rotation=(0.0, 0.0, 0.0),
                view=pipe.View(occluder=worn),
            )
            for worn in ((None, WORN[model.stem]) if ours else (None,))
        ],
    )
    drawn, *others = blender.draw(request, lambda _: None)
    for style, picture in zip(PAPER_STYLES, drawn.pictures, strict=True):
        yield f"{model.stem}-{canvas}-{style}", picture
    if ours:
        (dressed,) = others
        yield f"{model.stem}-worn", dressed.pictures[PAPER_STYLES.index("ink")]
        labels = drawn.labels | {LabelName.OCCLUSION: dressed.labels[LabelName.OCCLUSION]}
        for label, picture in label_pictures(labels, drawn.marks, drawn.pictures[2]).items():
            yield f"{model.stem}-label-{label}", picture


def difference(name: str, picture: np.ndarray, golden: Path, out: Path) -> str:
    """What is wrong with `picture`, or nothing. Where something is, `out`/NAME.png shows golden, new and difference."""
    path = golden / f"{name}.png"
    if not path.exists():
        return f"{path} is absent: draw it with `python -m tests.blender_worker.canvases.golden` and look at it"
    with Image.open(path) as opened:
        expected = np.asarray(opened.convert("RGBA"))
    alike = ssim(expected, picture)
    if alike >= LEAST_SSIM:
        return ""
    out.mkdir(parents=True, exist_ok=True)
    apart = np.abs(expected.astype(int) - picture.astype(int)).max(axis=-1, keepdims=True)
    shown = np.concatenate([np.repeat((apart * 4).clip(0, 255), 3, axis=-1), np.full_like(apart, 255)], axis=-1)
    strip = Image.fromarray(np.hstack([expected, picture, shown.astype(np.uint8)]))
    strip.resize((strip.width * 3, strip.height * 3), Image.Resampling.NEAREST).save(out / f"{name}.png")
    return f"SSIM {alike:.4f} is under {LEAST_SSIM}; look at {out / f'{name}.png'}: golden, new, difference"


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as room:
        for drawn_name, drawn_picture in draw_all(Path(room)):
            Image.fromarray(drawn_picture).save(FOLDER / f"{drawn_name}.png", optimize=True)
            print(FOLDER / f"{drawn_name}.png")
