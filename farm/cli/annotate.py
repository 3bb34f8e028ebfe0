"""The command for the annotator: the mapping table of a collection, out and back, or a page to decide on."""

import json
from pathlib import Path

import click

from farm.cli.console import note, stdout
from farm.cli.inspection import write_page
from farm.cli.options import PATHS, models_at
from farm.errors import FarmError
from farm.models.package import Package, read_model
from farm.morphs.annotation import annotate as annotate_model
from farm.morphs.annotation import read_table, sampled_targets, table_csv, table_text
from farm.morphs.vocabulary import target_morphs
from farm.poses import sample_count


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
    "--html",
    "page",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder to write a page to, on which to decide by pictures of what each morph does.",
)
def annotate(paths: tuple[Path, ...], out: Path | None, table: Path | None, page: Path | None) -> None:
    """Write the proposals for a collection as a table to edit, or as a page to decide on, or apply an edited table.

    Without --apply, OUT becomes a CSV file with a row for each source-morph name of the models at PATHS: how many models
    have it, and the target morph proposed for it. Edit the column 'target' (empty: not mapped) and hand the file to
    `farm render --mapping`, or see with --apply what it gives for each model.

    With --html, every morph of the models is drawn, and the folder gets an index.html that any browser opens, without a farm.
    What is decided there is downloaded as the same table. Interrupted, it goes on where it was.
    """
    if page is not None:
        if out is not None or table is not None:
            raise click.UsageError("--html makes a page of its own; leave --out and --apply out.")
        write_page(paths, page)
        return
    if out is None:
        raise click.UsageError("Say where to: --out FILE for a table, or --html FOLDER for a page.")
    packages = _read(paths)
    if table is None:
        text = table_csv([package.inventory.source_morphs() for package in packages])
        out.write_text(text, "utf-8-sig")  # with the mark that lets spreadsheets read it as UTF-8
        rows = text.count("\n") - 1
        stdout.print(f"{rows} names of {len(packages)} models are in {out}", markup=False, soft_wrap=True)
        return
    mapping = read_table(table_text(table.read_bytes()))
    records = []
    for package in packages:
        annotation = annotate_model(package.inventory.source_morphs(), mapping.of(package.id))
        targets = sampled_targets(annotation)
        samples = sample_count(targets)
        records.append(
            {
                "model": package.id,
                "name": package.name,
                "target_morphs": len(targets),
                "samples": samples,
                "annotation": {target: morph.model_dump() for target, morph in annotation.items()},
            }
        )
        stdout.print(
            f"{package.name}: {len(targets)} of {len(target_morphs())} target morphs, {samples} samples", markup=False
        )
    out.write_text(json.dumps(records, ensure_ascii=False, indent=1) + "\n", "utf-8")


def _read(paths: tuple[Path, ...]) -> list[Package]:
    """The models at `paths`, each content once; unusable ones are named and left out."""
    packages: dict[str, Package] = {}
    for path, within in models_at(paths).items():
        try:
            package = read_model(path, within)
        except FarmError as error:
            note("left out", "yellow", f"{path}: {error}")
            continue
        packages.setdefault(package.id, package)
    if not packages:
        raise FarmError("None of the models can be read.")
    return list(packages.values())
