"""The command that shows what a model file holds."""

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import click
from rich.box import SIMPLE_HEAD
from rich.markup import escape
from rich.table import Table

from farm.cli.console import note, say_json, stdout
from farm.cli.inspection import blender_until, looked_at
from farm.cli.motions import inspect_motions, is_motion
from farm.cli.options import PATHS, models_at
from farm.cli.sources import Sources, Unreadable
from farm.errors import BlenderDiedError, RenderError
from farm.models.inventory import Inventory
from farm.models.overview import overview_page
from farm.morphs.annotation import disagreements
from farm.morphs.vocabulary import target_morphs
from farm.wording import clean, clean_lines, counted

_IF_TEXTURED = "; none where the absent textures are the face's: `farm annotate --html` draws it and says"


@click.command()
@PATHS
@click.option("--json", "as_json", is_flag=True, help="One JSON object a model, with stable field names.")
@click.option(
    "--html", "page", type=click.Path(dir_okay=False, path_type=Path), help="Write a page over all models to this file."
)
@click.option("--pictures", is_flag=True, help="Draw every morph, decide by what is seen as well, and tell of it.")
@click.option(
    "--model",
    "stage",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Of motions, tell what this model lacks.",
)
def inspect(paths: tuple[Path, ...], as_json: bool, page: Path | None, pictures: bool, stage: Path | None) -> None:
    """Show morphs, bones, materials, textures and proposals of models; a folder gives a table of all in it.

    Without --pictures nothing is drawn, and names alone say what morphs do that move no vertex: textures that swap.
    Of motions (.vmd, .vrma) it shows how long they are and what they move.
    """
    motions = tuple(path for path in paths if is_motion(path))
    paths = tuple(path for path in paths if not is_motion(path))
    all_read = inspect_motions(motions, stage, as_json) if motions else True
    if motions and not paths:
        raise SystemExit(0 if all_read else 1)
    found: list[tuple[str, Inventory]] = []
    refused: list[tuple[str, str]] = []
    effects: dict[int, str] = {}
    """Of the last model's morphs, in words."""
    with ExitStack() as stack:
        blender = blender_until(stack) if pictures else None
        for model in Sources(models_at(paths), paths):
            if isinstance(model, Unreadable):
                refused.append((model.where, str(model.error)))
                note(model.code, "red", f"{model.where}: {model.error}")
                continue
            package, inventory = model.package, model.package.inventory
            if blender is not None:
                try:
                    inventory, effects = looked_at(blender, package)
                except (RenderError, BlenderDiedError) as error:
                    refused.append((model.where, str(error)))
                    note(error.code, "red", f"{model.where}: {error}")
                    continue
            found.append((model.where, inventory))
            if as_json:
                record = {"path": model.where, "id": package.id, **inventory.model_dump()}
                say_json(record)
    if not as_json:
        if len(found) == 1:
            _show(*found[0], effects)
        elif found:
            _overview(found)
    if page is not None:
        page.write_text(overview_page(found, refused), "utf-8")
        note("page", "green", str(page))
    if refused or not all_read:
        raise SystemExit(1)


def _plain(text: str) -> str:
    """`text` from a file, to be shown as it is in a table."""
    return escape(clean(text))


def _overview(found: list[tuple[str, Inventory]]) -> None:
    table = Table(box=SIMPLE_HEAD)
    table.add_column("model", no_wrap=True)
    for name in ("format", "title", "vertices", "morphs", "targets", "samples", "neck", "textures", "warnings"):
        table.add_column(name)
    for path, inventory in found:
        total = len(inventory.textures_found) + len(inventory.textures_absent)
        table.add_row(
            _plain(Path(path).name),
            inventory.format,
            _plain(inventory.title),
            str(inventory.vertices),
            str(len(inventory.morphs)),
            str(inventory.target_morphs),
            str(inventory.samples),
            _plain(inventory.neck),
            f"{len(inventory.textures_found)}/{total}",
            str(len(inventory.warnings)),
        )
    stdout.print(table)


def _show(path: str, inventory: Inventory, effects: Mapping[int, str]) -> None:
    facts = Table.grid(padding=(0, 2))
    for name, value in (
        ("file", path),
        ("format", inventory.format),
        ("title", inventory.title),
        ("creator", inventory.creator),
        ("comment", inventory.comment.strip()),
        ("notices", ", ".join(notice.name for notice in inventory.notices)),
        *((f"meta {key}", text) for key, text in inventory.licence.items()),
        (
            "size",
            f"{counted(inventory.vertices, 'vertex', 'vertices')}, {counted(inventory.triangles, 'triangle')}, "
            f"{counted(inventory.meshes, 'mesh', 'meshes')}, {counted(inventory.bones, 'bone')}",
        ),
        ("neck, head", f"{inventory.neck}, {inventory.head} (rule: {inventory.bone_rule})"),
        ("textures", f"{len(inventory.textures_found)} found, {len(inventory.textures_absent)} absent"),
        (
            "samples",
            f"{inventory.samples}, as {inventory.target_morphs} of the {len(target_morphs())} target morphs are annotated"
            f"{_IF_TEXTURED if inventory.textures_absent else ''}",
        ),
    ):
        facts.add_row(_plain(name), escape(clean_lines(value)))
    stdout.print(facts)
    materials = Table("material", "triangles", "texture", title="Materials", title_justify="left", box=SIMPLE_HEAD)
    for material in inventory.materials:
        materials.add_row(_plain(material.name), str(material.triangles), _plain(material.texture or ""))
    stdout.print(materials)
    morphs = Table(
        "index",
        "source morph",
        "type",
        "panel",
        "moves",
        "proposed target",
        "sure",
        "reasons",
        *(("seen",) if effects else ()),
        title="Morphs",
        title_justify="left",
        box=SIMPLE_HEAD,
    )
    for morph in inventory.morphs:
        sure = f"{morph.confidence:.2f}" if morph.confidence is not None else ""
        morphs.add_row(
            str(morph.index), _plain(morph.name), morph.kind, morph.panel, str(morph.moved),
            morph.proposal or "", sure, _plain("; ".join(morph.reasons)),
            *((effects.get(morph.index, ""),) if effects else ()),
        )  # fmt: skip
    stdout.print(morphs)
    for one in disagreements(inventory.source_morphs()):
        note("name", "yellow", str(one))
    for warning in inventory.warnings:
        note("warning", "yellow", warning)
