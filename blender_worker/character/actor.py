"""A character ready to be posed and drawn, whatever file it came from. Poses are worked out here, without Blender.

World axes: x is the character's left, y its back, z up. Lengths are those of the model's file.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.surface import Look, Surface
from farm.bodies.reach import reached
from farm.models.ancestry import inherited
from farm.models.posing.bends import Frames
from farm.models.posing.morphs import BoneEffect, Combined, Morph, ShapeEffect, Vector, combine
from farm.models.posing.skeleton import Skeleton, Skin
from farm.models.posing.turns import NO_TURN, Turn, after, turn_of
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
    """Where the stance and movements of bones turn them, the head's rotation included; None where `turn` alone does."""
    neck: Vector | None = None
    """Where movements of bones take the neck bone's head; None: it stays."""
    frames: Frames | None = None
    """How the moving bones stand; None: as at rest."""
    way: NDArray[np.float64] | None = None
    """(3,) how far the camera of a clip has gone along, which positions and the neck do not have; None: nowhere."""


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
    """All of the file's, in its order, as the file poses them."""
    warnings: list[str] = field(default_factory=list)
    movements: frozenset[int] = frozenset()
    """The numbers of movements of bones among `morphs`: what they move is not the face's alone."""
    extras: frozenset[int] = frozenset()
    """Of `morphs`, those that a motion plays and nobody asked about."""
    anchor: int | None = None
    """The bone with which the camera goes along in a clip: poses of a motion have its head where it is at rest."""
    stance: Mapping[int, Turn] = field(default_factory=dict)
    """What bones are turned by, each by itself and before all else, for the character to stand as it is asked to."""
    joints: Mapping[str, int] = field(default_factory=dict)
    """The bone at whose head each joint of VRM's humanoid is, by its name in VRM 1.0; those that the character has."""
    carriers: NDArray[np.int16] = field(default_factory=lambda: np.zeros(0, np.int16))
    """(bones,) index in `farm.motion.humanoid.HUMANOID_BONES` of what each bone is or moves with; -1 for none."""

    @cached_property
    def rest(self) -> Pose:
        """The neutral pose."""
        return self.pose({}, FRONT)

    def reached(self, bends: Mapping[int, tuple[float, float]]) -> NDArray[np.float32]:
        """(m, 3) points about all places of the body in poses of it; `bends` are how far movements play, by number."""
        if not bends:
            return self.rest.positions
        found = reached(self.skeleton, self.skin, self.vertices.positions, self.stance, self.morphs, bends)
        return np.concatenate([self.rest.positions, found])

    @cached_property
    def movable(self) -> NDArray[np.bool_]:
        """(n,) whether a pose can put the vertex anywhere else than at rest."""
        moved = self.skin.held.copy()
        if self.anchor is not None:  # what stands still goes by when the camera goes along
            moved[:] = True
        for morph in self.morphs.values():
            for effect in morph.every():
                if isinstance(effect, ShapeEffect):
                    moved[effect.vertices] = True
        return moved

    def pose(
        self,
        weights: Mapping[int, float],
        rotation: Vector,
        bones: Mapping[int, tuple[Vector, Turn]] | None = None,
    ) -> Pose:
        """Take a pose.

        `weights` maps source morphs to [0, 1], and movements of bones to values of either sign; `rotation` is in degrees
        about world X, Y, Z at the neck. `bones` is what a motion does: each bone's own move and turn in world axes, seen
        by a camera that goes along with the anchor. None: there is no motion.
        """
        stands = ((BoneEffect(bone, (0.0, 0.0, 0.0), turn), 1.0) for bone, turn in self.stance.items())
        played = (part for index, weight in weights.items() for part in self.morphs[index].at(weight))
        combined = combine(chain(stands, played))
        turn = turn_of(rotation_matrix(rotation)) if any(rotation) else NO_TURN
        positions = self.vertices.positions.copy()
        for shape, strength in combined.shapes:
            positions[shape.vertices] += shape.offsets * np.float32(strength)
        frames = self.skeleton.pose(_with(combined.bones, bones) if bones else combined.bones, turn)
        self.skin.take(positions, frames)
        way = None if bones is None else self._way(frames)
        if way is not None:
            positions -= way.astype(np.float32)
        uvs, second = self._uvs(combined, False), self._uvs(combined, True)
        if bones is None and not self.stance and not self.movements & weights.keys():
            return Pose(positions, uvs, self._looks(combined), turn, second, frames=frames)
        x, y, z = (np.array(self.skeleton.neck_in(frames)) - (0.0 if way is None else way)).tolist()
        directions = self._directions(frames)
        return Pose(positions, uvs, self._looks(combined), NO_TURN, second, directions, (x, y, z), frames, way)

    def _way(self, frames: Frames) -> NDArray[np.float64]:
        """(3,) how far the anchor has gone."""
        assert self.anchor is not None
        return np.array(self.skeleton.place_in(frames, self.anchor)) - self.bones[self.anchor].head

    def heads_in(self, pose: Pose, bones: Sequence[int]) -> NDArray[np.float64]:
        """(k, 3) where the heads of (k,) `bones` are: each goes with the nearest moving bone at or above it."""
        heads = np.array([self.bones[bone].head for bone in bones], np.float64).reshape(-1, 3)
        if pose.frames is None:
            return heads
        for row, joint in enumerate(self.holders[bone] for bone in bones):
            if joint >= 0:
                heads[row] = pose.frames.turns[joint] @ heads[row] + pose.frames.moves[joint]
        return heads if pose.way is None else heads - pose.way

    @cached_property
    def holders(self) -> list[int]:
        """For each bone the joint of the skeleton that it goes with; -1: it stands still."""
        own = {joint.bone: number for number, joint in enumerate(self.skeleton.joints)}
        return inherited([bone.parent for bone in self.bones], own, -1)

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


def _with(
    morphs: Mapping[int, tuple[Vector, Turn]], motion: Mapping[int, tuple[Vector, Turn]]
) -> dict[int, tuple[Vector, Turn]]:
    """What bones do by morphs and, about that, by a motion."""
    both = dict(motion)
    for bone, ((x, y, z), turn) in morphs.items():
        (own_x, own_y, own_z), turned = both.get(bone, ((0.0, 0.0, 0.0), NO_TURN))
        both[bone] = (x + own_x, y + own_y, z + own_z), after(turned, turn)
    return both
