"""Studies models as a worker does, spoiled in ways of which `MANGLES` has one a function, and says what was found."""

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from blender_worker.anatomy.study import Anatomy, study
from blender_worker.character.actor import Actor
from blender_worker.importers.build import build
from farm.labels import Part
from farm.models.description import Character
from farm.models.package import read_character, read_model
from tests.support.by_names import by_names


def no_triangles(made: Character) -> Character:
    """Vertices and nothing between them."""
    materials = tuple(replace(m, first_triangle=0, triangle_count=0) for m in made.materials)
    return replace(made, triangles=made.triangles[:0], materials=materials)


def no_numbers(made: Character) -> Character:
    """NaN and infinity for every other vertex."""
    positions = made.positions.copy()
    positions[::2], positions[1::8] = np.nan, np.inf
    return replace(made, positions=positions)


def one_point(made: Character) -> Character:
    """All vertices in one place."""
    return replace(made, positions=np.zeros_like(made.positions))


def in_splinters(made: Character) -> Character:
    """No triangle shares a vertex's place with another, so that each is a piece of its own."""
    corners = made.triangles.ravel()
    spread = np.repeat(np.arange(len(made.triangles), dtype=np.float32) * np.float32(1e-5), 3)[:, None]
    return replace(
        made,
        positions=made.positions[corners] + spread,
        normals=made.normals[corners],
        uvs=made.uvs[corners],
        bone_indices=made.bone_indices[corners],
        bone_weights=made.bone_weights[corners],
        edge_scales=made.edge_scales[corners],
        triangles=np.arange(len(corners), dtype=made.triangles.dtype).reshape(-1, 3),
        morphs=(),
    )


def no_head(made: Character) -> Character:
    """The head's and the eyes' bones have names that mean nothing."""
    plain = [replace(b, name=f"b{n}", name_en="") if b.name != "首" else b for n, b in enumerate(made.bones)]
    return replace(made, bones=tuple(plain))


def no_names(made: Character) -> Character:
    """Materials whose names mean nothing."""
    return replace(
        made, materials=tuple(replace(m, name=f"材質{n}", name_en="") for n, m in enumerate(made.mmd_materials))
    )


def nothing_known(made: Character) -> Character:
    """Neither names nor morphs."""
    return replace(no_names(made), morphs=())


def one_material(made: Character) -> Character:
    """Everything in one material without a meaning."""
    count = len(made.triangles)
    whole = replace(made.mmd_materials[0], name="all", name_en="", first_triangle=0, triangle_count=count)
    return replace(made, materials=(whole,))


MANGLES: dict[str, Callable[[Character], Character]] = {
    made.__name__: made
    for made in (no_triangles, no_numbers, one_point, in_splinters, no_head, no_names, nothing_known, one_material)
}


def built(model: Path, mangled: str) -> tuple[Actor, dict[str, int]]:
    """The actor, and its annotation by the morphs' indices."""
    package = read_model(model)
    character = read_character(package.suffix, package.data)
    if mangled:
        character = MANGLES[mangled](character)
    # With what only names say, too: what moves as it is called is to be studied, not what is decided.
    said = {**by_names(package.inventory), **package.inventory.annotation}
    annotation = {
        target: ref.index
        for target, ref in said.items()
        if ref.index < len(character.morphs) and character.morphs[ref.index].name == ref.name
    }
    return build(character, {}, sorted(set(annotation.values()))), annotation


def described(actor: Actor, anatomy: Anatomy) -> dict[str, dict[str, object]]:
    """By part: its triangles, and the box and mean of their middles in head heights from the neck."""
    middles = [actor.rest.positions[run.triangles].mean(axis=1) for run in actor.runs]
    found = {}
    for part in Part:
        own = [one[kinds == part] for one, kinds in zip(middles, anatomy.triangles, strict=True)]
        points = (np.concatenate([np.zeros((0, 3)), *own]) - actor.neck_position) / actor.head_height
        if len(points):
            box = [points.min(axis=0).tolist(), points.max(axis=0).tolist()]
            found[part.name] = {"triangles": len(points), "mean": points.mean(axis=0).tolist(), "box": box}
    return found


def marks(actor: Actor, anatomy: Anatomy, weights: dict[int, float], turn: float) -> dict[str, list[float]]:
    """Where the landmarks are in a pose, in head heights from the neck."""
    positions = actor.pose(weights, (0.0, 0.0, turn)).positions
    return {
        name: (
            ((positions[mark.vertices] * mark.weights[:, None]).sum(axis=0) - actor.neck_position) / actor.head_height
        ).tolist()
        for name, mark in anatomy.landmarks.items()
    }


def studied(model: Path, mangled: str, targets: list[str]) -> dict[str, Any]:
    """What is found in one model; "mangled" names one of `MANGLES`, or is empty."""
    with np.errstate(all="ignore"):  # no reader lets NaN through; what is measured has to stand it all the same
        actor, annotation = built(model, mangled)
    started = time.process_time()
    anatomy = study(actor, annotation)
    return {
        "seconds": time.process_time() - started,
        "matches": [len(a) == len(b.triangles) for a, b in zip(anatomy.triangles, actor.runs, strict=True)],
        "rules": anatomy.rules,
        "parts": described(actor, anatomy),
        "turns": {name: float(actor.vertices.turns[mark.vertices].min()) for name, mark in anatomy.landmarks.items()},
        "sums": {name: float(mark.weights.sum()) for name, mark in anatomy.landmarks.items()},
        "rest": marks(actor, anatomy, {}, 0.0),
        "turned": marks(actor, anatomy, {}, 20.0),
        "posed": {
            target: marks(actor, anatomy, {annotation[target]: 1.0}, 0.0) for target in annotation if target in targets
        },
    }
