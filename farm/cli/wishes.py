"""What a researcher wants rendered: read from the command line and checked, before anything is started."""

from dataclasses import dataclass
from pathlib import Path

import click

from farm.cli.clips import MotionFile, motion_of
from farm.cli.console import tracked
from farm.cli.options import SpecOptions, spec_from
from farm.errors import SpecError
from farm.spec import MAX_BACKGROUNDS, RenderSpec

MAPPING = click.option(
    "--mapping",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="An edited mapping table from `farm annotate`; without it, what the farm has decided by evidence and names counts.",
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What to make of the models."""

    spec: RenderSpec
    """Without backgrounds: their ids are known when they are uploaded."""
    mapping: str | None = None
    """Text of the mapping table."""
    backgrounds: tuple[Path, ...] = ()
    motion: MotionFile | None = None
    """What `spec.motion` is."""


def wish(options: SpecOptions, mapping: Path | None) -> Wish:
    """Everything that the user named, read and checked: a mistake should show before anything is started."""
    clip = motion_of(options)
    spec, table = spec_from(options, clip[1] if clip else None), _read_mapping(mapping)
    pictures = () if options.backgrounds is None else _checked_pictures(options.backgrounds)
    return Wish(spec, table, pictures, clip[0] if clip else None)


def _checked_pictures(folder: Path) -> tuple[Path, ...]:
    from farm.backgrounds import check_pictures, find_pictures

    pictures = find_pictures(folder)
    if len(pictures) > MAX_BACKGROUNDS:
        raise SpecError(f"{folder} holds {len(pictures)} pictures, over the limit of {MAX_BACKGROUNDS}.")
    check_pictures(tracked(pictures, "checking backgrounds"))
    return tuple(pictures)


def _read_mapping(path: Path | None) -> str | None:
    if path is None:
        return None
    from farm.morphs.annotation import read_table, table_text

    text = table_text(path.read_bytes())
    read_table(text)  # a mistake in the table should show before anything is started
    return text
