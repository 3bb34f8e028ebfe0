"""The command that gives a farm models and has nothing rendered: to decide first what their morphs play."""

from pathlib import Path

import click

from farm.cli.console import stdout
from farm.cli.following import report
from farm.cli.options import PATHS, models_at
from farm.cli.remote import remote
from farm.cli.uploading import upload as send
from farm.client import FarmClient
from farm.wording import clean, counted


@click.command()
@PATHS
@click.option(
    "--collection", metavar="NAME", help="Make a collection of them, to annotate together at /annotate/NAME/."
)
@remote
def upload(client: FarmClient, paths: tuple[Path, ...], collection: str | None) -> None:
    """Upload the models at PATHS to a farm that is up, without rendering them.

    For annotators: decide what their morphs play on the farm's page /annotate, and render them from there. The exit code is 1
    when a model was refused.
    """
    uploaded, refused = send(client, models_at(paths))
    if uploaded:
        said = f"{counted(len(uploaded), 'model')} uploaded"
        if collection is None:
            said += f": make a collection of them at {client.url}/annotate"
        else:
            made = client.annotations.create_collection(collection, [model.id for model in uploaded])
            said += f", collection {made.name}: {client.url}/annotate/{made.name}/"
        stdout.print(clean(said), markup=False, soft_wrap=True)
    report(refused, [])
