"""The command that counts what a data set holds."""

from pathlib import Path

import click
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.progress import Progress as Bar

from farm.cli.console import say_json, stderr, stdout
from farm.cli.ending import stopped_by_sigterm
from farm.dataset.reading import model_folders
from farm.licences.forgetting import STATISTICS
from farm.wording import counted


@click.command()
@click.argument("directory", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help=f"Where to write the page. Default: {STATISTICS} in DIRECTORY.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the numbers as one JSON object, and write no page.")
@click.option(
    "--pictures",
    type=click.IntRange(0, 100_000),
    default=1000,
    show_default=True,
    help="Pictures to look at, for means, areas and the sheet.",
)
@click.option("--sheet", type=click.IntRange(0, 1000), default=60, show_default=True, help="Pictures on the sheet.")
@click.option("--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Chooses the pictures.")
def stats(directory: Path, out: Path | None, as_json: bool, pictures: int, sheet: int, seed: int) -> None:
    """Count what DIRECTORY holds, which `farm render` made, and make a page of it.

    The same folder and seed give the same page, to the byte.
    """
    from farm.statistics import report

    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TextColumn("ETA"),
        TimeRemainingColumn(),
    )  # fmt: skip
    with stopped_by_sigterm(), Bar(*columns, console=stderr, transient=True) as bar:
        models = bar.add_task("models", total=len(model_folders(directory)))
        looked = bar.add_task("pictures", total=pictures)

        class Shown(report.Progress):
            """Moves the bars."""

            def models(self) -> None:
                bar.advance(models)

            def pictures(self, total: int) -> None:
                bar.update(looked, total=total, advance=1)

        counts, looks = report.statistics(directory, seed, pictures, sheet, Shown())
    if as_json:
        say_json(report.as_json(counts, looks))
        return
    path = out or directory / STATISTICS
    path.write_text(report.page(directory.resolve().name, counts, looks), encoding="utf-8")
    stdout.print(
        f"{counted(counts.models, 'model')}, {counted(counts.samples, 'sample')}, "
        f"{counted(counts.pictures, 'picture')}: {path}",
        markup=False,
        soft_wrap=True,
    )
