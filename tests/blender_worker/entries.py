"""Draws each key of a pose space alone, with its labels, for tests of what it changes."""

import tempfile
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from farm import pipe
from farm.drawing.assignment import Assignment
from farm.drawing.blender import Blender
from farm.drawing.plan import Plan, plan
from farm.drawing.request import request_for
from farm.labels import LabelName, Part
from farm.models.package import read_model, to_bytes, unfold
from farm.poses import Partition
from farm.spaces.casting import named_morphs
from farm.spec import RenderSpec

SIZE = 256
_CHANGED = 8


@dataclass(frozen=True)
class Shown:
    """One key at one value."""

    key: str
    value: float
    changed: NDArray[np.bool_]
    """(SIZE, SIZE) against the neutral picture."""
    parts: NDArray[np.uint8]


@dataclass(frozen=True)
class Character:
    """What one character plays, drawn."""

    todo: Plan
    neutral: NDArray[np.uint8]
    """(SIZE, SIZE) parts of the neutral picture."""
    shown: list[Shown]

    def near(self, one: Shown, *parts: Part, margin: float = 0.04) -> NDArray[np.bool_]:
        """(SIZE, SIZE) the box about all pixels of these parts, before or in the pose; nothing where none shows."""
        rows, columns = np.nonzero(np.isin(self.neutral, parts) | np.isin(one.parts, parts))
        box = np.zeros((SIZE, SIZE), bool)
        if len(rows):
            more = round(margin * SIZE)
            top, left = max(0, rows.min() - more), max(0, columns.min() - more)
            box[top : rows.max() + more + 1, left : columns.max() + more + 1] = True
        return box


def drawn(blender: Blender, model: Path, space: str) -> Character:
    """Every key that a character can play at its highest value, and at its lowest where that is below 0."""
    package = read_model(model)
    spec = RenderSpec(
        pose_space=space, samples=1, styles=("flat", "default"), labels=(LabelName.PARTS,), size=SIZE, supersample=1
    )
    annotation = package.inventory.annotation
    assignment = Assignment(package.id, annotation, 1, "0" * 64, spec)
    assignment = replace(assignment, named=named_morphs(spec.space, package.inventory.source_morphs(), annotation))
    asked = plan(assignment, {})
    settled: list[Plan] = []
    values: list[tuple[str, float, dict[int, float]]] = []

    def shot(weights: dict[int, float]) -> pipe.Shot:
        return pipe.Shot(sample=0, partition=Partition.FRONTAL, weights=weights, rotation=(0, 0, 0), light=0.6)

    def loaded(message: pipe.Loaded) -> list[pipe.Shot]:
        settled.append(plan(assignment, {}, message.unseen))
        for key, played in settled[0].cast.items():
            low, high = spec.space.keys[key].parameter.range
            values.extend((key, value, played.weights(key, spec.space, value)) for value in (low, high) if value)
        return [shot({}), *(shot(weights) for _, _, weights in values)]

    with tempfile.TemporaryDirectory() as room:
        character, textures = unfold(to_bytes(package), Path(room))
        request = request_for(assignment, asked, character, textures).model_copy(update={"shots": [shot({})]})
        answers = list(blender.draw(request, loaded))
    pictures = [np.concatenate(answer.pictures, axis=-1).astype(np.int16) for answer in answers]
    parts = [np.asarray(answer.labels[LabelName.PARTS], np.uint8) for answer in answers]
    return Character(
        settled[0],
        parts[0],
        [
            Shown(key, value, (np.abs(picture - pictures[0]) > _CHANGED).any(axis=-1), seen)
            for (key, value, _), picture, seen in zip(values, pictures[1:], parts[1:], strict=True)
        ],
    )
