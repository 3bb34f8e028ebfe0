"""Commands for the researcher with one machine: render folders of models on it, or keep a farm up on it."""

import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import click

from farm.cli.console import note, stdout
from farm.cli.ending import stopped_by_sigterm
from farm.cli.options import PATHS, SpecOptions, default_workers, models_at, spec_options
from farm.cli.wishes import MAPPING, Wish, wish
from farm.dataset.output import locked
from farm.errors import ServiceError
from farm.spec import RenderSpec
from farm.stack import EmbeddedStack

_PATIENCE_SECONDS = 5.0
"""With the API of our own: it does not come back when it is gone."""

_WORKERS = click.option(
    "--workers", type=click.IntRange(1, 64), default=default_workers, show_default="CPU cores, at most 4",
    help="Blender processes.",
)  # fmt: skip


@click.command()
@PATHS
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
@spec_options
@MAPPING
@_WORKERS
def render(
    paths: tuple[Path, ...],
    out: Path,
    options: SpecOptions,
    mapping: Path | None,
    workers: int,
) -> None:
    """Render the models at PATHS (files or folders) on this machine.

    Starts a whole farm for the purpose, and stops it afterwards. Leaves in the folder OUT: index.html, poses.csv, and for
    each model its images, its contact sheet and its manifest.
    """
    models = models_at(paths)
    _render_here(models, out, wish(options, mapping), workers)


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("build/demo"), show_default=True)
@_WORKERS
def demo(out: Path, workers: int) -> None:
    """Render the two mascots by the paper's full rule: 960 images and two contact sheets."""
    from farm.mascots import write_mascots

    _render_here(
        {path: path.parent for path in write_mascots(out / "models")}, out / "images", Wish(RenderSpec()), workers
    )


def _render_here(models: Mapping[Path, Path], out: Path, wanted: Wish, workers: int) -> None:
    """Render on a farm for the purpose; ends the command with code 1 when a model could not be rendered."""
    with (
        locked(out),
        stopped_by_sigterm(),
        tempfile.TemporaryDirectory(prefix="facefarm-") as home,
        EmbeddedStack(Path(home), min(workers, len(models))) as stack,
    ):
        try:
            _run(stack, models, out, wanted)
        except ServiceError:
            stack.check()  # says which process ended, and its last words
            raise


def _run(stack: EmbeddedStack, models: Mapping[Path, Path], out: Path, wanted: Wish) -> None:
    # Imported while Blender starts, not before.
    from farm.cli.following import Downloads, follow, report
    from farm.cli.uploading import upload, with_backgrounds
    from farm.client import FarmClient

    with FarmClient(stack.api_url, patience=_PATIENCE_SECONDS) as client:
        uploaded, refused = upload(client, models)
        results = Downloads(client, out, {model.id: model.inventory.warnings for model in uploaded})
        if uploaded:
            spec = with_backgrounds(client, wanted)
            # On a farm for the purpose nobody has confirmed anything, whatever FARM_ANNOTATION says.
            spec = spec.model_copy(update={"annotation": spec.annotation})
            batch = client.submit(uploaded, spec, wanted.mapping, out.name[:200])
            # Ctrl-C needs no cancelling: the farm ends, and the batch with it.
            follow(client, batch.id, results.take, stack.check)
            results.summarise()
    report(refused, list(results.bad.values()))


@click.command()
@click.option(
    "--home",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path("facefarm-data"),
    show_default=True,
    help="Folder for the store, the queue's file and the logs; they are kept.",
)
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True, help="Port of the API.")
@_WORKERS
def up(home: Path, port: int, workers: int) -> None:
    """Start a whole farm on this machine and keep it up until Ctrl-C.

    API, workers, Valkey, a local object store, and Flower to look at the queue. `farm submit` talks to it.
    """
    with stopped_by_sigterm(), EmbeddedStack(home, workers, flower=True, keep=True, port=port) as stack:
        stdout.print(f"API      {stack.api_url}  (documentation at /docs)")
        stdout.print(f"Flower   {stack.flower_url}")
        stdout.print(f"metrics  {stack.api_url}/metrics and {stack.metrics_url}")
        stdout.print(f"Redis    {stack.environment['FARM_REDIS_URL']}")
        stdout.print(f"data     {home.absolute()}", markup=False, soft_wrap=True)
        stdout.print(f"submit   farm submit --api {stack.api_url} PATH... --out DIR     stop: Ctrl-C")
        while True:
            for name in stack.mend():
                note("restarted", "yellow", f"The embedded {name} had ended; its log is in {home.absolute() / 'logs'}.")
            time.sleep(1)
