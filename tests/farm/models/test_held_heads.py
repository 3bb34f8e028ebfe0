"""A head that is rolled or turned at rest: what its morphs play is told in its own axes."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.models import inventory
from farm.models.description import Character
from farm.models.files import find_models
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from farm.models.posing.armature import Armature
from farm.models.posing.bearing import bearing_of
from farm.models.posing.head import head_height
from farm.models.skeleton import turning_bones
from farm.models.vrm.writer import vrm_bytes
from tests.support.characters import mascot
from tests.support.held import with_head_held

WRITERS: dict[str, Callable[[Character], bytes]] = {
    "pmx": pmx_bytes,
    "pmd": pmd_bytes,
    "vrm": vrm_bytes,
    "vrm 0.x": lambda character: vrm_bytes(character, "0.x"),
}
HELD = [(0.0, 20.0, 0.0), (0.0, -30.0, 0.0), (0.0, 0.0, 20.0), (0.0, 0.0, -35.0), (10.0, 20.0, 25.0), (0.0, 3.0, 2.0)]
"""Degrees: rolled either way, turned either way, all at once, and hardly at all."""


def written(character: Character, kind: str) -> Character:
    return read_character(f".{kind[:3]}", WRITERS[kind](character))


def played(character: Character) -> dict[str, int]:
    held = inventory.of_character(character, {}, [])
    return {target: ref.index for target, ref in held.annotation.items()}


def axes(character: Character) -> np.ndarray | None:
    neck, head, _ = turning_bones(character)
    world = np.array(character.axes.to_world, np.float32)
    armature = Armature(character, neck, world)
    found = bearing_of(
        armature, neck, head, head_height(character, armature, neck, head, character.positions @ world.T)
    )
    return None if found is None else found.axes


@pytest.mark.parametrize("kind", WRITERS)
@pytest.mark.parametrize("about", ["neck", "head"])
def test_its_morphs_play_what_they_play_on_an_upright_head(kind: str, about: str) -> None:
    upright = played(written(mascot("nagi"), kind))
    assert len(upright) >= 20

    for degrees in HELD:
        assert played(written(with_head_held(mascot("nagi"), degrees, about), kind)) == upright, degrees


@pytest.mark.parametrize("degrees", HELD[:2])
def test_without_eye_bones_the_line_from_neck_to_head_tells_how_it_is_rolled(
    degrees: tuple[float, float, float],
) -> None:
    character = mascot("nagi")
    eyes = {"左目", "右目"}

    def blind(one: Character) -> Character:
        return replace(one, bones=tuple(replace(b, name="x", name_en="") if b.name in eyes else b for b in one.bones))

    assert played(blind(with_head_held(character, degrees, "neck"))) == played(blind(character))


def test_its_axes_are_those_that_it_was_turned_by() -> None:
    # GIVEN a head rolled to its right by 20 degrees, THEN its left side is the higher one
    found = axes(with_head_held(mascot("momo"), (0.0, -20.0, 0.0)))

    assert found is not None
    cosine, sine = np.cos(np.radians(20)), np.sin(np.radians(20))
    np.testing.assert_allclose(found, [[cosine, 0, sine], [0, 1, 0], [-sine, 0, cosine]], atol=1e-5)


def test_eye_bones_on_the_wrong_sides_turn_no_head() -> None:
    swap = {"左目": "右目", "右目": "左目"}
    bones = tuple(replace(b, name=swap.get(b.name, b.name), name_en="") for b in mascot("nagi").bones)

    assert axes(replace(mascot("nagi"), bones=bones)) is None


def test_heads_of_real_characters_are_upright(real_models: Path) -> None:
    for path in find_models(real_models):
        assert axes(read_character(path.suffix.lower(), path.read_bytes())) is None, path
