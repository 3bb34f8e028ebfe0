"""The command for the annotator: the mapping table of a collection, out and back, or a page to decide on."""

from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from farm.cli.console import note, stdout
from farm.cli.inspection import blender_until, looked_at, write_page
from farm.cli.options import PATHS, models_at
from farm.cli.sources import Sources, Unreadable
from farm.errors import BlenderDiedError, FarmError, RenderError
from farm.models.inventory import Inventory
from farm.morphs.annotation import apply_table, read_table, sampled_targets, table_csv, table_text
from farm.morphs.coverage import coverage
from farm.morphs.vocabulary import target_morphs
from farm.poses import MANY_TARGETS, has_many, sample_count
from farm.wording import clean, counted, json_text


@dataclass(frozen=True, slots=True)
class _Decided:
    """A model that was read, and perhaps looked at."""

    id: str
    name: str
    inventory: Inventory


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
@click.option("--pictures", is_flag=True, help="Draw every morph and decide by what is seen as well, as a render does.")
def annotate(
    paths: tuple[Path, ...], out: Path | None, table: Path | None, report: bool, page: Path | None, pictures: bool
) -> None:
    """Write the proposals for a collection as a table to edit, or as a page to decide on, or apply an edited table.

    Without --apply, OUT becomes a CSV file with a row for each source-morph name of the models at PATHS: how many models
    have it, and the target morph proposed for it. Edit the column 'target' (empty: not mapped) and hand the file to
    `farm render --mapping`, or see with --apply what it gives for each model. A row holds for the morphs that the evidence
    lets pass: what moves the other side plays that side's target, and what does something else plays nothing.

    Without --pictures the files alone decide: names say what morphs do that move no vertex, and what is hidden counts. A
    render looks, and so may find otherwise.

    With --html, every morph of the models is drawn, and the folder gets an index.html that any browser opens, without a farm.
    What is decided there is downloaded as the same table. Interrupted, it goes on where it was.
    """
    if page is not None:
        if out is not None or table is not None or report or pictures:
            raise click.UsageError(
                "--html makes a page of its own, by pictures; leave --out, --apply, --report and --pictures out."
            )
        write_page(paths, page)
        return
    if report and table is not None:
        raise click.UsageError("--report is about proposals and takes no --apply.")
    if out is None and not report:
        raise click.UsageError("Say where to: --out FILE for a table, or --html FOLDER for a page.")
    models = _read(paths, pictures)
    if report:
        _report(models, out)
        _say_unseen(models)
        return
    assert out is not None
    if table is None:
        text = table_csv([model.inventory.source_morphs() for model in models])
        out.write_text(text, "utf-8-sig")  # with the mark that lets spreadsheets read it as UTF-8
        rows = text.count("\n") - 1
        stdout.print(
            f"{counted(rows, 'name')} of {counted(len(models), 'model')} written: {out}", markup=False, soft_wrap=True
        )
        _say_unseen(models)
        return
    mapping = read_table(table_text(table.read_bytes()))
    records = []
    for model in models:
        annotation, overruled = apply_table(model.inventory.source_morphs(), mapping.of(model.id))
        targets = sampled_targets(annotation)
        samples = sample_count(targets)
        records.append(
            {
                "model": model.id,
                "name": model.name,
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
            f"{clean(model.name)}: {len(targets)} of {len(target_morphs())} target morphs, {counted(samples, 'sample')}",
            markup=False,
        )
        for one in overruled:
            stdout.print(f"  {clean(str(one))}", markup=False, soft_wrap=True)
    out.write_text(json_text(records, indent=1) + "\n", "utf-8")
    _say_unseen(models)


def _say_unseen(models: Sequence[_Decided]) -> None:
    """Say of how many models only the file has been asked."""
    if count := sum(not model.inventory.pictured for model in models):
        note(
            "not drawn",
            "yellow",
            f"{counted(count, 'model')}: decided by the file alone; a render may see that a morph shows nothing, or that a "
            "texture does not show what its name says. --pictures looks.",
        )


def _report(models: Sequence[_Decided], out: Path | None) -> None:
    found = coverage((model.name, model.inventory.source_morphs(), model.inventory.annotation) for model in models)
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


def _read(paths: tuple[Path, ...], pictures: bool) -> list[_Decided]:
    """The models at `paths`, each content once, decided with `pictures` by these; unusable ones are named and left out."""
    found: dict[str, _Decided] = {}
    with ExitStack() as stack:
        blender = blender_until(stack) if pictures else None
        for model in Sources(models_at(paths), paths):
            if isinstance(model, Unreadable):
                note("left out", "yellow", f"{model.where}: {model.error}")
                continue
            package = model.package
            if package.id in found:
                continue
            try:
                inventory = package.inventory if blender is None else looked_at(blender, package)[0]
            except (RenderError, BlenderDiedError) as error:
                note("left out", "yellow", f"{model.where}: {error}")
                continue
            found[package.id] = _Decided(package.id, package.name, inventory)
    if not found:
        raise FarmError("None of the models can be read.")
    return list(found.values())
