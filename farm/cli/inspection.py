"""Draws morphs for people: for what a command says of them, and for the page of `farm annotate --html`."""

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, ProgressColumn, Task, TextColumn, TimeRemainingColumn
from rich.text import Text

from farm.cli.console import note, stderr, stdout
from farm.cli.options import models_at
from farm.cli.sources import Sources, Unreadable
from farm.drawing.blender import Blender
from farm.errors import BlenderDiedError, FarmError, RenderError
from farm.inspection.drawing import draw_pictures, look_at
from farm.inspection.page import Inspected, InspectionPage
from farm.inspection.pictured import decided_by, decided_by_pictures
from farm.inspection.record import moving_morphs
from farm.models.inventory import MAX_MORPHS, Inventory
from farm.models.package import Package, to_bytes
from farm.wording import counted


def blender_until(stack: ExitStack) -> Blender:
    """One that ends with `stack`."""
    blender = Blender()
    stack.callback(blender.stop)
    return blender


def looked_at(blender: Blender, package: Package) -> tuple[Inventory, dict[int, str]]:
    """What is decided of a model when its morphs are seen as well; and by index what each of them does, in words.

    Raises RenderError and BlenderDiedError.
    """
    drawn = moving_morphs(package.inventory)[:MAX_MORPHS]
    seen = look_at(blender, to_bytes(package), package.inventory, drawn)
    return decided_by(package, seen), {morph.index: morph.effect for morph in seen}


class _Rate(ProgressColumn):
    """Models a minute; nothing before the first."""

    def render(self, task: Task) -> Text:
        speed = task.finished_speed or task.speed
        return Text(f"{speed * 60:.1f} models/min" if speed else "", style="dim")


def write_page(paths: tuple[Path, ...], out: Path) -> None:
    """Draw what is not drawn yet and write the page; ends with exit code 1 when models are left out.

    The page is written again whenever it has twice the models, and when the command is interrupted: what is drawn can be
    looked at. Without a terminal, where nobody sees a bar, each model is told of by a line.

    Raises FarmError when no model can be used or Blender does not start.
    """
    page = InspectionPage(out)
    left_out: list[str] = []
    found: list[Inspected] = []
    due = 1
    try:
        for model in _inspected(paths, page, left_out):
            found.append(model)
            if len(found) == due:
                page.write(found)
                due *= 2
            if not stderr.is_terminal:
                drawn = counted(len(model.inspection.morphs), "morph")
                note("drawn", "green", f"{model.name}: {drawn}; {counted(len(found), 'model')} so far")
    except KeyboardInterrupt:
        if found:
            note(
                "page",
                "yellow",
                f"{page.write(found)} has {counted(len(found), 'model that is', 'models that are')} drawn.",
            )
        raise
    if not found:
        raise FarmError("None of the models can be read and drawn.")
    index = page.write(found)
    morphs = sum(len(model.inspection.morphs) for model in found)
    stdout.print(f"{counted(morphs, 'morph')} of {counted(len(found), 'model')}: {index}", markup=False, soft_wrap=True)
    if left_out:
        raise SystemExit(1)


def _inspected(paths: tuple[Path, ...], page: InspectionPage, left_out: list[str]) -> Iterator[Inspected]:
    """The models, each content once, in the order of their names; those that cannot be used are named."""
    models = Sources(models_at(paths), paths)
    seen: set[str] = set()
    blender = Blender()
    columns = (TextColumn("drawing"), BarColumn(), MofNCompleteColumn(), _Rate(), TimeRemainingColumn())
    try:
        with Progress(*columns, console=stderr, transient=True) as progress:
            for model in progress.track(models, len(models)):
                if isinstance(model, Unreadable):
                    note("left out", "yellow", f"{model.where}: {model.error}")
                    left_out.append(model.where)
                    continue
                package = model.package
                try:
                    if package.id in seen:
                        continue
                    seen.add(package.id)
                    inspection = page.kept(package.id)
                    if inspection is None:
                        pictures = draw_pictures(blender, package.id, to_bytes(package), package.inventory)
                        page.keep(pictures)
                        inspection = pictures.inspection
                except (RenderError, BlenderDiedError) as error:
                    note("left out", "yellow", f"{model.where}: {error}")
                    left_out.append(model.where)
                    continue
                if inspection.unusable:
                    note("unusable", "yellow", f"{model.where}: {' '.join(inspection.unusable)}")
                yield Inspected(package.name, decided_by_pictures(package, inspection), inspection)
    finally:
        blender.stop()
