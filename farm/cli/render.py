"""Commands for the researcher with one machine: render folders of models on it, or keep a farm up on it."""

import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import click

from farm.cli.console import note, stdout
from farm.cli.ending import stopped_by_sigterm
from farm.cli.options import PATHS, SpecOptions, default_workers, models_at, spec_options
from farm.cli.wishes import MAPPING, Wish, wish
from farm.dataset.lock import locked
from farm.drawing.ahead import Ahead
from farm.environment import share_cores
from farm.forking import may_fork
from farm.settings import Settings
from farm.spec import RenderSpec
from farm.starting import importing
from farm.wording import counted

if TYPE_CHECKING:
    from farm.cli.growing import Growth

_WATCH_SECONDS = 0.5
_REBUILD_SECONDS = 900.0
"""Where models never stop coming, the tables are made anew after so long."""

_WORKERS = click.option(
    "--workers", type=click.IntRange(1, 64), default=default_workers, show_default="CPU cores, at most 4",
    help="Blender processes.",
)  # fmt: skip


@click.command()
@PATHS
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), required=True, help="Folder for the results.")
@click.option("--watch", is_flag=True, help="Stay, and render what comes into the folders later, until Ctrl-C.")
@click.option("--retry-failed", is_flag=True, help="Try the models again that could not be drawn before.")
@spec_options
@MAPPING
@_WORKERS
def render(
    paths: tuple[Path, ...],
    out: Path,
    watch: bool,
    retry_failed: bool,
    options: SpecOptions,
    mapping: Path | None,
    workers: int,
) -> None:
    """Render the models at PATHS (files, zips or folders with some) on this machine.

    Starts a whole farm for the purpose, and stops it afterwards. Leaves in the folder OUT: index.html, poses.csv and
    poses.parquet, and for each model its images, its contact sheet and its manifest, as soon as the model is done. Can be
    stopped at any moment: the same command renders what is missing in OUT, and nothing twice.
    """
    models = {} if watch else models_at(paths)
    wanted = wish(options, mapping)
    with _growth(out, wanted, workers if watch else _needed(workers, models), retry_failed, begin=not watch) as growth:
        if watch:
            _watch(growth, paths, out)
        else:
            _grow(growth, models, paths)


@click.command()
@click.option("--out", type=click.Path(file_okay=False, path_type=Path), default=Path("build/demo"), show_default=True)
@_WORKERS
def demo(out: Path, workers: int) -> None:
    """Render the two mascots by the paper's full rule: 960 images and two contact sheets."""
    from farm.mascots import write_mascots

    models = {path: path.parent for path in write_mascots(out / "models")}
    with _growth(out / "images", Wish(RenderSpec()), _needed(workers, models), False, begin=True) as growth:
        _grow(growth, models)


def _needed(workers: int, models: Collection[Path]) -> int:
    """A worker a model at most: the start of a Blender that nobody needs takes time from the others."""
    return workers if any(path.suffix.lower() == ".zip" for path in models) else min(workers, len(models))


def _started_ahead(opened: ExitStack, workers: int) -> Sequence[int]:
    """Start the first Blender of a farm that will be started when a model is read: the descriptors that its worker needs."""
    if not may_fork():
        return ()
    share_cores(workers)
    memory = Settings().blender_memory_gib
    with suppress(OSError):  # no room for it yet; then its worker starts one
        return opened.enter_context(Ahead(int(memory * 2**30))).descriptors
    return ()


@contextmanager
def _growth(out: Path, wanted: Wish, workers: int, retry_failed: bool, begin: bool) -> Iterator["Growth"]:
    """`begin`: models are at hand, so where `out` holds no folder of one yet, they are going to be drawn."""
    with ExitStack() as opened:
        opened.enter_context(locked(out))
        opened.enter_context(stopped_by_sigterm())
        kept = _started_ahead(opened, workers) if begin and not any(map(Path.is_dir, out.iterdir())) else ()
        with importing():
            from farm.cli.growing import Growth

        growth = opened.enter_context(Growth(out, wanted, workers, retry_failed, kept))
        try:
            yield growth
        except KeyboardInterrupt:
            note(
                "stopped",
                "yellow",
                f"{counted(growth.drawn, 'model was', 'models were')} drawn; the same command goes on where it stopped.",
            )
            raise
        from farm.cli.reporting import report_all  # bars take a while to import

        report_all(growth.bad)


def _grow(growth: "Growth", models: Mapping[Path, Path], paths: Sequence[Path] = ()) -> None:
    from farm.cli.sources import Sources

    sources = Sources(models, paths)
    growth.files_left = len(sources)
    for path in sources.files:
        growth.files_left -= 1
        for found in sources.read(path):
            growth.take(found)
    growth.finish()


def _watch(growth: "Growth", paths: tuple[Path, ...], out: Path) -> None:
    """Until Ctrl-C. What spans all models is made anew when everything that came is drawn, or after a while."""
    from farm.cli.sources import Sources, Watched

    sources, watched = Sources({}), Watched(paths)
    built, drawn = time.monotonic(), -1
    while True:
        for path, within in watched.look():
            sources.add(path, within)
            for found in sources.read(path):
                growth.take(found)
        growth.wait()
        for word, sentence in growth.bad:
            note(word, "red", sentence)
        growth.bad.clear()
        still = watched.settled and not growth.busy
        if growth.drawn != drawn and (still or time.monotonic() - built > _REBUILD_SECONDS):
            drawn = growth.drawn
            held = growth.rebuild()
            built = time.monotonic()
            note(
                "watching",
                "green",
                f"{counted(held.models if held else 0, 'model is', 'models are')} in {out}; Ctrl-C ends this.",
            )
        if not growth.busy:
            time.sleep(_WATCH_SECONDS)


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
    from farm.cli.room import patient
    from farm.stack import EmbeddedStack

    with stopped_by_sigterm(), ExitStack() as opened:
        stack = EmbeddedStack(home, workers, flower=True, keep=True, port=port)
        if dropped := stack.not_taken:
            note(
                "not used",
                "yellow",
                f"{', '.join(dropped)} of the environment {'has' if len(dropped) == 1 else 'have'} no effect on `farm up`: "
                "it is this user's alone, with a key, a Redis and a store of its own. A farm for others is `farm api`, "
                "`farm worker` and `farm flower`, which go by all settings.",
            )
        patient(home, lambda: opened.enter_context(stack))
        stdout.print(f"page     {stack.page_url}", markup=False, soft_wrap=True)
        stdout.print(
            f"API      {stack.api_url}  (documentation at /docs; commands of yours find the key by themselves)"
        )
        stdout.print(f"Flower   {stack.flower_url}  (sign in as {stack.flower_login})", markup=False, soft_wrap=True)
        stdout.print(f"metrics  {stack.api_url}/metrics and {stack.metrics_url}")
        stdout.print(
            f"Redis    {stack.redis}  (its password is in {home.absolute() / 'valkey' / 'valkey.conf'})", soft_wrap=True
        )
        stdout.print(f"data     {home.absolute()}", markup=False, soft_wrap=True)
        stdout.print(f"submit   farm submit --api {stack.api_url} PATH... --out DIR     stop: Ctrl-C")
        told = 0
        while True:
            for name in patient(home, stack.mend):
                note("restarted", "yellow", f"The embedded {name} had ended; its log is in {home.absolute() / 'logs'}.")
            for aside in stack.put_aside[told:]:
                note(
                    "damaged",
                    "yellow",
                    f"Valkey could not read its file; it is {aside} now, and its jobs come from the store.",
                )
            told = len(stack.put_aside)
            time.sleep(1)
