"""A character standing in Blender, ready to be posed and drawn, whatever file it came from."""

from dataclasses import dataclass, field

import bpy
import numpy as np
from mathutils import Matrix
from numpy.typing import NDArray

from blender_worker.textures import Texture
from farm.poses import rotation_matrix


@dataclass(slots=True)
class Surface:
    """How one material looks, in terms that every style understands."""

    name: str
    colour: tuple[float, float, float, float]
    """RGBA as shown on screen (sRGB), multiplied with the texture."""
    texture: Texture | None
    double_sided: bool
    outline: float
    """Width of the outline relative to the style's own; 0 draws none."""
    outline_colour: tuple[float, float, float, float]
    cutoff: float | None = None
    """Texels with less alpha are cut out and the rest is opaque (glTF MASK); None blends."""
    opaque: bool = False
    """Alpha is ignored (glTF OPAQUE)."""


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


@dataclass(slots=True)
class Run:
    """Triangles of one part in one surface; (m, 3) indices of drawn vertices, counter-clockwise from outside."""

    part: int
    surface: Surface
    triangles: NDArray[np.int32]


@dataclass(slots=True)
class KeyShare:
    """A shape key that a source morph drives, and how strongly."""

    key: bpy.types.ShapeKey
    factor: float


@dataclass(slots=True)
class Actor:
    """The whole character."""

    armature: bpy.types.Object
    neck: str
    """Name of the armature's neck bone."""
    parts: list[Part]
    runs: list[Run]
    """In drawing order."""
    morphs: dict[str, list[KeyShare]]
    """Source morph to the shape keys it drives; only the annotated ones are there."""
    neck_position: tuple[float, float, float]
    """World position of the neck bone's head."""
    head_height: float
    """Top of the head above the neck, in model units: the 99th percentile, so that a hair or a halo does not count."""
    warnings: list[str] = field(default_factory=list)

    def pose(self, weights: dict[str, float], rotation: tuple[float, float, float]) -> list[NDArray[np.float32]]:
        """Take a pose and return the evaluated world positions, (k, 3) for each part.

        `weights` maps source morphs to [0, 1]; `rotation` is in degrees about world X, Y, Z at the neck.
        """
        values: dict[bpy.types.ShapeKey, float] = {
            share.key: 0.0 for shares in self.morphs.values() for share in shares
        }
        for morph, weight in weights.items():
            for share in self.morphs[morph]:
                values[share.key] += weight * share.factor
        for key, value in values.items():
            key.value = value
        bone = self.armature.pose.bones[self.neck]
        world_rest = (self.armature.matrix_world @ bone.bone.matrix_local).to_3x3().normalized()
        turn = Matrix(rotation_matrix(rotation).tolist())
        bone.matrix_basis = (world_rest.inverted() @ turn @ world_rest).to_4x4()
        graph = bpy.context.evaluated_depsgraph_get()
        return [_positions(part, graph) for part in self.parts]


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
