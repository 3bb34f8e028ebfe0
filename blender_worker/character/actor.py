"""A character standing in Blender, ready to be posed and drawn, whatever file it came from."""

from dataclasses import dataclass, field
from typing import Protocol

import bpy
import numpy as np
from mathutils import Matrix, Quaternion, Vector
from numpy.typing import NDArray

from blender_worker.character.morphs import Combined, Morph, combine, share_of
from blender_worker.character.ramps import Ramp, two_tone
from blender_worker.character.textures import Texture
from farm.poses import rotation_matrix
from farm.styles.surface import SphereBlend


@dataclass(frozen=True, slots=True)
class Look:
    """The part of a surface that morphs can change. Colours are linear light with straight alpha, in [0, 1]."""

    colour: tuple[float, float, float, float]
    """Multiplied with the texture."""
    added: tuple[float, float, float]
    """Added to the texture before that."""
    outline: float
    """Width of the outline relative to the style's own; 0 draws none."""
    outline_colour: tuple[float, float, float, float]
    sphere: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Multiplied with the sphere map."""
    ramp: tuple[float, float, float] = (1.0, 1.0, 1.0)
    """Multiplied with the shade ramp."""


class Paint(Protocol):
    """What a look is mixed from, in the terms of the file it came from."""

    values: NDArray[np.float32]
    """The numbers that `effects.PaintEffect` multiplies and adds to."""

    def look(self, values: NDArray[np.float32]) -> Look:
        """The look of such numbers."""
        ...


@dataclass(frozen=True, slots=True)
class Surface:
    """How one material is drawn."""

    name: str
    paint: Paint
    texture: Texture | None
    double_sided: bool
    cutoff: float | None = None
    """Texels with less alpha are cut out and the rest is opaque (glTF MASK); None blends."""
    opaque: bool = False
    """Alpha is ignored (glTF OPAQUE)."""
    ramp: Ramp = field(default_factory=two_tone)
    sphere: Texture | None = None
    """Looked up by the normal in the camera's axes; alpha is ignored."""
    sphere_blend: SphereBlend = SphereBlend.NONE
    """How the sphere map acts; NONE where there is no sphere map."""


@dataclass(slots=True)
class Part:
    """One mesh object. Drawn vertices are mesh vertices, repeated where a corner has a UV or normal of its own."""

    object: bpy.types.Object
    vertices: NDArray[np.int32]
    """(k,) index of the mesh vertex behind each drawn vertex."""
    normals: NDArray[np.float32]
    """(k, 3) at rest, in world axes."""
    uvs: NDArray[np.float32]
    """(k, 2), v counted from the bottom."""
    turns: NDArray[np.float32]
    """(k,) share of the neck's rotation that each vertex takes, in [0, 1]."""
    outlines: NDArray[np.float32]
    """(k,) factor on the outline's width."""
    bones: NDArray[np.int32]
    """(k,) index in `Actor.bones` of the bone that has the largest share of each vertex; -1 for none."""


@dataclass(slots=True)
class Run:
    """Triangles of one part in one surface; (m, 3) indices of drawn vertices, counter-clockwise from outside."""

    part: int
    surface: int
    triangles: NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class BoneInfo:
    """A bone of the file, whether it moves here or not."""

    name: str
    """The file's own."""
    parent: int
    """Index in `Actor.bones`; -1 for none."""
    head: tuple[float, float, float]
    """At rest, in world axes."""
    role: str = ""
    """What the file (VRM) or its names say that it is: "neck", "head", "leftEye", "rightEye", "jaw"; "" for others."""


@dataclass(frozen=True, slots=True)
class Follower:
    """付与: a bone that takes a share of another bone's own movement."""

    bone: str
    leader: str
    ratio: float
    turns: bool
    moves: bool


@dataclass(frozen=True, slots=True)
class Pose:
    """What a pose looks like."""

    positions: list[NDArray[np.float32]]
    """(k, 3) world positions of the drawn vertices of each part."""
    uvs: dict[int, NDArray[np.float32]]
    """(k, 2) for the parts whose texture coordinates differ from those at rest."""
    looks: list[Look]
    """One for each surface."""
    turn: tuple[float, float, float, float]
    """The head's rotation about world axes as a quaternion x, y, z, w: normals follow it by their part's `turns`."""


@dataclass(slots=True)
class Actor:
    """The whole character."""

    armature: bpy.types.Object
    neck: str
    """Name of the armature's neck bone."""
    parts: list[Part]
    surfaces: list[Surface]
    runs: list[Run]
    """In drawing order."""
    morphs: dict[str, Morph]
    """The source morphs that may be used, by name."""
    neck_position: tuple[float, float, float]
    """World position of the neck bone's head."""
    head_height: float
    """Top of the head above the neck, in model units: the 99th percentile, so that a hair or a halo does not count."""
    metres_per_unit: float
    """Length of a model unit."""
    bones: list[BoneInfo] = field(default_factory=list)
    """All of the file's, in its order."""
    followers: list[Follower] = field(default_factory=list)
    """In the order in which they are worked out."""
    warnings: list[str] = field(default_factory=list)

    def pose(self, weights: dict[str, float], rotation: tuple[float, float, float]) -> Pose:
        """Take a pose.

        `weights` maps source morphs to [0, 1]; `rotation` is in degrees about world X, Y, Z at the neck.
        """
        combined = combine(part for name, weight in weights.items() for part in self.morphs[name].at(weight))
        self._set_keys(combined)
        self._set_bones(combined, rotation)
        graph = bpy.context.evaluated_depsgraph_get()
        w, x, y, z = Matrix(rotation_matrix(rotation).tolist()).to_quaternion()
        return Pose(
            positions=[_positions(part, graph) for part in self.parts],
            uvs=self._uvs(combined),
            looks=[self._look(index, surface, combined) for index, surface in enumerate(self.surfaces)],
            turn=(x, y, z, w),
        )

    def _set_keys(self, combined: Combined) -> None:
        for part in self.parts:
            keys = part.object.data.shape_keys
            if keys is not None:
                for key in keys.key_blocks[1:]:
                    found = combined.keys.get(f"{keys.name}/{key.name}")
                    key.value = found[1] if found else 0.0

    def _set_bones(self, combined: Combined, rotation: tuple[float, float, float]) -> None:
        movements = dict(combined.bones)
        moved, turned = movements.get(self.neck, (Vector(), Quaternion()))
        head_turn = Matrix(rotation_matrix(rotation).tolist()).to_quaternion()
        movements[self.neck] = (moved, head_turn @ turned)
        for follower in self.followers:
            moved, turned = movements.get(follower.leader, (Vector(), Quaternion()))
            own_move, own_turn = movements.get(follower.bone, (Vector(), Quaternion()))
            if follower.moves:
                own_move = own_move + moved * follower.ratio
            if follower.turns:
                own_turn = own_turn @ share_of(turned, follower.ratio)
            movements[follower.bone] = (own_move, own_turn)
        world = self.armature.matrix_world.to_3x3().normalized()
        for bone in self.armature.pose.bones:
            moved, turned = movements.get(bone.name, (Vector(), Quaternion()))
            rest = world @ bone.bone.matrix_local.to_3x3().normalized()
            turn = (rest.inverted() @ turned.to_matrix() @ rest).to_4x4()
            bone.matrix_basis = Matrix.Translation(rest.inverted() @ moved) @ turn

    def _uvs(self, combined: Combined) -> dict[int, NDArray[np.float32]]:
        changed: dict[int, NDArray[np.float32]] = {}
        for effect, strength in combined.uvs:
            uvs = changed.setdefault(effect.part, self.parts[effect.part].uvs.copy())
            np.add.at(uvs, effect.vertices, effect.offsets * np.float32(strength))
        return changed

    @staticmethod
    def _look(index: int, surface: Surface, combined: Combined) -> Look:
        values = surface.paint.values
        if index in combined.paints:
            factors, summands = combined.paints[index]
            values = values * factors + summands
        return surface.paint.look(values)


def _positions(part: Part, graph: bpy.types.Depsgraph) -> NDArray[np.float32]:
    evaluated = part.object.evaluated_get(graph)
    mesh = evaluated.data
    flat = np.empty(len(mesh.vertices) * 3, np.float32)
    mesh.attributes["position"].data.foreach_get("vector", flat)
    points = flat.reshape(-1, 3)
    world = np.array(evaluated.matrix_world, np.float32)
    if not np.array_equal(world, np.eye(4, dtype=np.float32)):
        points = points @ world[:3, :3].T + world[:3, 3]
    return np.ascontiguousarray(points[part.vertices])
