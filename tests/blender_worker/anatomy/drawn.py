"""Draws the labels of models in poses, as a worker does, for tests of what is seen."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from farm import pipe
from farm.drawing.blender import Blender
from farm.labels import LabelName
from farm.marks import Marks
from farm.models.package import Package, read_model, to_bytes, unfold
from farm.morphs.refs import Annotation
from farm.poses import Partition
from tests.support.by_names import by_names

SIZE = 256


@dataclass(frozen=True)
class Seen:
    """One picture's labels."""

    parts: NDArray[np.uint8]
    marks: Marks

    def area(self, *parts: int) -> int:
        """Pixels of these parts."""
        return int(np.isin(self.parts, parts).sum())


def annotation_of(package: Package) -> Annotation:
    """What the farm decides; and the blink that the names say, where it is not sure of any."""
    decided = package.inventory.annotation
    if any(target.startswith("eye/closed") for target in decided):
        return decided
    named = by_names(package.inventory)
    return {**decided, **{target: morph for target, morph in named.items() if target.startswith("eye/closed")}}


def sources(package: Package, target: str) -> list[int]:
    """The source morphs that together show `target` on both sides; none when the model does not have it."""
    found = {name.removeprefix(target): ref.index for name, ref in annotation_of(package).items()}
    for whole in ("", "/both"):
        if whole in found:
            return [found[whole]]
    return [found[side] for side in ("/left", "/right") if side in found]


def seen(blender: Blender, model: Path, folder: Path, targets: list[str]) -> dict[str, Seen]:
    """The labels with no morph, "", and with each of `targets` that the model has at full weight."""
    package = read_model(model)
    character, textures = unfold(to_bytes(package), folder)
    poses = {"": [], **{target: found for target in targets if (found := sources(package, target))}}
    request = pipe.Render(
        character=str(character),
        textures={index: str(path) for index, path in textures.items()},
        morphs=sorted({ref.index for ref in annotation_of(package).values()}),
        annotation={name: ref.index for name, ref in annotation_of(package).items()},
        styles=["flat"],
        labels=[LabelName.PARTS, LabelName.LANDMARKS],
        size=SIZE,
        supersample=1,
        shots=[
            pipe.Shot(
                sample=number,
                partition=Partition.FRONTAL,
                weights=dict.fromkeys(weights, 1.0),
                rotation=(0.0, 0.0, 0.0),
                light=0.6,
            )
            for number, weights in enumerate(poses.values())
        ],
    )
    result = {}
    for name, drawn in zip(poses, blender.draw(request, lambda _: None), strict=True):
        assert drawn.marks is not None
        result[name] = Seen(drawn.labels[LabelName.PARTS], drawn.marks)
    return result
