"""The commands that show recipes."""

import click

from farm.cli.console import stdout


@click.group()
def recipe() -> None:
    """What `--recipe` of render, submit and preview can name: specifications in files, to be copied and changed."""


@recipe.command("list")
def list_recipes() -> None:
    """Print the names of all recipes, and what each is for."""
    from farm.recipes.recipe import recipe, recipe_names

    for name in recipe_names():
        stdout.print(f"{name:16} {recipe(name).summary}", markup=False, highlight=False, soft_wrap=True)


@recipe.command()
@click.argument("name")
def show(name: str) -> None:
    """Print the file of the recipe NAME: save it as mine.toml, change it, and render with --recipe mine.toml."""
    from farm.recipes.recipe import recipe

    click.echo(recipe(name).text, nl=False)
