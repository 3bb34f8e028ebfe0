"""The command that holds a data set against its manifests."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from farm.cli.console import say, say_json, stderr
from farm.cli.ending import stopped_by_sigterm
from farm.cli.options import default_workers, models_at
from farm.dataset.reading import model_folders
from farm.errors import SpecError
from farm.exports.destination import is_export
from farm.verification.findings import Finding
from farm.verification.model import ModelReport
from farm.wording import counted

_SHARE = re.compile(r"(\d+(?:\.\d+)?)%")


def _share(text: str) -> float:
    """``1%`` as 0.01."""
    match = _SHARE.fullmatch(text)
    if match is None or float(match[1]) > 100:
        raise SpecError(f"--redraw takes a share of the models from 0% to 100%, such as 1%, not '{text}'.")
    return float(match[1]) / 100


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--redraw",
    default="0%",
    metavar="SHARE",
    help="Draw this share of the models again, such as 1%, and compare: their bytes, or, from another renderer, their look.",
)
@click.option(
    "--models",
    multiple=True,
    type=click.Path(exists=True, path_type=Path),
    metavar="PATH",
    help="Where the model files stand, for --redraw; repeat for several.",
)
@click.option(
    "--backgrounds",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    metavar="DIR",
    help="The pictures that were composed over, for --redraw.",
)
@click.option(
    "--motion",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The motion of clips, for --redraw.",
)
@click.option(
    "--processes",
    type=click.IntRange(1, 64),
    default=default_workers,
    show_default="CPU cores, at most 4",
    help="Models looked at at a time.",
)
@click.option(
    "--rebuild",
    is_flag=True,
    help="First make anew what spans all models of a rendered folder, from their manifests: tables of poses and gallery.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="An object a line for each finding, and one with the counts last."
)
def verify(
    directory: Path,
    redraw: str,
    models: tuple[Path, ...],
    backgrounds: Path | None,
    motion: Path | None,
    processes: int,
    rebuild: bool,
    as_json: bool,
) -> None:
    """Verify the folder DIRECTORY, which `farm render` or `farm export` made: every file, picture, label, pose and row.

    Of an export, files, rows and the split are looked at. Prints a line for each thing that is wrong. The exit code is 1 when
    there is any.
    """
    share = _share(redraw)
    if share and not models:
        raise SpecError("--redraw needs the model files: name them or their folders with --models PATH.")
    if share and is_export(directory):
        raise SpecError(f"{directory} is an export; --redraw looks at the rendered folder that it was made of.")
    if rebuild and is_export(directory):
        raise SpecError(f"{directory} is an export; --rebuild is for the rendered folder that it was made of.")
    files = models_at(models) if share else {}
    if rebuild:
        _rebuild(directory)
    told = _Told(as_json)
    with stopped_by_sigterm(), _progress() as bar:
        (_verify_export if is_export(directory) else _verify_files)(directory, processes, bar, told)
        if share:
            _draw_again(directory, share, files, (backgrounds, motion), bar, told)
    told.summarise()


def _rebuild(directory: Path) -> None:
    from farm.dataset.lock import locked
    from farm.dataset.reading import models_in
    from farm.dataset.summary import summarise
    from farm.licences.tombstones import admitted

    with locked(directory), stderr.status("tables and gallery"):
        summarise(admitted(directory, models_in(directory)), directory)


class _Told:
    """Prints findings as they come, and counts them."""

    def __init__(self, as_json: bool) -> None:
        self._as_json = as_json
        self.total: Counter[str] = Counter(models=0, pictures=0)
        self.faults: Counter[str] = Counter()

    def take(self, finding: Finding) -> None:
        """Print one."""
        self.faults[finding.fault] += 1
        if self._as_json:
            say_json(asdict(finding))
        else:
            say(f"{finding.fault}: {finding.where}: {finding.sentence}")

    def summarise(self) -> None:
        """Print the counts; ends the command with code 1 when anything was found."""
        total = self.total
        again = f", {total['redrawn']} of them drawn again" if total["redrawn"] else ""
        looked_at = f"{counted(total['models'], 'model')}, {counted(total['pictures'], 'picture')}"
        seen = counted(total["files"], "file") if "files" in total else f"{looked_at}{again}"
        if self._as_json:
            summary = {**total, "findings": sum(self.faults.values()), "faults": dict(sorted(self.faults.items()))}
            say_json({"summary": summary})
        elif self.faults:
            counts = ", ".join(f"{count} {fault}" for fault, count in self.faults.most_common())
            say(f"{seen}: {counted(sum(self.faults.values()), 'finding')} ({counts})")
        else:
            say(f"{seen}: nothing is wrong")
        if self.faults:
            raise SystemExit(1)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        console=stderr,
        transient=True,
    )


def _verify_files(directory: Path, processes: int, bar: Progress, told: _Told) -> None:
    from farm.verification.verify import verify as findings_in

    task = bar.add_task("models", total=len(model_folders(directory)), rate="")

    def seen(report: ModelReport) -> None:
        told.total["models"] += 1
        told.total["pictures"] += report.pictures
        bar.update(task, advance=1, rate=_rate(told.total["pictures"], bar.tasks[task].elapsed))

    for finding in findings_in(directory, processes, seen):
        told.take(finding)


def _verify_export(directory: Path, threads: int, bar: Progress, told: _Told) -> None:
    from farm.verification.exported import verify_export

    task = bar.add_task("files", total=None, rate="")
    told.total = Counter(files=0)

    def seen(files: int) -> None:
        told.total["files"] += files
        bar.update(task, advance=files)

    for finding in verify_export(directory, threads, seen):
        told.take(finding)


def _draw_again(
    directory: Path,
    share: float,
    files: Mapping[Path, Path],
    others: tuple[Path | None, Path | None],
    bar: Progress,
    told: _Told,
) -> None:
    """`others` are the folder of backgrounds and the file of the motion."""
    from farm.verification.redraw import chosen_models
    from farm.verification.redraw import redraw as differences

    chosen = chosen_models(directory, share)
    task = bar.add_task("models drawn again", total=len(chosen), rate="")

    def drawn() -> None:
        told.total["redrawn"] += 1
        bar.update(task, rate=_rate(told.total["redrawn"], bar.tasks[task].elapsed))

    for finding in differences(chosen, files, *others, drawn, lambda folder: bar.advance(task)):
        told.take(finding)


def _rate(pictures: int, seconds: float | None) -> str:
    return f"{pictures / seconds:.0f} pictures/s" if seconds else ""
