"""Pose spaces as data: what stands in the files, and what a file may not say."""

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.dataset.output import POSE_COLUMNS
from farm.errors import SpecError
from farm.morphs.vocabulary import all_targets, target_morphs
from farm.spaces import reading
from farm.spaces.reading import read_space
from farm.spaces.space import DEFAULT, FIRST_MOVEMENT, space_named, space_names

SPACES = Path(reading.__file__).parent
APPLE = (
    "eyeBlinkLeft eyeLookDownLeft eyeLookInLeft eyeLookOutLeft eyeLookUpLeft eyeSquintLeft eyeWideLeft "
    "eyeBlinkRight eyeLookDownRight eyeLookInRight eyeLookOutRight eyeLookUpRight eyeSquintRight eyeWideRight "
    "jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight "
    "mouthSmileLeft mouthSmileRight mouthFrownLeft mouthFrownRight mouthDimpleLeft mouthDimpleRight "
    "mouthStretchLeft mouthStretchRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper "
    "mouthPressLeft mouthPressRight mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight "
    "browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight "
    "cheekPuff cheekSquintLeft cheekSquintRight noseSneerLeft noseSneerRight tongueOut"
)
SMALL = """
name = "small"
summary = "s"
source = "s"
combine = true
samples = { more_than = 1, many = 9, few = 3 }
[[group]]
name = "eye"
plays = "one"
parameter = [
  { name = "wink", entries = ["wink_left", "wink_right"], by = [{ target = "eye/closed" }] },
  { name = "look", entries = ["look"], range = [-1, 1], by = [{ moves = [{ bone = "eye", turn = [9, 0, 0] }] }] },
]
[[group]]
name = "head"
plays = "each"
parameter = [{ name = "x", entries = ["nod"], range = [-1, 1], by = [{ head = [15, 0, 0] }] }]
"""


def test_there_are_four_and_the_default_is_first() -> None:
    assert space_names() == (DEFAULT, "arkit-52", "body-34", "face-45")


def test_the_default_is_the_paper_s_vector_and_rule() -> None:
    space = space_named(DEFAULT)

    assert space.entries == POSE_COLUMNS
    assert list(space.keys) == [target.name for target in target_morphs()]
    for target in target_morphs():
        assert space.keys[target.name].places == target.entries
    assert [space.sample_count([t.name for t in target_morphs()[:count]]) for count in (0, 5, 6, 23)] == [
        20,
        20,
        100,
        100,
    ]
    assert space.sample_count([name for name, target in all_targets().items() if not target.sampled]) == 20


def test_face_45_is_what_talking_head_posers_take() -> None:
    space = space_named("face-45")

    counts = Counter(entry.split("_")[0] for entry in space.entries)
    assert counts == {"eyebrow": 12, "eye": 12, "iris": 4, "mouth": 11, "head": 2, "neck": 1, "body": 2, "breathing": 1}
    assert space.entries[:2] == ("eyebrow_troubled_left", "eyebrow_troubled_right")
    assert space.entries[24:27] == ("iris_small_left", "iris_small_right", "mouth_aaa")
    assert space.entries[37:] == (
        "iris_rotation_x", "iris_rotation_y", "head_x", "head_y", "neck_z", "body_y", "body_z", "breathing",
    )  # fmt: skip
    assert list(space.ranges) == [(0, 1)] * 37 + [(-1, 1)] * 7 + [(0, 1)]


def test_arkit_52_is_apple_s_list_and_every_shape_has_a_target_of_its_name() -> None:
    space = space_named("arkit-52")

    assert list(space.entries) == APPLE.split()
    assert len(space.targets) >= 52


def test_one_name_means_one_thing_in_all_spaces() -> None:
    """Tables hold models of several spaces: a column has one meaning."""
    meanings: dict[str, set[Any]] = {}
    for name in space_names():
        space = space_named(name)
        for key in space.keys.values():
            if len(key.places) == 1:
                (place,) = key.places
                meanings.setdefault(space.entries[place], set()).add((key.parameter.by[0].model_dump_json(), key.side))

    assert all(len(found) == 1 for found in meanings.values())


@pytest.mark.parametrize("name", space_names())
def test_numbers_of_movements_are_those_of_no_half(name: str) -> None:
    numbers = list(space_named(name).movements)

    assert len(set(numbers)) == len(numbers)
    assert all(number <= FIRST_MOVEMENT < -2 * (2**31) - 2 for number in numbers)


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "small"', 'name = "small"\nnose = 1', "nose"),
        ('name = "small"', 'name = "Small space"', "name"),
        ("combine = true\n", "", "combine"),
        ('target = "eye/closed"', 'target = "eye/shut"', "group eye, parameter wink.*'eye/shut' is nothing"),
        ('target = "eye/closed"', 'target = "eye/closed", head = [1, 0, 0]', "one of target, names, moves and head"),
        ('{ target = "eye/closed" }', "{ }", "one of target"),
        ('{ target = "eye/closed" }', '{ names = ["x"] }', "names and part go together"),
        ('["wink_left", "wink_right"]', '["wink_left", "wink_left"]', "wink_left stands twice"),
        ('["wink_left", "wink_right"]', '["wink_left", "=1+1"]', "entries"),
        ('["wink_left", "wink_right"]', '["a", "b", "c"]', "entries"),
        ('["wink_left", "wink_right"]', "[]", "has no entries"),
        ('["look"]', '["nod"]', "nod stands twice"),
        ("range = [-1, 1], by = [{ moves", "range = [1, -1], by = [{ moves", "range"),
        ("range = [-1, 1], by = [{ moves", "range = [-inf, 1], by = [{ moves", "range"),
        ("turn = [9, 0, 0]", "turn = [9, 9, 0]", "several axes"),
        ("turn = [9, 0, 0]", "turn = [90, 0, 0]", "further than 45"),
        ("turn = [9, 0, 0]", "turn = [nan, 0, 0]", "no numbers"),
        ("turn = [9, 0, 0]", "turn = [0, 0, 0]", "neither turns"),
        ('bone = "eye"', 'bone = "tail"', "bone"),
        ("head = [15, 0, 0]", "head = [0, 0, 0]", "about no axis"),
        ('plays = "each"', 'plays = "one"', "drawn each"),
        ('plays = "one"', 'plays = "one"\nrest = 1.0', "rest"),
        ('plays = "one"', 'plays = "one"\nsides = { both = 0, left = 0, right = 0 }', "no side ever plays"),
        ('plays = "one"', 'plays = "one"\nsets = [["nod"]]', "no entry of it"),
        ('bone = "eye"', 'bone = "hand"', "has this one way, and an entry for each side"),
        ('target = "eye/closed" }', 'moves = [{ bone = "hand", turn = [1, 0, 0] }] }', "has to say from where"),
        ('{ target = "eye/closed" }', '{ moves = [{ bone = "foot", turn = [1, 0, 0], reach = 0.1 }] }', "limbs turn"),
        ('{ target = "eye/closed" }', '{ moves = [{ bone = "foot", turn = [1, 0, 0] }, { bone = "eye", turn = [1, 0, 0] }] }',
         "limbs and other bones"),
        ('["wink_left", "wink_right"]', '["wink_left", "wink_right"], range = [-1, 1]', "unless it turns limbs"),
        ('source = "s"', 'source = "s"\nrest = "b"', "rest"),
        ("many = 9", "many = 0", "samples"),
        ('name = "head"', 'name = "eye"', "group eye stands twice"),
        ('samples = {', 'order = ["wink_left", "look", "nod"]\nsamples = {', "wink_right"),
        ("[[group]]", "[[group", "no TOML"),
        (
            '{ name = "look"',
            '{ name = "again", entries = ["again"], by = [{ target = "eye/closed" }] },\n  { name = "look"',
            "plays two parameters",
        ),
    ],
)  # fmt: skip
def test_what_a_space_may_not_say_is_refused_with_its_place(old: str, new: str, told: str) -> None:
    assert read_space(SMALL.encode(), "small.toml").name == "small"
    assert old in SMALL

    with pytest.raises(SpecError, match=f"(?s)^small.toml.*{told}.*[.]$"):
        read_space(SMALL.replace(old, new, 1).encode(), "small.toml")


def test_an_endless_file_is_refused() -> None:
    with pytest.raises(SpecError, match="over the limit"):
        read_space(SMALL.encode() + b"#" * 2**20, "small.toml")


@given(st.binary(max_size=400), st.integers(0, len(SMALL)), st.integers(0, 40))
def test_damage_gives_a_space_or_a_sentence(junk: bytes, at: int, cut: int) -> None:
    damaged = SMALL.encode()[:at] + junk + SMALL.encode()[at + cut :]

    try:
        read_space(damaged, "small.toml")
    except SpecError as error:
        assert str(error).startswith("small.toml")


@pytest.mark.parametrize("name", space_names())
def test_each_file_is_read_whole(name: str) -> None:
    """What the file says of entries, read without our reader, is what the space has."""
    given_file = tomllib.loads((SPACES / f"{name}.toml").read_text("utf-8"))

    said = [
        entry for group in given_file["group"] for p in group.get("parameter", ()) for entry in p.get("entries", ())
    ]
    assert sorted(space_named(name).entries) == sorted(said)
    assert list(space_named(name).entries) == given_file.get("order", said)


def test_an_unknown_space_is_refused_by_name() -> None:
    with pytest.raises(SpecError, match="no pose space 'face-46'; there are animeceleb-20, arkit-52, body-34, face-45"):
        space_named("face-46")
