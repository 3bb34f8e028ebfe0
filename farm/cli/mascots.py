"""The command that writes the project's own characters."""

from pathlib import Path

import click

from farm.cli.console import stdout


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("mascots"), show_default=True)
def mascots(out: Path) -> None:
    """Write the two sample characters (PMX with textures) that the demo renders."""
    from farm.mascots import write_mascots

    for path in write_mascots(out):
        stdout.print(str(path), markup=False, soft_wrap=True)
