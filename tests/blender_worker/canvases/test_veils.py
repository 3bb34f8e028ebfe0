"""Outlines of our own about surfaces that are open and seen from one side: no blot where one looks into them."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm import pipe
from farm.drawing.blender import Blender
from farm.models.description import Character
from farm.models.materials import MaterialFlag
from farm.models.package import read_model, to_bytes, unfold
from farm.poses import Partition
from tests.support.characters import mascot_and_pictures, write_character

pytestmark = pytest.mark.blender
SIZE = 192
MUCH = 40
"""Levels of 255 by which a line is darker than what it is drawn over."""


def looked_into(character: Character) -> Character:
    """Her hair and its inside are one material, which is seen from outside alone and has no outline of its own."""
    inside, hair = (next(m for m in character.mmd_materials if m.name == name) for name in ("後髪内", "髪"))
    assert hair.first_triangle == inside.first_triangle + inside.triangle_count
    whole = replace(
        hair,
        first_triangle=inside.first_triangle,
        triangle_count=inside.triangle_count + hair.triangle_count,
        flags=MaterialFlag(0),
    )
    return replace(
        character, materials=tuple(whole if m is hair else m for m in character.materials if m is not inside)
    )


@pytest.mark.parametrize(("suffix", "change"), [(".pmd", lambda character: character), (".pmx", looked_into)])
def test_the_inside_of_hair_is_not_one_dark_blot(
    blender: Blender, tmp_path: Path, suffix: str, change: Callable[[Character], Character]
) -> None:
    # GIVEN a character into whose hair one looks, of which the outside alone is drawn: PMD has nothing else
    momo = mascot_and_pictures("momo")
    package = read_model(write_character(replace(momo, character=change(momo.character)), tmp_path, suffix))
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
        assert inner.sum() <= 20  # near 200 with a blot
