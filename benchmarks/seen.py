"""The characters that anybody can draw, real and our own, with a truth made by looking at pictures of their morphs.

`tests/farm/morphs/truth.json` has for each file, by its path in the folder of models (`mascots/`: the project's own), what
plays each target that anything plays: indices of morphs, as `best`, `weak` and `unseen` (`benchmarks.annotated.Verdict`).
Made from neutral, applied and difference at 768 pixels, shaded by toon, parts and normals, since `flat` shows nothing of
models whose textures are absent; sides as the moved vertices say.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from benchmarks.annotated import Character, Verdict
from farm.drawing.blender import Blender
from farm.inspection.drawing import draw_pictures
from farm.inspection.pictured import decided_by_pictures
from farm.models.package import read_model, to_bytes
from farm.morphs.refs import Annotation
from farm.morphs.vocabulary import target_morphs

MODELS = Path(os.environ.get("FARM_TEST_MODELS") or "../shared/models")
_TRUTH = Path(__file__).parents[1] / "tests" / "farm" / "morphs" / "truth.json"
_OWN = "mascots"


@dataclass(frozen=True, slots=True)
class Seen:
    """A character of the table, and what the farm decides for it from the file alone."""

    character: Character
    annotation: Annotation
    by_pictures: Annotation | None
    """What it decides when it also sees each morph drawn; None: none was drawn."""


def seen(models: Path, own: Mapping[str, Path], blender: Blender | None = None) -> list[Seen]:
    """Read the characters of the table: real ones from the folder `models` where it has them, `own` ones by name.

    With a `blender` their morphs are drawn as well. Raises what `read_model` raises.
    """
    table = json.loads(_TRUTH.read_text(encoding="utf-8"))
    found = []
    for number, (name, truth) in enumerate(table.items()):
        path = own[Path(name).stem] if name.startswith(f"{_OWN}/") else models / name
        if path.is_file():
            found.append(_read(number, name, path, truth, blender))
    return found


def _read(
    number: int, name: str, path: Path, truth: Mapping[str, Mapping[str, list[int]]], blender: Blender | None
) -> Seen:
    package = read_model(path)
    inventory = package.inventory
    # What the table leaves out is played by nothing.
    verdicts = {target.name: _verdict(truth.get(target.name, {})) for target in target_morphs()}
    character = Character(number, tuple(inventory.source_morphs()), {}, verdicts, name)
    by_pictures = None
    if blender is not None:
        drawn = draw_pictures(blender, package.id, to_bytes(package), inventory)
        by_pictures = decided_by_pictures(package, drawn.inspection).annotation
    return Seen(character, inventory.annotation, by_pictures)


def _verdict(given: Mapping[str, list[int]]) -> Verdict:
    return Verdict(tuple(given.get("best", ())), (*given.get("weak", ()), *given.get("unseen", ())))
