"""A character ready to be posed and drawn, whatever file it came from. Poses are worked out here, without Blender.

World axes: x is the character's left, y its back, z up. Lengths are those of the model's file.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.surface import Look, Surface
from farm.models.posing.bends import Frames
from farm.models.posing.morphs import Combined, Morph, ShapeEffect, Vector, combine
from farm.models.posing.skeleton import Skeleton, Skin
from farm.models.posing.turns import NO_TURN, Turn, turn_of
from farm.poses import rotation_matrix

FRONT: Vector = (0.0, 0.0, 0.0)
"""The rotation of a head that looks straight ahead, in degrees."""


@dataclass(frozen=True, slots=True)
class Run:
    """Triangles of one surface; (m, 3) indices of vertices, counter-clockwise from outside."""

    surface: int
    triangles: NDArray[np.int32]
    hull: NDArray[np.int32] | None = None
    """(k, 3) the triangles whose backs are its outline; None for its own."""
    solid: bool = False
    """Whether it hides what lies behind it although its surface writes no depth."""
    veiled: bool = False
    """Whether its back, which is not seen, hides the outline that lies behind it."""

    def writes_depth(self, surface: Surface, look: Look) -> bool:
        """Whether it hides what is drawn behind it later, when its surface looks like this."""
        return surface.writes_depth or (self.solid and look.colour[3] >= 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Directions:
    """Where all vertices point; the fields are those of `Vertices`."""

    normals: NDArray[np.float32]
    hulls: NDArray[np.float32]
    tangents: NDArray[np.float32] | None


@dataclass(frozen=True, slots=True)
class Vertices:
    """All vertices of a character at rest."""

    positions: NDArray[np.float32]
    """(n, 3) in world axes."""
    normals: NDArray[np.float32]
    """(n, 3) in world axes."""
    uvs: NDArray[np.float32]
    """(n, 2), v counted from the bottom."""
    turns: NDArray[np.float32]
    """(n,) share of the neck's rotation that each vertex takes, in [0, 1]."""
    outlines: NDArray[np.float32]
    """(n,) factor on the outline's width."""
    hulls: NDArray[np.float32]
    """(n, 3) where the outline lies from each vertex, in world axes: its normal, or at hard edges the mean of those there."""
    bones: NDArray[np.int32]
    """(n,) index in `Actor.bones` of the bone that has the largest share of each vertex; -1 for none."""
    second_uvs: NDArray[np.float32] | None = None
    """(n, 2) where maps are looked up that the base's coordinates do not fit; None where there is no such map."""
    colours: NDArray[np.float32] | None = None
    """(n, 4) linear light, straight alpha; None where all are white."""
    tangents: NDArray[np.float32] | None = None
    """(n, 4) the world's direction in which the first coordinate of a normal map grows, at right angles to the normal, and 1
    or -1: the sign of the second's, normal x tangent. None where there is no such map."""

    @property
    def directions(self) -> Directions:
        """Those at rest."""
        return Directions(self.normals, self.hulls, self.tangents)


@dataclass(frozen=True, slots=True)
class BoneInfo:
    """A bone of the file, whether it moves here or not."""

    name: str
    """The file's own."""
    parent: int
    """Index in `Actor.bones`; -1 for none."""
    head: Vector
    """At rest, in world axes."""
    role: str = ""
    """What the file (VRM) or its names say that it is: "neck", "head", "leftEye", "rightEye", "jaw"; "" for others."""


@dataclass(frozen=True, slots=True, eq=False)
class Pose:
    """What a pose looks like."""

    positions: NDArray[np.float32]
    """(n, 3) world positions of the vertices."""
    uvs: NDArray[np.float32] | None
    """(n, 2) texture coordinates, or None where they are those at rest."""
    looks: list[Look]
    """One for each surface."""
    turn: Turn
    """The head's rotation about world axes: normals follow it by their vertex's `turns`."""
    second_uvs: NDArray[np.float32] | None = None
    """(n, 2) as `Vertices.second_uvs`, or None where they are those at rest."""
    directions: Directions | None = None
    """Where movements of bones turn them, the head's rotation included; None where `turn` alone does."""
    neck: Vector | None = None
    """Where movements of bones take the neck bone's head; None: it stays."""


@dataclass
class Actor:
    """The whole character."""

    vertices: Vertices
    surfaces: list[Surface]
    runs: list[Run]
    """In drawing order."""
    morphs: dict[int, Morph]
    """The source morphs that may be used, by their index in the file; halves and movements of bones by their numbers."""
    skeleton: Skeleton
    skin: Skin
    neck_position: Vector
    """World position of the neck bone's head."""
    head_height: float
    """Top of the head above the neck, in model units: the 99th percentile, so that a hair or a halo does not count."""
    metres_per_unit: float
    """Length of a model unit."""
    bones: list[BoneInfo] = field(default_factory=list)
    """All of the file's, in its order."""
    warnings: list[str] = field(default_factory=list)
    movements: frozenset[int] = frozenset()
    """The numbers of movements of bones among `morphs`: what they move is not the face's alone."""

    @cached_property
    def rest(self) -> Pose:
        """The neutral pose."""
        return self.pose({}, FRONT)

    @cached_property
    def movable(self) -> NDArray[np.bool_]:
        """(n,) whether a pose can put the vertex anywhere else than at rest."""
        moved = self.skin.held.copy()
        for morph in self.morphs.values():
            for effect in morph.every():
                if isinstance(effect, ShapeEffect):
                    moved[effect.vertices] = True
        return moved

    def pose(self, weights: Mapping[int, float], rotation: Vector) -> Pose:
        """Take a pose.

        `weights` maps source morphs to [0, 1], and movements of bones to values of either sign; `rotation` is in degrees
        about world X, Y, Z at the neck.
        """
        combined = combine(part for index, weight in weights.items() for part in self.morphs[index].at(weight))
        turn = turn_of(rotation_matrix(rotation)) if any(rotation) else NO_TURN
        positions = self.vertices.positions.copy()
        for shape, strength in combined.shapes:
            positions[shape.vertices] += shape.offsets * np.float32(strength)
        frames = self.skeleton.pose(combined.bones, turn)
        self.skin.take(positions, frames)
        uvs, second = self._uvs(combined, False), self._uvs(combined, True)
        if not self.movements & weights.keys():
            return Pose(positions, uvs, self._looks(combined), turn, second)
        directions, neck = self._directions(frames), self.skeleton.neck_in(frames)
        return Pose(positions, uvs, self._looks(combined), NO_TURN, second, directions, neck)

    def _directions(self, frames: Frames) -> Directions:
        rest = self.vertices.directions
        tangents = rest.tangents
        if tangents is not None:
            tangents = np.column_stack([self.skin.turn(tangents[:, :3], frames), tangents[:, 3:]])
        return Directions(self.skin.turn(rest.normals, frames), self.skin.turn(rest.hulls, frames), tangents)

    def _uvs(self, combined: Combined, second: bool) -> NDArray[np.float32] | None:
        effects = [(effect, strength) for effect, strength in combined.uvs if effect.second == second]
        rest = self.vertices.second_uvs if second else self.vertices.uvs
        if not effects or rest is None:
            return None
        uvs = rest.copy()
        for effect, strength in effects:
            uvs[effect.vertices] += effect.offsets * np.float32(strength)
        return uvs

    @cached_property
    def _rest_looks(self) -> list[Look]:
        return [surface.paint.look(surface.paint.values) for surface in self.surfaces]

    def _looks(self, combined: Combined) -> list[Look]:
        looks = list(self._rest_looks)
        for index, (factors, summands) in combined.paints.items():
            paint = self.surfaces[index].paint
            looks[index] = paint.look(paint.values * factors + summands)
        return looks
