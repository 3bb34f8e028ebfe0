"""Poses models as a worker does, and says where everything is."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from blender_worker.character.actor import FRONT, Actor
from blender_worker.importers.build import build
from farm.models.package import read_character


@dataclass(frozen=True)
class Asked:
    """A pose to evaluate; of several morphs with one name the first is meant."""

    weights: dict[str, float]
    rotation: tuple[float, float, float] = FRONT


@dataclass(frozen=True)
class Evaluated:
    """What came of it for one model, a list entry for each pose."""

    actor: Actor
    positions: list[np.ndarray]
    uvs: list[np.ndarray]
    colours: list[np.ndarray]
    """(surfaces, 4)"""
    outlines: list[np.ndarray]
    """(surfaces, 5): colour and width."""


def evaluate(model: Path, asked: list[Asked]) -> Evaluated:
    """Evaluate the poses of one model, without textures."""
    character = read_character(model.suffix, model.read_bytes())
    names = [morph.name for morph in character.morphs]
    index_of = {name: names.index(name) for pose in asked for name in pose.weights}
    actor = build(character, {}, sorted(index_of.values()))
    poses = [actor.pose({index_of[n]: w for n, w in pose.weights.items()}, pose.rotation) for pose in asked]
    return Evaluated(
        actor=actor,
        positions=[pose.positions for pose in poses],
        uvs=[actor.vertices.uvs if pose.uvs is None else pose.uvs for pose in poses],
        colours=[np.array([look.colour for look in pose.looks]) for pose in poses],
        outlines=[np.array([(*look.outline_colour, look.outline) for look in pose.looks]) for pose in poses],
    )
