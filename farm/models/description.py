"""One description for every MikuMikuDance character, whatever file it came from.

Arrays are in the file's own axes and units: left-handed, Y up, the character looks along -Z, +X is the character's
left, one unit is about 8 cm. `blender_worker` turns them into Blender's axes. Source: PMX 2.0/2.1 specification.
"""

from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

import numpy as np
from numpy.typing import NDArray

from farm.morphs.panels import Panel

type Floats = NDArray[np.float32]
type Ints = NDArray[np.int32]


class SphereMode(IntEnum):
    """How a sphere map is combined with the surface colour."""

    OFF = 0
    MULTIPLY = 1
    ADD = 2
    SUB_TEXTURE = 3


class MaterialFlag(IntFlag):
    """Drawing flags of a material (PMX 2.1)."""

    DOUBLE_SIDED = 0x01
    GROUND_SHADOW = 0x02
    CASTS_SHADOW = 0x04
    TAKES_SHADOW = 0x08
    EDGE = 0x10
    VERTEX_COLOUR = 0x20
    POINTS = 0x40
    LINES = 0x80


class BoneFlag(IntFlag):
    """Flags of a bone (PMX 2.1)."""

    TAIL_IS_BONE = 0x0001
    ROTATABLE = 0x0002
    MOVABLE = 0x0004
    VISIBLE = 0x0008
    ENABLED = 0x0010
    IK = 0x0020
    INHERIT_LOCAL = 0x0080
    INHERIT_ROTATION = 0x0100
    INHERIT_TRANSLATION = 0x0200
    FIXED_AXIS = 0x0400
    LOCAL_AXES = 0x0800
    AFTER_PHYSICS = 0x1000
    EXTERNAL_PARENT = 0x2000


@dataclass(frozen=True, slots=True)
class Material:
    """One material; it colours a run of consecutive triangles."""

    name: str
    name_en: str
    diffuse: tuple[float, float, float, float]
    """RGBA in [0, 1], as shown on screen (sRGB)."""
    specular: tuple[float, float, float]
    shininess: float
    ambient: tuple[float, float, float]
    flags: MaterialFlag
    edge_colour: tuple[float, float, float, float]
    edge_size: float
    texture: int | None
    """Index into `Character.textures`, or None."""
    sphere: int | None
    sphere_mode: SphereMode
    toon: int | None
    """Index into `Character.textures` when the toon ramp is the model's own."""
    shared_toon: int | None
    """0 to 9 for MikuMikuDance's own ramps toon01.bmp to toon10.bmp."""
    first_triangle: int
    triangle_count: int
    memo: str = ""


@dataclass(frozen=True, slots=True)
class Inheritance:
    """付与: a bone takes a share of another bone's movement."""

    parent: int
    ratio: float


@dataclass(frozen=True, slots=True)
class Bone:
    """One bone; `position` is its head in model space."""

    name: str
    name_en: str
    position: tuple[float, float, float]
    parent: int | None
    layer: int
    flags: BoneFlag
    tail_bone: int | None = None
    tail_offset: tuple[float, float, float] = (0.0, 0.0, 0.0)
    inheritance: Inheritance | None = None


@dataclass(frozen=True, slots=True)
class VertexMorph:
    """Moves vertices: `offsets` (n, 3) at weight 1, added to `vertices` (n,)."""

    name: str
    name_en: str
    panel: Panel
    vertices: Ints
    offsets: Floats
    kind = "vertex"


@dataclass(frozen=True, slots=True)
class UVMorph:
    """Moves texture coordinates: `offsets` (n, 4); channel 0 is the base UV, 1 to 4 the additional ones."""

    name: str
    name_en: str
    panel: Panel
    channel: int
    vertices: Ints
    offsets: Floats
    kind = "uv"


@dataclass(frozen=True, slots=True)
class BoneMorph:
    """Moves bones: `translations` (n, 3) in model units, `rotations` (n, 4) quaternions x, y, z, w."""

    name: str
    name_en: str
    panel: Panel
    bones: Ints
    translations: Floats
    rotations: Floats
    kind = "bone"


@dataclass(frozen=True, slots=True)
class MaterialOffset:
    """One entry of a material morph; values in the order of the PMX record."""

    material: int | None
    """None means every material."""
    adds: bool
    """True adds the values times the weight; False multiplies by lerp(1, value, weight)."""
    diffuse: tuple[float, float, float, float]
    specular: tuple[float, float, float]
    shininess: float
    ambient: tuple[float, float, float]
    edge_colour: tuple[float, float, float, float]
    edge_size: float
    texture_tint: tuple[float, float, float, float]
    sphere_tint: tuple[float, float, float, float]
    toon_tint: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class MaterialMorph:
    """Changes materials."""

    name: str
    name_en: str
    panel: Panel
    entries: tuple[MaterialOffset, ...]
    kind = "material"


@dataclass(frozen=True, slots=True)
class GroupMorph:
    """Drives other morphs: `morphs` (n,) indices and `weights` (n,) factors. PMX 2.1's flip morph sets `flip`."""

    name: str
    name_en: str
    panel: Panel
    morphs: Ints
    weights: Floats
    flip: bool = False
    kind = "group"


@dataclass(frozen=True, slots=True)
class OtherMorph:
    """A morph that no still picture shows (PMX 2.1 impulse)."""

    name: str
    name_en: str
    panel: Panel
    kind = "impulse"


type Morph = VertexMorph | UVMorph | BoneMorph | MaterialMorph | GroupMorph | OtherMorph


@dataclass(frozen=True, slots=True)
class Character:
    """A character as its file describes it; n vertices, m triangles."""

    format: str
    """For people, such as "PMX 2.0"."""
    name: str
    name_en: str
    comment: str
    comment_en: str
    positions: Floats
    """(n, 3)"""
    normals: Floats
    """(n, 3), of unit length as a rule; files do not guarantee it."""
    uvs: Floats
    """(n, 2), v counted from the top of the picture."""
    bone_indices: Ints
    """(n, 4); -1 where there is no bone."""
    bone_weights: Floats
    """(n, 4); each row sums to 1 unless the file says otherwise. SDEF is kept as its linear weights."""
    edge_scales: Floats
    """(n,) factor on the material's outline width."""
    triangles: Ints
    """(m, 3), clockwise seen from outside in the file's left-handed axes."""
    textures: tuple[str, ...]
    """Paths as the file writes them."""
    materials: tuple[Material, ...]
    bones: tuple[Bone, ...]
    morphs: tuple[Morph, ...]
    warnings: tuple[str, ...] = field(default=())
    """What the reader had to mend or ignore, a sentence each."""
