"""The page of pose spaces says what their files say."""

from farm.recipes.recipe import recipe_names
from farm.spaces.space import space_named, space_names
from tools.pose_spaces import PAGE, page


def test_the_tables_are_those_of_the_files() -> None:
    """`python -m tools.pose_spaces` writes them anew."""
    text = PAGE.read_text("utf-8")

    assert page(text) == text
    for name in space_names():
        assert f"### {name}\n" in text
        assert all(f"| `{entry}` |" in text for entry in space_named(name).entries)


def test_the_how_to_names_every_recipe() -> None:
    text = (PAGE.parents[1] / "how-to" / "render-talking-heads.md").read_text("utf-8")

    assert all(f"`{name}`" in text for name in recipe_names())
