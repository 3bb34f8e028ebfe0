"""What a command that renders shows: how far it is, what came of it, and what went wrong."""

from collections.abc import Sequence
from pathlib import Path

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.text import Text

from farm.cli.console import note, say, stderr
from farm.dataset.gallery import GALLERY
from farm.dataset.output import POSES, POSES_PARQUET
from farm.dataset.summary import Summary
from farm.wording import counted

_SHEETS = 20
"""Contact sheets that the summary names; the page shows all."""


class _RateColumn(TextColumn):
    """Images (or what the task's `unit` says) a second, of late."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        unit = task.fields.get("unit", "images")
        return Text(f"{speed:.0f} {unit}/s" if speed else "starting", style="cyan")


def progress_bar() -> Progress:
    """Counts images, with their rate and the time that is left."""
    return Progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        _RateColumn(),
        TimeElapsedColumn(),
        TextColumn("ETA"),
        TimeRemainingColumn(),
        TextColumn("[red]{task.fields[trouble]}"),
        console=stderr,
    )


def say_results(out: Path, found: Summary, sheets: Sequence[Path]) -> None:
    """Print where things are: all that the folder `out` holds, and the contact sheets of what came now."""
    images, models = counted(found.images, "image"), counted(found.models, "model")
    say(f"{images} of {models} in {out}; {counted(len(sheets), 'model')} came now")
    say(f"  poses:          {out / POSES}, {out / POSES_PARQUET}")
    for sheet in sorted(sheets)[:_SHEETS]:
        say(f"  contact sheet:  {sheet}")
    if len(sheets) > _SHEETS:
        say(f"  ... and {len(sheets) - _SHEETS} more")
    say(f"  all on pages:   {out / GALLERY}")


def report_all(bad: Sequence[tuple[str, str]]) -> None:
    """Name what could not be rendered, a word and a sentence each; ends the command with code 1 when there is anything."""
    for word, sentence in bad:
        note(word, "red", sentence)
    if bad:
        raise SystemExit(1)
