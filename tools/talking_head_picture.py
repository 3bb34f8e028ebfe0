"""Draws the picture of ``docs/how-to/render-talking-heads.md``: a mascot, each entry of face-45 that she can play by itself.

``python -m tools.talking_head_picture``
"""

import tempfile
from pathlib import Path

from PIL import Image, ImageDraw

from farm import pipe
from farm.cameras import CameraSpec
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.plan import plan
from farm.drawing.request import request_for
from farm.mascots import write_mascots
from farm.models.package import read_model, to_bytes, unfold
from farm.poses import Partition
from farm.recipes.recipe import recipe

OUT = Path(__file__).parent.parent / "docs" / "images" / "face-45.png"
_SIZE, _COLUMNS, _LINE = 144, 9, 16
_ANGLES = {"head_x": (1, 0, 0), "head_y": (0, 0, 1), "neck_z": (0, 1, 0)}


def main() -> None:
    """Draw it."""
    looks = {"camera": CameraSpec(), "labels": (), "size": _SIZE, "supersample": 3}
    spec = recipe("talking-head").spec.model_copy(update=looks)
    with tempfile.TemporaryDirectory() as room:
        path = next(path for path in write_mascots(Path(room) / "mascots") if "nagi" in path.name)
        package = read_model(path)
        annotation = package.inventory.annotation
        assignment = Assignment(package.id, annotation, 1, "0" * 64, spec)
        todo = plan(assignment, {})
        named = [("neutral", _shot({}))]

        def loaded(message: pipe.Loaded) -> list[pipe.Shot]:
            for key, played in plan(assignment, {}, message.unseen).cast.items():
                if spec.space.keys[key].side == "both":
                    continue
                (place,) = spec.space.keys[key].places
                for value in filter(None, spec.space.ranges[place]):
                    name = f"{spec.space.entries[place]} {value:g}"
                    named.append((name, _shot(played.weights(key, spec.space, value))))
            for entry, axes in _ANGLES.items():
                x, y, z = (15.0 * axis for axis in axes)
                named.append((f"{entry} 1", _shot({}, (x, y, z))))
            return [shot for _, shot in named]

        character, textures = unfold(to_bytes(package), Path(room) / "nagi")
        request = request_for(assignment, todo, character, textures).model_copy(update={"shots": [_shot({})]})
        blender = Blender()
        pictures = [drawn.pictures[0] for drawn in blender.draw(request, loaded)]
        blender.stop()
    rows = -(-len(pictures) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _SIZE, rows * (_SIZE + _LINE)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, ((name, _), pixels) in enumerate(zip(named, pictures, strict=True)):
        left, top = number % _COLUMNS * _SIZE, number // _COLUMNS * (_SIZE + _LINE)
        picture = Image.fromarray(pixels)
        sheet.paste(picture, (left, top + _LINE), picture)
        pen.text((left + 3, top + 3), name, fill="black")
    sheet.save(OUT, optimize=True)


def _shot(weights: dict[int, float], rotation: tuple[float, float, float] = (0, 0, 0)) -> pipe.Shot:
    return pipe.Shot(sample=0, partition=Partition.ROTATED, weights=weights, rotation=rotation, light=0.7)


if __name__ == "__main__":
    main()
