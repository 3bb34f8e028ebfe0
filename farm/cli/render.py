"""Commands for the researcher: render folders of models, on this machine or on a farm that is up."""

import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
    track,
)
from rich.progress import Task as ProgressTask
from rich.text import Text

from farm.backgrounds import check_pictures, find_pictures
from farm.cli.console import note, stderr, stdout
from farm.cli.options import PATHS, SpecOptions, default_workers, models_at, spec_from, spec_options
from farm.client import FarmClient, JobSummary, RefusedError, UploadedModel
from farm.dataset.output import POSES, RenderedModel, locked, read_output, unpack_result, write_gallery, write_poses
from farm.errors import SpecError
from farm.morphs.annotation import read_table, table_text
from farm.settings import Settings
from farm.spec import MAX_BACKGROUNDS, RenderSpec
from farm.stack import EmbeddedStack

_POLL_SECONDS = 0.25

_MAPPING = click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An edited mapping table from `farm annotate`; without it, morphs are mapped by their names alone.",
)
_WORKERS = click.option(
    "--workers", type=click.IntRange(1, 64), default=default_workers, show_default="CPU cores, at most 4",
    help="Blender processes.",
)  # fmt: skip


class _RateColumn(TextColumn):
    """Images a second since the first image."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: ProgressTask) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed:.0f} images/s" if speed else "starting", style="cyan")


def _progress() -> Progress:
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=stderr,
    )


@contextmanager
def _stopped_by_sigterm() -> Iterator[None]:
    """SIGTERM ends a command like Ctrl-C does: through the `finally` clauses, leaving nothing behind."""

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@click.command()
@PATHS
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
@spec_options
@_MAPPING
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
    _render_here(models, out, _wanted(options, mapping), workers)


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("build/demo"), show_default=True)
@_WORKERS
def demo(out: Path, workers: int) -> None:
    """Render the two mascots by the paper's full rule: 960 images and two contact sheets."""
    from farm.mascots import write_mascots

    _render_here(write_mascots(out / "models"), out / "images", _Wanted(RenderSpec()), workers)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """What to make of the models."""

    spec: RenderSpec
    """Without backgrounds: their ids are known when they are uploaded."""
    mapping: str | None = None
    """Text of the mapping table."""
    backgrounds: tuple[Path, ...] = ()


def _wanted(options: SpecOptions, mapping: Path | None) -> _Wanted:
    """Everything that the user named, read and checked: a mistake should show before anything is started."""
    spec, table = spec_from(options), _read_mapping(mapping)
    pictures = [] if options.backgrounds is None else find_pictures(options.backgrounds)
    if len(pictures) > MAX_BACKGROUNDS:
        raise SpecError(f"{options.backgrounds} holds {len(pictures)} pictures, over the limit of {MAX_BACKGROUNDS}.")
    check_pictures(_tracked(pictures, "checking backgrounds"))
    return _Wanted(spec, table, tuple(pictures))


def _tracked(pictures: Sequence[Path], what: str) -> Iterable[Path]:
    return track(pictures, what, console=stderr, transient=True) if pictures else ()


def _submitted(client: FarmClient, uploaded: list[UploadedModel], wanted: _Wanted, name: str = "") -> str:
    """Upload the backgrounds and make the batch; its id."""
    spec = wanted.spec
    if wanted.backgrounds:
        ids = [client.upload_background(path) for path in _tracked(wanted.backgrounds, "uploading backgrounds")]
        # The same picture twice in the folder is one background.
        spec = RenderSpec.model_validate({**spec.model_dump(), "backgrounds": tuple(dict.fromkeys(ids))})
    return client.submit(uploaded, spec, wanted.mapping, name)


def _read_mapping(path: Path | None) -> str | None:
    if path is None:
        return None
    text = table_text(path.read_bytes())
    read_table(text)  # a mistake in the table should show before anything is started
    return text


def _render_here(models: list[Path], out: Path, wanted: _Wanted, workers: int) -> None:
    with locked(out), _stopped_by_sigterm(), tempfile.TemporaryDirectory(prefix="facefarm-") as home:
        workers = min(workers, len(models))
        with EmbeddedStack(Path(home), workers) as stack:
            _run_batch(FarmClient(stack.api_url), models, out, wanted, stack.check)


def _run_batch(client: FarmClient, paths: list[Path], out: Path, wanted: _Wanted, check: Callable[[], None]) -> None:
    """Upload, submit, watch, lay out; ends the command with code 1 when a model could not be rendered."""
    uploaded, refused = _upload(client, paths)
    failed: list[JobSummary] = []
    if uploaded:
        batch = _submitted(client, uploaded, wanted, out.name)
        try:
            rendered, failed = _watch(
                client, batch, out, {model.id: model.inventory.warnings for model in uploaded}, check
            )
        except KeyboardInterrupt:
            client.cancel(batch)
            raise
        if rendered:
            _summary(rendered, out)
    for line in refused:
        note("refused", "red", line)
    for job in failed:
        note(job.state, "red", f"{job.name}: {job.error or 'taken back by a user'}")
    if refused or failed:
        raise SystemExit(1)


def _upload(client: FarmClient, paths: list[Path]) -> tuple[list[UploadedModel], list[str]]:
    uploaded: dict[str, UploadedModel] = {}
    refused: list[str] = []
    stems = Counter(path.stem for path in paths)
    for path in paths:
        try:
            models, bad = client.upload(path)
        except (RefusedError, OSError) as error:
            refused.append(f"{path}: {error}")
            continue
        refused += [f"{path}/{model.name}: {model.message}" for model in bad]
        for model in models:
            if model.id in uploaded:
                note(
                    "twice", "yellow", f"{path} holds the same model as {uploaded[model.id].name}; it is rendered once."
                )
                continue
            # Gene.pmx beside Gene.pmd: the name has to say which.
            clear = len(models) == 1 and stems[path.stem] > 1
            uploaded[model.id] = replace(model, name=f"{model.name}{path.suffix}") if clear else model
            for warning in model.inventory.warnings:
                note("warning", "yellow", f"{path.name}: {warning}")
    return list(uploaded.values()), refused


def _watch(
    client: FarmClient, batch: str, out: Path, known: dict[str, list[str]], check: Callable[[], None]
) -> tuple[list[RenderedModel], list[JobSummary]]:
    """Show the batch's progress and lay out every model when it is done.

    `known` are the warnings by model that were shown before; those that only Blender found are shown here.
    """
    rendered: dict[str, RenderedModel] = {}
    failed: dict[str, JobSummary] = {}
    with _progress() as bar:
        task = bar.add_task("images", total=None)
        while True:
            state = client.progress(batch)
            bar.update(task, total=state.images_total, completed=state.images_done)
            for job in client.jobs(batch):
                if job.id in rendered or job.id in failed:
                    continue
                if job.state == "done":
                    rendered[job.id] = _lay_out(client, job, out)
                    for warning in job.warnings:
                        if warning not in known.get(job.model, ()):
                            note("warning", "yellow", f"{job.name}: {warning}")
                elif job.state in ("failed", "cancelled"):
                    failed[job.id] = job
            if state.ended:
                return list(rendered.values()), list(failed.values())
            check()
            time.sleep(_POLL_SECONDS)


def _lay_out(client: FarmClient, job: JobSummary, out: Path) -> RenderedModel:
    manifest = client.manifest(job.id)
    return unpack_result(manifest, job.name, lambda file, path: client.fetch(job.id, file, path), out)


def _summary(rendered: list[RenderedModel], out: Path) -> None:
    everything = read_output(out)  # with what earlier runs left in the folder
    write_poses(everything, out)
    gallery = write_gallery(everything, out)
    images = sum(len(model.manifest.images) for model in rendered)
    stdout.print(f"{images} images of {len(rendered)} models are in {out}", markup=False, soft_wrap=True)
    stdout.print(f"  poses:          {out / POSES}", markup=False, soft_wrap=True)
    for model in sorted(rendered, key=lambda m: m.folder.name):
        stdout.print(f"  contact sheet:  {model.folder / 'contact-sheet.png'}", markup=False, soft_wrap=True)
    stdout.print(f"  all on a page:  {gallery}", markup=False, soft_wrap=True)


@click.command()
@PATHS
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), help="Wait, and leave the results here.")
@click.option("--api", "url", default=lambda: Settings().api_url, show_default="FARM_API_URL", help="The farm's API.")
@spec_options
@_MAPPING
def submit(
    paths: tuple[Path, ...],
    out: Path | None,
    url: str,
    options: SpecOptions,
    mapping: Path | None,
) -> None:
    """Upload the models at PATHS to a farm that is up, and submit them as one batch."""
    models = models_at(paths)
    wanted = _wanted(options, mapping)
    client = FarmClient(url)
    if out is not None:
        with locked(out), _stopped_by_sigterm():
            _run_batch(client, models, out, wanted, lambda: None)
        return
    uploaded, refused = _upload(client, models)
    for line in refused:
        note("refused", "red", line)
    if uploaded:
        batch = _submitted(client, uploaded, wanted)
        stdout.print(f"batch {batch}: {len(uploaded)} models; watch it at {url}/v1/batches/{batch}", markup=False)
    if refused:
        raise SystemExit(1)


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
    with _stopped_by_sigterm(), EmbeddedStack(home, workers, flower=True, keep=True, port=port) as stack:
        stdout.print(f"API      {stack.api_url}  (documentation at /docs)")
        stdout.print(f"Flower   {stack.flower_url}")
        stdout.print(f"metrics  {stack.api_url}/metrics and {stack.metrics_url}")
        stdout.print(f"data     {home.absolute()}", markup=False, soft_wrap=True)
        stdout.print(f"submit   farm submit --api {stack.api_url} PATH... --out DIR     stop: Ctrl-C")
        while True:
            stack.check()
            time.sleep(1)
