"""Makes docs/images/style-NAME.png: the mascot Momo in each of the four styles.

usage: .venv/bin/python tools/style_pictures.py
"""

import tempfile
from pathlib import Path

from PIL import Image

from farm import pipe
from farm.drawing.blender import Blender
from farm.mascots import write_mascots
from farm.models.package import read_model, to_bytes, unfold
from farm.poses import Partition
from farm.styles import PAPER_STYLES

SIZE = 192
COLOURS = 256
GROUND = (236, 240, 243, 255)
_TARGET = Path("docs/images")


def main() -> None:
    """Draw and write them."""
    blender = Blender()
    with tempfile.TemporaryDirectory() as home:
        room = Path(home)
        model = next(path for path in write_mascots(room) if path.stem == "momo")
        character, textures = unfold(to_bytes(read_model(model)), room / "package")
        shot = pipe.Shot(sample=0, partition=Partition.ROTATED, weights={}, rotation=(4.0, -5.0, 18.0), light=0.6)
        request = pipe.Render(
            character=str(character),
            textures={index: str(path) for index, path in textures.items()},
            morphs=[],
            styles=list(PAPER_STYLES),
            size=SIZE,
            supersample=4,
            shots=[shot],
        )
        try:
            (drawn,) = blender.draw(request, lambda _: None)
        finally:
            blender.stop()
    for style, pixels in zip(PAPER_STYLES, drawn.pictures, strict=True):
        picture = Image.new("RGBA", (SIZE, SIZE), GROUND)
        picture.alpha_composite(Image.fromarray(pixels))
        path = _TARGET / f"style-{style}.png"
        picture.convert("RGB").quantize(COLOURS).save(path, optimize=True)
        print(path)


if __name__ == "__main__":
    main()
