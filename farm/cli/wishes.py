"""What a researcher wants rendered: read from the command line, checked, and handed to a farm."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.progress import track

from farm.backgrounds import check_pictures, find_pictures
from farm.cli.console import note, stderr
from farm.cli.options import SpecOptions, spec_from
from farm.client import FarmClient, RefusedError, UploadedModel
from farm.errors import SpecError
from farm.morphs.annotation import read_table, table_text
from farm.spec import MAX_BACKGROUNDS, RenderSpec

MAPPING = click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An edited mapping table from `farm annotate`; without it, morphs are mapped by their names alone.",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What to make of the models."""

    spec: RenderSpec
    """Without backgrounds: their ids are known when they are uploaded."""
    mapping: str | None = None
    """Text of the mapping table."""
    backgrounds: tuple[Path, ...] = ()


def wish(options: SpecOptions, mapping: Path | None) -> Wish:
    """Everything that the user named, read and checked: a mistake should show before anything is started."""
    spec, table = spec_from(options), _read_mapping(mapping)
    pictures = [] if options.backgrounds is None else find_pictures(options.backgrounds)
    if len(pictures) > MAX_BACKGROUNDS:
        raise SpecError(f"{options.backgrounds} holds {len(pictures)} pictures, over the limit of {MAX_BACKGROUNDS}.")
    check_pictures(_tracked(pictures, "checking backgrounds"))
    return Wish(spec, table, tuple(pictures))


def _read_mapping(path: Path | None) -> str | None:
    if path is None:
        return None
    text = table_text(path.read_bytes())
    read_table(text)  # a mistake in the table should show before anything is started
    return text


def _tracked(paths: Sequence[Path], what: str) -> Iterable[Path]:
    return track(paths, what, console=stderr, transient=True) if paths else ()


def upload(client: FarmClient, paths: Sequence[Path]) -> tuple[list[UploadedModel], list[str]]:
    """Upload the models at `paths`: those that the farm took, each once, and a line for each that was refused."""
    uploaded: dict[str, UploadedModel] = {}
    refused: list[str] = []
    stems = Counter(path.stem for path in paths)
    for path in _tracked(paths, "uploading models") if len(paths) > 1 else paths:
        try:
            models, bad = client.upload(path)
        except (RefusedError, OSError) as error:
            if isinstance(error, RefusedError) and error.status in (401, 403):
                raise  # it is not the model that is refused
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


def with_backgrounds(client: FarmClient, wanted: Wish) -> RenderSpec:
    """The specification with its backgrounds, which are uploaded."""
    if not wanted.backgrounds:
        return wanted.spec
    ids = [client.upload_background(path) for path in _tracked(wanted.backgrounds, "uploading backgrounds")]
    # The same picture twice in the folder is one background.
    return RenderSpec.model_validate({**wanted.spec.model_dump(), "backgrounds": tuple(dict.fromkeys(ids))})
