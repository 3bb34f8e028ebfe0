"""Options and helpers that several commands share."""

import math
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import wraps
from pathlib import Path
from typing import Any

import click
from pydantic import ValidationError

from farm.cameras import Framing
from farm.errors import FarmError, SpecError
from farm.labels import LabelName
from farm.models.files import SUFFIXES, ZIP, find_models
from farm.morphs.columns import extended_targets
from farm.occluders import OccluderName
from farm.poses import MANY_TARGETS, SAMPLES_FEW, SAMPLES_MANY
from farm.recipes.recipe import recipe
from farm.spaces.limbs import RestPose
from farm.spaces.space import space_names
from farm.spec import MAX_SAMPLES, AnnotationRule, CanvasName, RenderSpec
from farm.styles import STYLES
from farm.wording import mistake

PATHS = click.argument("paths", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
MODEL_FILES = (*SUFFIXES, ZIP)
"""Of files that hold models."""
_ALL = "all"
_SENSOR = 36.0
"""Millimetres: the width of the film that focal lengths are usually given for."""


def default_workers() -> int:
    """Blender processes for this machine: what a second one overlaps is loading, posing and encoding."""
    return max(1, min(4, os.cpu_count() or 1))


@dataclass(frozen=True, slots=True)
class SpecOptions:
    """What a user asked for with `spec_options`. None and empty: the specification's own default."""

    recipe: str | None
    seed: int | None
    samples: str | None
    size: int | None
    keep_unusable: bool
    pose_space: str | None
    combinations: bool
    extended: tuple[str, ...]
    annotation: str | None
    least_confidence: float | None
    styles: tuple[str, ...]
    labels: tuple[str, ...]
    occluders: tuple[str, ...]
    framing: str | None
    field_of_view: float | None
    focal_length: float | None
    orthographic: bool
    views: int | None
    yaw: tuple[float, float] | None
    elevation: tuple[float, float] | None
    around: int | None
    rings: tuple[float, ...]
    rest_pose: str | None
    canvas: str | None
    backgrounds: Path | None
    """A folder of pictures: their ids are known when they are uploaded, so `spec_from` leaves them out."""
    motion: Path | None
    rate: float | None
    start: float | None
    frames: int | None


_SPEC_OPTIONS = (
    click.option(
        "--recipe",
        metavar="NAME|FILE",
        help="Begin with this specification, of `farm recipe list` or a .toml file of your own; the options below change it.",
    ),
    click.option(
        "--seed",
        type=click.IntRange(0, 2**63 - 1),
        show_default="0",
        help="Seed of all poses, lights, views and backgrounds.",
    ),
    click.option(
        "--samples",
        show_default="auto",
        help="Samples a model; 'auto' is the pose space's rule, by default the paper's: "
        f"{SAMPLES_MANY} with more than {MANY_TARGETS} target morphs, otherwise {SAMPLES_FEW}.",
    ),
    click.option("--size", type=click.IntRange(32, 1024), show_default="256", help="Pixels a side."),
    click.option("--keep-unusable", is_flag=True, help="Render models without a visible face, too."),
    click.option(
        "--pose-space",
        type=click.Choice(list(space_names())),
        help="What a pose vector means and how it is drawn. Default: animeceleb-20, the paper's.",
    ),
    click.option(
        "--combinations",
        is_flag=True,
        help="Where a model lacks a morph: play both sides by those of the two, and a side by half of that of both.",
    ),
    click.option(
        "--extended",
        multiple=True,
        type=click.Choice([*extended_targets(), _ALL]),
        metavar="TARGET",
        help="Sample this target beyond the paper's 23, too; repeat for several, 'all' for all. Adds columns to the poses.",
    ),
    click.option(
        "--annotation",
        type=click.Choice([rule.value for rule in AnnotationRule]),
        help="Which annotations count: also what the farm proposes, or only what a person has confirmed. "
        "Default: proposals, or what the farm's operator has set.",
    ),
    click.option(
        "--least-confidence", type=float, metavar="C", help="Leave out proposals of less, 0 to 1. Default: 0."
    ),
    click.option(
        "--style",
        "styles",
        multiple=True,
        type=click.Choice(list(STYLES)),
        help="Draw this style; repeat for several. Default: the paper's four.",
    ),
    click.option(
        "--labels",
        multiple=True,
        type=click.Choice([*(label.value for label in LabelName), _ALL]),
        help="Store this label with the pictures; repeat for several.",
    ),
    click.option(
        "--framing",
        type=click.Choice([framing.value for framing in Framing]),
        help="How much of the character is in the picture. Default: head.",
    ),
    click.option("--field-of-view", type=float, metavar="DEG", help="Of the camera, 2 to 90 degrees. Default: 20."),
    click.option(
        "--focal-length", type=float, metavar="MM", help="On a sensor 36 mm wide, instead of --field-of-view."
    ),
    click.option("--orthographic", is_flag=True, help="Parallel projection instead of perspective."),
    click.option("--views", type=int, metavar="N", help="Pictures of every sample, partition and style. Default: 1."),
    click.option(
        "--yaw",
        nargs=2,
        type=float,
        metavar="LO HI",
        help="Draw each view's yaw from here; degrees, positive: from the character's left.",
    ),
    click.option(
        "--elevation",
        nargs=2,
        type=float,
        metavar="LO HI",
        help="Draw each view's elevation from here; degrees, positive: from above.",
    ),
    click.option("--around", type=int, metavar="N", help="In place of drawn views, N at equal angles all around."),
    click.option(
        "--ring",
        "rings",
        multiple=True,
        type=float,
        metavar="DEG",
        help="Elevation of a ring of the views --around; repeat for several. Default: 0.",
    ),
    click.option(
        "--rest-pose",
        type=click.Choice([rest.value for rest in RestPose]),
        help="How the character stands: arms as in its file, 45 degrees below the level (a) or level (t). Default: file.",
    ),
    click.option(
        "--backgrounds",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        metavar="DIR",
        help="Compose over the pictures in this folder. Default: transparent.",
    ),
    click.option(
        "--motion",
        type=click.Path(exists=True, dir_okay=False, path_type=Path),
        metavar="FILE",
        help="Draw the frames of this motion (VMD or VRMA) as a clip, instead of drawn poses.",
    ),
    click.option("--rate", type=float, metavar="N", help="Of a clip: frames a second, 1 to 240. Default: 30."),
    click.option("--start", type=float, metavar="S", help="Of a clip: begin at this second of the motion. Default: 0."),
    click.option(
        "--frames",
        type=int,
        metavar="N",
        help=f"Of a clip: so many, at most {MAX_SAMPLES}. Default: to the motion's end.",
    ),
    click.option(
        "--occluder",
        "occluders",
        multiple=True,
        type=click.Choice([*(name.value for name in OccluderName), _ALL]),
        help="Draw every view once more with one of these over the face; repeat for several.",
    ),
    click.option(
        "--canvas",
        type=click.Choice([canvas.value for canvas in CanvasName]),
        help="What draws: our shaders, Blender's EEVEE in a viewport, or its final renderer. Default: forward.",
    ),
)


def spec_options[R](command: Callable[..., R]) -> Callable[..., R]:
    """The options that make a RenderSpec; `command` gets them as `options`, a SpecOptions."""

    @wraps(command)
    def collected(**values: Any) -> R:
        options = SpecOptions(**{field.name: values.pop(field.name) for field in fields(SpecOptions)})
        return command(options=options, **values)

    for option in reversed(_SPEC_OPTIONS):
        collected = option(collected)
    return collected


def spec_from(options: SpecOptions, motion: Mapping[str, Any] | None = None) -> RenderSpec:
    """The specification that the options ask for, without backgrounds; `motion` is that of a clip. Raises SpecError."""
    values: dict[str, Any] = {} if options.recipe is None else recipe(options.recipe).values
    if motion is not None:
        values["motion"] = motion
    for name in ("seed", "size", "pose_space", "samples", "annotation", "least_confidence", "canvas"):
        if (given := getattr(options, name)) is not None:
            values[name] = given
    if options.keep_unusable:
        values["keep_unusable"] = True
    samples = options.samples
    if samples is not None and samples != "auto":
        if not (samples.isascii() and samples.isdigit()) or not 1 <= int(samples) <= MAX_SAMPLES:
            raise SpecError(f"--samples takes 'auto' or a number from 1 to {MAX_SAMPLES}, not '{samples}'.")
        values["samples"] = int(samples)
    if options.combinations:
        values["combinations"] = True
    if options.extended:
        values["extended"] = tuple(name for name in extended_targets() if {name, _ALL} & set(options.extended))
    if options.rest_pose is not None:
        values["rest_pose"] = options.rest_pose
    if options.styles:
        values["styles"] = tuple(dict.fromkeys(options.styles))
    if options.occluders:
        values["occluders"] = tuple(name for name in OccluderName if {name, _ALL} & set(options.occluders))
    if options.labels:
        # Without occluders, `occlusion` says nothing that the picture's alpha does not say.
        everything = set(LabelName) - (set() if values.get("occluders") else {LabelName.OCCLUSION})
        asked = {*options.labels, *(everything if _ALL in options.labels else ())}
        values["labels"] = tuple(label for label in LabelName if label in asked)
    field_of_view = _field_of_view(options)
    camera = {
        "framing": options.framing,
        "projection": "orthographic" if options.orthographic else None,
        "field_of_view": field_of_view,
        "views": options.views,
        "yaw": options.yaw,
        "elevation": options.elevation,
        "around": options.around,
        "rings": options.rings or None,
    }
    given = {name: value for name, value in camera.items() if value is not None}
    values["camera"] = values.get("camera", {}) | given
    if given.keys() & {"around", "rings"} and "views" not in given:
        values["camera"].pop("views", None)  # a recipe's, of other views
    try:
        return RenderSpec.model_validate(values)
    except ValidationError as error:
        message = _sentence(error)
        if options.focal_length is not None:
            given = f"--focal-length {options.focal_length:g}, a field of view of {field_of_view:.3g} degrees"
            message = message.replace("--field-of-view", given)
        raise SpecError(message) from error


def _field_of_view(options: SpecOptions) -> float | None:
    if options.orthographic and (options.field_of_view is not None or options.focal_length is not None):
        raise SpecError("--orthographic has no field of view; leave --field-of-view and --focal-length out.")
    if options.focal_length is None:
        return options.field_of_view
    if options.field_of_view is not None:
        raise SpecError("--focal-length and --field-of-view say the same thing; give one of them.")
    if not options.focal_length > 0:
        raise SpecError(f"--focal-length takes a number of millimetres above 0, not {options.focal_length:g}.")
    # Rounded: the specification stands in the manifest, and nobody sees a millionth of a degree.
    return round(math.degrees(2 * math.atan(_SENSOR / 2 / options.focal_length)), 6)


def _sentence(error: ValidationError) -> str:
    """What pydantic found, as a sentence that names options."""
    sentences = []
    for item in error.errors()[:5]:
        names = [str(name) for name in item["loc"] if name not in ("camera", "motion") and not isinstance(name, int)]
        option = f"--{names[0].replace('_', '-')}: " if names else ""
        sentences.append(option + mistake(item))
    return "These options cannot be used: " + "; ".join(sentences) + "."


def models_at(paths: tuple[Path, ...]) -> dict[Path, Path]:
    """The model files and zips at all `paths`, each once, with the folder in which its textures may stand: the one that was
    named.

    Raises FarmError when there is none.
    """
    found: dict[Path, Path] = {}
    for path in paths:
        for model in find_models(path, MODEL_FILES):
            found.setdefault(model, path if path.is_dir() else path.parent)
    if not found:
        where = ", ".join(str(path) for path in paths)
        raise FarmError(f"There is no model in {where}: files ending in {', '.join(MODEL_FILES)} are looked for.")
    return found
