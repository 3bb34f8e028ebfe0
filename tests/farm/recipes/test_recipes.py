"""Recipes: those that come with the project, a person's own, and files that are none."""

import os
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from farm.cameras import Framing
from farm.cli.recipe import recipe as command
from farm.errors import SpecError
from farm.morphs.refs import MorphRef
from farm.poses import Partition
from farm.recipes.recipe import MAX_BYTES, SpecRecipe, _read, recipe, recipe_names
from farm.spaces.limbs import RestPose
from farm.spec import RenderSpec, render_key

OWN = """
name = "mine"
summary = "My own."
[spec]
pose_space = "face-45"
samples = 5
"""


def test_animeceleb_is_the_default_key_by_key() -> None:
    annotation = {"mouth/a": MorphRef(index=1, name="あ")}

    assert recipe("animeceleb").spec == RenderSpec()
    assert render_key("a" * 64, annotation, recipe("animeceleb").spec) == render_key("a" * 64, annotation, RenderSpec())
    assert "annotation" not in recipe("animeceleb").values  # which ones count is the farm's to say


def test_talking_head_is_one_picture_a_pose_of_45_parameters() -> None:
    spec = recipe("talking-head").spec

    assert (spec.pose_space, spec.partitions, spec.camera.framing) == ("face-45", (Partition.ROTATED,), Framing.BUST)
    assert spec.samples_by_rule(spec.space.targets) == 200


def test_bodies_are_seen_from_four_sides_in_the_a_pose_and_in_drawn_ones() -> None:
    spec = recipe("bodies").spec

    assert (spec.pose_space, spec.stance, spec.partitions) == ("body-34", RestPose.A, tuple(Partition))
    assert (spec.camera.framing, spec.camera.around, spec.camera.views) == (Framing.BODY, 4, 4)
    assert spec.images_of(spec.samples_by_rule(())) == 20 * 2 * 4


def test_a_copy_of_each_is_that_recipe(tmp_path: Path) -> None:
    for name in recipe_names():
        shown = CliRunner().invoke(command, ["show", name])
        (tmp_path / "mine.toml").write_text(shown.output, "utf-8")

        assert recipe(str(tmp_path / "mine.toml")) == recipe(name)


def test_the_list_has_a_line_for_each() -> None:
    lines = CliRunner().invoke(command, ["list"]).output.splitlines()

    names = [line.split()[0] for line in lines]
    assert names == list(recipe_names()) == ["animeceleb", "bodies", "clips", "talking-head"]
    assert all(recipe(name).summary in line for name, line in zip(recipe_names(), lines, strict=True))


def test_a_file_says_what_it_says_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "mine.toml").write_text(OWN, "utf-8")

    assert recipe(str(tmp_path / "mine.toml")).values == {"pose_space": "face-45", "samples": 5}


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("samples = 5", "samples = 0", "spec.samples"),
        ("samples = 5", 'colour = "red"', "spec.colour"),
        ('"face-45"', '"face-46"', "there is no pose space 'face-46'"),
        ("[spec]", "[specs]", "spec"),
        ('name = "mine"', 'name = "My Own"', "name"),
        ("samples = 5", f'backgrounds = ["{"0" * 64}"]', "--backgrounds"),
        ("[spec]", "[spec", "no TOML"),
        ('summary = "My own."', "", "summary"),
    ],
)
def test_what_a_recipe_may_not_say_is_refused_with_its_place(tmp_path: Path, old: str, new: str, told: str) -> None:
    assert old in OWN
    (tmp_path / "mine.toml").write_text(OWN.replace(old, new), "utf-8")

    with pytest.raises(SpecError, match=rf"mine\.toml.*{told}"):
        recipe(str(tmp_path / "mine.toml"))


def test_what_is_no_file_of_a_recipe_is_refused(tmp_path: Path) -> None:
    (tmp_path / "large.toml").write_bytes(b"#" * (MAX_BYTES + 1))
    (tmp_path / "folder.toml").mkdir()
    os.mkfifo(tmp_path / "pipe.toml")  # nobody writes into it: to wait for that would take for ever
    (tmp_path / "junk.toml").write_bytes(b"\xff\xfe\x00")

    for name in ("large.toml", "folder.toml", "pipe.toml", "junk.toml", "absent.toml", "a\0b.toml"):
        with pytest.raises(SpecError):
            recipe(str(tmp_path / name))
    with pytest.raises(SpecError, match="there are animeceleb, bodies, clips, talking-head"):
        recipe("busts")


@given(st.binary(max_size=300), st.integers(0, len(OWN)))
def test_damage_gives_a_recipe_or_a_sentence(junk: bytes, at: int) -> None:
    try:
        assert isinstance(_read(OWN.encode()[:at] + junk + OWN.encode()[at:], "mine.toml"), SpecRecipe)
    except SpecError as error:
        assert str(error).startswith("mine.toml")
