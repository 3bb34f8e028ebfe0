"""Makes docs/images/clip.png: frames of a clip of the mascot Nagi, and below them the flow of each to the next.

usage: .venv/bin/python -m tools.clip_picture
"""

import tempfile
from contextlib import closing
from pathlib import Path

import numpy as np
from PIL import Image

from farm.catalog import Catalog
from farm.dataset.label_pictures import label_pictures
from farm.dataset.manifest import result_object
from farm.dataset.shards import read_shard
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.encoding import decode, decode_labels
from farm.drawing.render import Reporter, render
from farm.mascots import write_mascots
from farm.models.package import read_model
from farm.motion.vmd_writer import BoneKey, MorphKey, vmd_bytes
from farm.reading.readers import Readers
from farm.spec import RenderSpec, render_key
from farm.storage import LocalStore

SIZE = 160
SHOWN = (0, 5, 10, 15, 20, 25)
GROUND = (236, 240, 243, 255)
_TARGET = Path("docs/images/clip.png")


def _turn(x: float, y: float, z: float) -> tuple[float, float, float, float]:
    """A small turn; each number is about twice the sine of half its angle."""
    return x / 2, y / 2, z / 2, float(np.sqrt(1 - (x * x + y * y + z * z) / 4))


def motion() -> bytes:
    """A look to the one side and the other, with a blink and a word between."""
    keys = {0: (0.05, -0.45, 0.1), 10: (-0.12, 0.0, -0.05), 20: (0.1, 0.5, -0.15), 30: (0.0, 0.2, 0.0)}
    bones = [BoneKey("頭", frame, turn=_turn(*turn)) for frame, turn in keys.items()]
    bones += [BoneKey("センター", frame, turn=_turn(0.0, turn[1] / 2, 0.0)) for frame, turn in keys.items()]
    weights = {
        "まばたき": {0: 0.0, 7: 0.0, 10: 1.0, 13: 0.0},
        "あ": {0: 0.0, 10: 0.0, 15: 1.0, 20: 0.2},
        "にこり": {0: 0.0, 15: 0.0, 25: 1.0},
    }
    return vmd_bytes(bones, [MorphKey(name, k, w) for name, each in weights.items() for k, w in each.items()])


def main() -> None:
    """Draw and write it."""
    with tempfile.TemporaryDirectory() as home, closing(Readers(1)) as readers, closing(_Drawing()) as drawing:
        store = LocalStore(Path(home) / "store")
        catalog = Catalog(store)
        package = read_model(next(path for path in write_mascots(Path(home)) if path.stem == "nagi"))
        catalog.add(package)
        with readers.motion("clip.vmd", [motion()]) as found:
            catalog.add_motion(found.about, found.file)
            asked = {"id": found.about.id, "frames": SHOWN[-1] + 2}
        spec = RenderSpec.model_validate({"styles": ["default"], "labels": ["flow"], "size": SIZE, "motion": asked})
        annotation = package.inventory.annotation
        key = render_key(package.id, annotation, spec)
        render(Assignment(package.id, annotation, asked["frames"], key, spec), store, drawing.blender, drawing.quiet)
        pictures = _members(store.get(result_object(key, "default-rotated.tar")), Path(home), ".png")
        arrays = _members(store.get(result_object(key, "labels-rotated.tar")), Path(home), ".labels.npz")
    sheet = Image.new("RGBA", (SIZE * len(SHOWN), 2 * SIZE), GROUND)
    for place, frame in enumerate(SHOWN):
        picture = decode(pictures[frame])
        flow = label_pictures(*decode_labels({".labels.npz": arrays[frame]}), picture)["flow"]
        for row, pixels in enumerate((picture, flow)):
            cell = Image.fromarray(pixels).convert("RGBA")
            sheet.alpha_composite(cell, (place * SIZE, row * SIZE))
    sheet.convert("RGB").quantize(256).save(_TARGET, optimize=True)
    print(_TARGET)


class _Drawing:
    """A Blender that ends with its use."""

    def __init__(self) -> None:
        self.blender = Blender()
        self.quiet = Reporter(lambda count: None, lambda name, seconds: None, lambda style, partition: None)

    def close(self) -> None:
        self.blender.stop()


def _members(data: bytes, room: Path, suffix: str) -> list[bytes]:
    path = room / "shard.tar"
    path.write_bytes(data)
    return [content for name, content in read_shard(path) if name.endswith(suffix)]


if __name__ == "__main__":
    main()
