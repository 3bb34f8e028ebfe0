"""Options and helpers that several commands share."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from farm.errors import FarmError, SpecError
from farm.models.package import SUFFIXES, find_models
from farm.spec import MAX_SAMPLES, RenderSpec, StyleName

PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))


def default_workers() -> int:
    """Blender processes for this machine: what a second one overlaps is loading, posing and encoding."""
    return max(1, min(4, os.cpu_count() or 1))


def spec_options[**P, R](command: Callable[P, R]) -> Callable[P, R]:
    """The options that make a RenderSpec; read them with `spec_from`."""
    for option in (
        click.option(
            "--seed", type=click.IntRange(0, 2**63 - 1), default=0, show_default=True, help="Seed of all poses."
        ),
        click.option(
            "--samples",
            default="auto",
            show_default=True,
            help="Samples a model; 'auto' is the paper's rule: 100 with more than five target morphs, otherwise 20.",
        ),
        click.option("--size", type=click.IntRange(32, 1024), default=256, show_default=True, help="Pixels a side."),
        click.option("--keep-unusable", is_flag=True, help="Render models without a visible face, too."),
        click.option(
            "--style",
            "styles",
            multiple=True,
            type=click.Choice([style.value for style in StyleName]),
            help="Draw this style; repeat for several. Default: all four.",
        ),
    ):
        command = option(command)
    return command


def spec_from(seed: int, samples: str, size: int, styles: tuple[str, ...], keep_unusable: bool) -> RenderSpec:
    """The specification that the options ask for. Raises SpecError."""
    values: dict[str, Any] = {"seed": seed, "size": size, "keep_unusable": keep_unusable}
    if samples != "auto":
        if not (samples.isascii() and samples.isdigit()) or not 1 <= int(samples) <= MAX_SAMPLES:
            raise SpecError(f"--samples takes 'auto' or a number from 1 to {MAX_SAMPLES}, not '{samples}'.")
        values["samples"] = int(samples)
    if styles:
        values["styles"] = tuple(StyleName(style) for style in dict.fromkeys(styles))
    return RenderSpec(**values)


def models_at(paths: tuple[Path, ...]) -> list[Path]:
    """The model files at all `paths`, each once. Raises FarmError when there is none."""
    found = list(dict.fromkeys(model for path in paths for model in find_models(path)))
    if not found:
        where = ", ".join(str(path) for path in paths)
        raise FarmError(f"There is no model in {where}: files ending in {', '.join(SUFFIXES)} are looked for.")
    return found
