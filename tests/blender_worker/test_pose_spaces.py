"""Pose spaces, drawn: every entry that a character can play changes its picture where it should, on the character's side."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from farm.drawing.blender import Blender
from farm.labels import MOUTH, Part
from farm.models.files import find_models
from farm.models.package import read_model
from farm.morphs.vocabulary import Side
from farm.spaces.space import space_named
from tests.blender_worker.entries import SIZE, Character, Shown, drawn

pytestmark = pytest.mark.blender

EYES = {Side.LEFT: (Part.EYE_LEFT,), Side.RIGHT: (Part.EYE_RIGHT,), Side.BOTH: (Part.EYE_LEFT, Part.EYE_RIGHT)}
BROWS = {
    Side.LEFT: (Part.EYEBROW_LEFT, Part.EYE_LEFT),
    Side.RIGHT: (Part.EYEBROW_RIGHT, Part.EYE_RIGHT),
    Side.BOTH: (Part.EYEBROW_LEFT, Part.EYEBROW_RIGHT, *EYES[Side.BOTH]),
}
"""Fringes cover brows wholly or in part: what is to be seen of them lies at brows or above the eyes."""
HEAD = (Part.HAIR, Part.FACE, *BROWS[Side.BOTH], *MOUTH)
GROUPS = {
    "face-45": {"eyebrow": BROWS, "eye": EYES, "iris": EYES, "iris_rotation": EYES, "mouth": MOUTH},
    "arkit-52": {
        "lids": EYES, "gaze_up": EYES, "gaze_aside": EYES, "brows": BROWS, "jaw": MOUTH, "corners": MOUTH, "lips": MOUTH,
        "tongue": MOUTH,
    },
}  # fmt: skip
"""Where the parameters of a group change the picture; the body's are looked at apart, cheeks are no part of their own."""
FACE = space_named("face-45")
WITHIN = 0.55
"""Of the pixels that change, at least so many lie there: lids take lashes with them, mouths cheeks, brows the forehead."""
ON_SIDE = 0.85
"""And so many on the side; halves share a band about the middle."""
CORNER_ON_SIDE = 0.6
"""Of a mouth, whose sides meet in the middle."""


def _check(character: Character, space: str, name: str) -> Counter[str]:
    """What was looked at, by group."""
    looked: Counter[str] = Counter()
    for one in character.shown:
        key = space_named(space).keys[one.key]
        said = f"{name}: {one.key} at {one.value}"
        assert one.changed.sum() >= 4, f"{said} changes nothing"
        side = key.side or Side.BOTH
        places = GROUPS[space].get(key.group.name)
        if side is not Side.BOTH:
            own = one.changed[:, SIZE // 2 :] if side is Side.LEFT else one.changed[:, : SIZE // 2]  # the character's
            least = CORNER_ON_SIDE if places is MOUTH else ON_SIDE
            assert own.sum() >= least * one.changed.sum(), f"{said} is on the other side"
        if places is not None:
            parts = places[side] if isinstance(places, dict) else places
            box = character.near(one, *parts, margin=0.06)
            if box.any():  # else the character has no such part of its own: eyes that are painted, a mouth of nothing
                assert one.changed[box].sum() >= WITHIN * one.changed.sum(), f"{said} is elsewhere"
                looked[key.group.name] += 1
        else:
            looked.update(_body(character, one, said))
    return looked


def _body(character: Character, one: Shown, said: str) -> Iterator[str]:
    group = one.key.split("/")[0]
    trunk = (Part.BODY, Part.NECK, Part.ACCESSORIES)
    before, body = np.isin(character.neutral, trunk), np.isin(character.neutral, trunk) | np.isin(one.parts, trunk)
    if not before.any():  # a ball on a stand, of one part: that it changes is all there is to say
        return
    if group == "body":
        # The whole upper body goes, the head with it; blocks of one colour change at their edges alone.
        assert one.changed[np.isin(character.neutral, HEAD)].mean() > 0.04, said
        assert one.changed[before].mean() > 0.005, said
        yield group
    if group == "breathing":
        # The chest goes, and the head stays where it is.
        face = np.isin(character.neutral, (Part.FACE, *BROWS[Side.BOTH], *MOUTH))
        assert one.changed[body].any(), said
        assert one.changed[face].mean() < 0.1, said
        yield group


@pytest.mark.parametrize(("name", "brows"), [("momo", set()), ("nagi", {"eyebrow"})])
def test_every_entry_changes_its_part_on_its_side(
    blender: Blender, mascots: dict[str, Path], name: str, brows: set[str]
) -> None:
    character = drawn(blender, mascots[name], "face-45")

    looked = _check(character, "face-45", name)

    assert looked.keys() == {"eye", "mouth", "body", "breathing"} | brows
    # Their irises would go behind the whites: then the eyes look nowhere, and the mask says so.
    mask = dict(zip(FACE.entries, FACE.mask(character.todo.cast), strict=True))
    assert (mask["iris_rotation_x"], mask["iris_rotation_y"]) == (False, False)


def test_eye_bones_turn_the_irises(blender: Blender, real_models: Path) -> None:
    character = drawn(blender, real_models / "gene" / "Gene_light.pmx", "face-45")

    looked = _check(character, "face-45", "gene")

    assert looked.keys() == {*GROUPS["face-45"], "body", "breathing"}
    assert character.todo.cast["iris_rotation/x"].moves
    assert character.todo.cast["iris_rotation/y"].moves


def test_a_vrm_without_eye_bones_looks_by_its_expressions(blender: Blender, real_models: Path) -> None:
    character = drawn(blender, real_models / "vrm_godette" / "Godette_vrm_v4.vrm", "face-45")

    looked = _check(character, "face-45", "godette")

    assert {"eye", "iris_rotation", "mouth", "body"} <= looked.keys()
    gaze = character.todo.cast["iris_rotation/x"]
    assert (gaze.moves, [ref.name.lower() for ref in (*gaze.of, *gaze.against)]) == (False, ["lookdown", "lookup"])


@pytest.mark.long
@pytest.mark.parametrize("space", GROUPS)
def test_every_entry_of_every_character_changes_its_part(blender: Blender, real_models: Path, space: str) -> None:
    looked: Counter[str] = Counter()
    for path in find_models(real_models):
        character = drawn(blender, path, space)
        if len(read_model(path).inventory.textures_absent) > 3:  # then parts that are painted cannot be told
            assert all(one.changed.any() for one in character.shown), path.name
        else:
            looked.update(_check(character, space, path.name))

    assert set(GROUPS[space]) <= looked.keys()
