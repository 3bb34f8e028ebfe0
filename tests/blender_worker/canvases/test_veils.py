"""Outlines of our own about surfaces that are open and seen from one side: no blot where one looks into them."""

from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.drawing.blender import Blender
from farm.mascots.cast import MASCOTS
from farm.models.package import read_model, to_bytes, unfold
from farm.poses import Partition
from tests.support.characters import write_character

pytestmark = pytest.mark.blender
SIZE = 192
MUCH = 40
"""Levels of 255 by which a line is darker than what it is drawn over."""


def test_the_inside_of_hair_is_not_one_dark_blot(blender: Blender, tmp_path: Path) -> None:
    # GIVEN a character of whose hair PMD keeps the outside alone: in its inside nothing of it is seen
    package = read_model(write_character(MASCOTS["momo"](), tmp_path, ".pmd"))
    character, textures = unfold(to_bytes(package), tmp_path / "files")
    turns = [(0.0, 0.0, 0.0), (5.0, 0.0, -20.0)]
    request = pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=[],
        styles=["toon", "ink"],
        size=SIZE,
        supersample=2,
        shots=[
            pipe.Shot(sample=number, partition=Partition.ROTATED, weights={}, rotation=turn, light=0.6)
            for number, turn in enumerate(turns)
        ],
    )

    for shot in blender.draw(request, lambda _: None):
        toon, ink = (np.asarray(picture, int) for picture in shot.pictures)
        dark = ((toon - ink)[..., :3].max(axis=-1) > MUCH) & (toon[..., 3] == 255)

        # THEN what is dark are lines: they are there, and hardly any three by three pixels are all dark
        inner = np.lib.stride_tricks.sliding_window_view(dark, (3, 3)).all(axis=(2, 3))
        assert dark.sum() > 100
        assert inner.sum() <= 20  # 206 without the veil
