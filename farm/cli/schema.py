"""The command that prints the form of the files that a farm leaves."""

import click

from farm.dataset import manifest

_SCHEMAS = {"manifest": manifest.schema}


@click.command()
@click.argument("file", type=click.Choice(list(_SCHEMAS)))
def schema(file: str) -> None:
    """Print the JSON Schema of FILE as this version writes it."""
    click.echo(_SCHEMAS[file](), nl=False)
