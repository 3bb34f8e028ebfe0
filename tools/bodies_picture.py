"""Draws the picture of ``docs/how-to/render-bodies.md``: characters as the recipe `bodies` has them, from four sides.

``python -m tools.bodies_picture PATH...``: the page's is what `tests.support.limbs.momo_with_limbs` makes, as a PMX file.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from farm import pipe
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.plan import plan
from farm.drawing.request import request_for
from farm.models.package import read_model, to_bytes, unfold
from farm.poses import NEUTRAL, Partition
from farm.recipes.recipe import recipe

OUT = Path(__file__).parent.parent / "docs" / "images" / "bodies.png"
_SIZE, _POSES = 160, 3


def main() -> None:
    """Draw it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("characters", nargs="+", type=Path)
    blender = Blender()
    each = [_rows(blender, path) for path in parser.parse_args().characters]
    rows = [[picture for row in beside for picture in row] for beside in zip(*each, strict=True)]
    blender.stop()
    sheet = Image.new("RGB", (max(map(len, rows)) * _SIZE, len(rows) * _SIZE), "white")
    for down, row in enumerate(rows):
        for along, pixels in enumerate(row):
            picture = Image.fromarray(pixels)
            sheet.paste(picture, (along * _SIZE, down * _SIZE), picture)
    sheet.save(OUT, optimize=True)


def _rows(blender: Blender, path: Path) -> list[list[np.ndarray]]:
    """A row for the A-pose and one for each of the first samples, from all sides."""
    spec = recipe("bodies").spec.model_copy(update={"size": _SIZE, "supersample": 3, "labels": (), "samples": _POSES})
    package = read_model(path)
    assignment = Assignment(package.id, {}, _POSES, "0" * 64, spec)
    wanted: list[pipe.Shot] = []

    def loaded(message: pipe.Loaded) -> list[pipe.Shot]:
        shots = [shot for shot in plan(assignment, {}, message.unseen).shots if shot.sample != NEUTRAL.index]
        wanted.extend(shot for shot in shots if shot.partition is Partition.FRONTAL and shot.sample == 0)
        wanted.extend(shot for shot in shots if shot.partition is Partition.ROTATED)
        return wanted

    with tempfile.TemporaryDirectory() as room:
        character, textures = unfold(to_bytes(package), Path(room))
        request = request_for(assignment, plan(assignment, {}), character, textures)
        pictures = [drawn.pictures[0] for drawn in blender.draw(request, loaded)]
    views = spec.camera.views
    return [pictures[first : first + views] for first in range(0, len(pictures), views)]


if __name__ == "__main__":
    main()
