"""The command for the annotator: the mapping table of a collection, out and back, or a page to decide on."""

from collections.abc import Sequence
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from farm.cli.console import note, stdout
from farm.cli.inspection import write_page
from farm.cli.options import PATHS, models_at
from farm.cli.sources import Sources, Unreadable
from farm.errors import FarmError
from farm.models.package import Package
from farm.morphs.annotation import apply_table, read_table, sampled_targets, table_csv, table_text
from farm.morphs.coverage import coverage
from farm.morphs.vocabulary import target_morphs
from farm.poses import MANY_TARGETS, has_many, sample_count
from farm.wording import clean, counted, json_text


@click.command()
@PATHS
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write.")
@click.option(
    "--apply",
    "table",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An edited mapping.csv: write each model's annotation (JSON) instead of a new table.",
)
@click.option(
    "--report",
    is_flag=True,
    help="Print which targets the models cover and where names and evidence differ; with --out, write it as JSON.",
)
@click.option(
    "--html",
    "page",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write a page to, on which to decide by pictures of what each morph does.",
)
def annotate(paths: tuple[Path, ...], out: Path | None, table: Path | None, report: bool, page: Path | None) -> None:
    """Write the proposals for a collection as a table to edit, or as a page to decide on, or apply an edited table.

    Without --apply, OUT becomes a CSV file with a row for each source-morph name of the models at PATHS: how many models
    have it, and the target morph proposed for it. Edit the column 'target' (empty: not mapped) and hand the file to
    `farm render --mapping`, or see with --apply what it gives for each model. A row holds for the morphs that the evidence
    lets pass: what moves the other side plays that side's target, and what does something else plays nothing.

    With --html, every morph of the models is drawn, and the folder gets an index.html that any browser opens, without a farm.
    What is decided there is downloaded as the same table. Interrupted, it goes on where it was.
    """
    if page is not None:
        if out is not None or table is not None or report:
            raise click.UsageError("--html makes a page of its own; leave --out, --apply and --report out.")
        write_page(paths, page)
        return
    if report and table is not None:
        raise click.UsageError("--report is about proposals and takes no --apply.")
    if out is None and not report:
        raise click.UsageError("Say where to: --out FILE for a table, or --html FOLDER for a page.")
    packages = _read(paths)
    if report:
        _report(packages, out)
        return
    assert out is not None
    if table is None:
        text = table_csv([package.inventory.source_morphs() for package in packages])
        out.write_text(text, "utf-8-sig")  # with the mark that lets spreadsheets read it as UTF-8
        rows = text.count("\n") - 1
        stdout.print(
            f"{counted(rows, 'name')} of {counted(len(packages), 'model')} written: {out}", markup=False, soft_wrap=True
        )
        return
    mapping = read_table(table_text(table.read_bytes()))
    records = []
    for package in packages:
        annotation, overruled = apply_table(package.inventory.source_morphs(), mapping.of(package.id))
        targets = sampled_targets(annotation)
        samples = sample_count(targets)
        records.append(
            {
                "model": package.id,
                "name": package.name,
                "target_morphs": len(targets),
                "samples": samples,
                "annotation": {target: morph.model_dump() for target, morph in annotation.items()},
                "exceptions": [
                    {**one.morph.model_dump(), "said": one.said, "plays": one.plays, "reason": one.reason}
                    for one in overruled
                ],
            }
        )
        stdout.print(
            f"{clean(package.name)}: {len(targets)} of {len(target_morphs())} target morphs, {counted(samples, 'sample')}",
            markup=False,
        )
        for one in overruled:
            stdout.print(f"  {clean(str(one))}", markup=False, soft_wrap=True)
    out.write_text(json_text(records, indent=1) + "\n", "utf-8")


def _report(packages: Sequence[Package], out: Path | None) -> None:
    found = coverage(
        (package.name, package.inventory.source_morphs(), package.inventory.annotation) for package in packages
    )
    if out is not None:
        out.write_text(json_text(found.model_dump(mode="json"), indent=1) + "\n", "utf-8")
    table = Table(
        "target", "models", "share", title=counted(found.models, "model"), title_justify="left", box=SIMPLE_HEAD
    )
    for target, count in found.targets.items():
        table.add_row(target, str(count), f"{count / found.models:.0%}")
    stdout.print(table)
    many = sum(count for targets, count in found.by_count.items() if has_many(targets))
    stdout.print(f"{many} with more than {MANY_TARGETS} target morphs; never seen: {', '.join(found.never) or 'none'}")
    title = counted(
        len(found.differing), "morph that is not what its name says", "morphs that are not what their names say"
    )
    rows = Table("model", "morph", "name says", "plays", "reason", title=title, title_justify="left", box=SIMPLE_HEAD)
    for one in found.differing:
        name = escape(clean(f"{one.index} {one.name}"))
        rows.add_row(escape(clean(one.model)), name, one.said, one.plays or "nothing", escape(clean(one.reason)))
    stdout.print(rows)


def _read(paths: tuple[Path, ...]) -> list[Package]:
    """The models at `paths`, each content once; unusable ones are named and left out."""
    packages: dict[str, Package] = {}
    for model in Sources(models_at(paths), paths):
        if isinstance(model, Unreadable):
            note("left out", "yellow", f"{model.where}: {model.error}")
            continue
        packages.setdefault(model.package.id, model.package)
    if not packages:
        raise FarmError("None of the models can be read.")
    return list(packages.values())
