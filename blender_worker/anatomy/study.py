"""What is where on a character: the part that every triangle belongs to (`pieces` has the rules) and its landmarks."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from blender_worker.anatomy.ears import find_ears
from blender_worker.anatomy.figure import Figure
from blender_worker.anatomy.landmarks import Landmark, find_landmarks
from blender_worker.anatomy.layers import find_layers
from blender_worker.anatomy.lips import find_lips
from blender_worker.anatomy.openings import settle
from blender_worker.anatomy.painted import find_painted
from blender_worker.anatomy.pieces import Pieces
from blender_worker.character.actor import Actor
from farm.labels import Part

__all__ = ["Anatomy", "Landmark", "study"]


@dataclass(frozen=True, slots=True)
class Anatomy:
    """What is where on a character."""

    triangles: list[NDArray[np.uint8]]
    """For each of the actor's runs (m,) the `farm.labels.Part` of each triangle."""
    painted: list[NDArray[np.bool_]]
    """For each of the runs (m,) whether only those texels of a triangle are of its part that differ from `skin`."""
    skin: tuple[float, float, float]
    """The colour of the face's skin under what is painted on it, sRGB in [0, 1]."""
    landmarks: dict[str, Landmark]
    """Those of `farm.labels.LANDMARKS` that the model has, without "neck"."""
    rules: dict[str, str]
    """Material to the rules that decided its parts, most triangles first."""
    layers: list[NDArray[np.uint8]] = field(default_factory=list)
    """For each of the runs (m,) the `farm.labels.Layer` of each triangle; empty when nobody asked."""
    ears: dict[str, Landmark] = field(default_factory=dict)
    """Those of `ears.EARS` that the model has."""


def study(actor: Actor, annotation: Mapping[str, int], layered: bool = False) -> Anatomy:
    """Find the parts and landmarks of `actor`, and its layers if it is to be `layered`.

    `annotation` maps target names to indices of source morphs.
    """
    figure = Figure(actor, annotation)
    if not len(figure.triangles):
        nothing = [np.zeros(count, np.uint8) for count in figure.lengths]
        return Anatomy(nothing, [empty.astype(bool) for empty in nothing], (0.0, 0.0, 0.0), {}, {}, nothing)
    pieces = Pieces(actor, figure)
    pieces.decide()
    settle(pieces)
    parts = pieces.triangle_parts()
    face = (parts == Part.FACE) & pieces.decided_by("face")
    lips = find_lips(figure, face)
    parts[lips.inside] = Part.MOUTH_INSIDE
    parts[lips.lips] = Part.LIPS
    painted = find_painted(figure, parts, face & (parts == Part.FACE))
    landmarks = find_landmarks(actor, figure, parts, lips, painted)
    ends = np.cumsum(figure.lengths)[:-1]
    return Anatomy(
        triangles=np.split(parts, ends),
        painted=np.split(painted.triangles, ends),
        skin=(float(painted.skin[0]), float(painted.skin[1]), float(painted.skin[2])),
        landmarks=landmarks,
        rules=pieces.rules(),
        layers=np.split(find_layers(actor, figure, pieces, parts), ends) if layered else [],
        ears=find_ears(figure, parts, landmarks),
    )
