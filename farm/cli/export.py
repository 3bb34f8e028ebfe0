"""The command that turns a rendered folder into the layout of a data set."""

from pathlib import Path

import click
from rich.progress import Progress

from farm.cli.console import stderr, stdout
from farm.dataset.animeceleb import export as export_animeceleb


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--format", "layout", type=click.Choice(["animeceleb"]), default="animeceleb", show_default=True)
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the data set.")
def export(directory: Path, layout: str, out: Path) -> None:
    """Write the folder DIRECTORY, which `farm render` made, in the layout of the AnimeCeleb release."""
    with Progress(console=stderr) as bar:
        task = bar.add_task("export", total=None)
        result = export_animeceleb(directory, out, lambda done, total: bar.update(task, completed=done, total=total))
    stdout.print(
        f"{result.images} images of {result.models} models in {len(result.styles)} styles are in {out} "
        f"({result.train} models to train, {result.test} to test)",
        markup=False,
        soft_wrap=True,
    )
