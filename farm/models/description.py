"""One description for every character, whatever file it came from.

Arrays are in the file's own axes and units; `Character.axes` leads from there to the world's. What a file spreads over
meshes and nodes stands here as one heap of vertices, each where the file's rest pose puts it.
Sources: PMX 2.0/2.1 specification; glTF 2.0; VRM 0.0 and VRMC_vrm-1.0.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntFlag, StrEnum

import numpy as np
from numpy.typing import NDArray

from farm.models.materials import Material, MmdMaterial
from farm.morphs.expressions import Rule
from farm.morphs.panels import Panel

type Floats = NDArray[np.float32]
type Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Axes:
    """A file's axes and unit. The world's: x is the character's left, y its back, z up; right-handed, as in Blender."""

    to_world: tuple[tuple[float, float, float], ...]
    """(3, 3) for column vectors: a rotation, or a rotation and a mirror."""
    metres: float
    """Length of the file's unit."""


MMD = Axes(((1, 0, 0), (0, 0, 1), (0, 1, 0)), 0.08)
"""Left-handed, Y up, the character looks along -Z. A person of 1.6 m is 20 units high."""
VRM_0 = Axes(((-1, 0, 0), (0, 0, 1), (0, 1, 0)), 1.0)
"""glTF's, and the character looks along -Z."""
VRM_1 = Axes(((1, 0, 0), (0, 0, -1), (0, 1, 0)), 1.0)
"""glTF's, and the character looks along +Z."""


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


@dataclass(frozen=True, slots=True)
class MorphTarget:
    """A morph target of one node's mesh: `offsets` (n, 3) at weight 1, added to `vertices` (n,). Source: glTF 2.0."""

    name: str
    """As the mesh's extras call it; may be empty."""
    node: int
    """Index of the glTF node whose mesh it moves."""
    number: int
    """Index among the mesh's targets."""
    vertices: Ints
    offsets: Floats


class Tint(StrEnum):
    """Which of a material's colours an expression changes."""

    COLOUR = "color"
    EMISSION = "emissionColor"
    SHADE = "shadeColor"
    RIM = "rimColor"
    MATCAP = "matcapColor"
    OUTLINE = "outlineColor"


@dataclass(frozen=True, slots=True)
class ColourBind:
    """Takes one colour of a material to `colour` (linear light, alpha) at weight 1."""

    material: int
    tint: Tint
    colour: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class TransformBind:
    """Takes the scale and offset of a material's textures to these at weight 1 (v counted from the top)."""

    material: int
    scale: tuple[float, float]
    offset: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Expression:
    """A VRM expression (1.0) or blend-shape group (0.x), or a morph target by its name in a file without expressions."""

    name: str
    """The preset's name in VRM 1.0's or 0.x' own spelling, such as "aa" or "blink_l", or the creator's own name."""
    targets: tuple[tuple[int, float], ...]
    """Index into `Character.targets`, and its weight when the expression's is 1. What moves nothing is left out."""
    colours: tuple[ColourBind, ...] = ()
    transforms: tuple[TransformBind, ...] = ()
    rule: Rule = field(default_factory=Rule)
    kind: str = "expression"
    """"expression" or "shape key"."""
    name_en = ""
    panel = None

    @property
    def shown(self) -> int:
        """How many of its effects make it an expression: a change of rim light or matcap alone is none of a face."""
        colours = sum(bind.tint not in (Tint.RIM, Tint.MATCAP) for bind in self.colours)
        return len(self.targets) + colours + len(self.transforms)


@dataclass(frozen=True, slots=True)
class Spherical:
    """SDEF: vertices that two bones turn about a point between them, so that a bent joint keeps its thickness.

    The two bones are the first two of `Character.bone_indices`. Source: PMX 2.0, weight type 3.
    """

    vertices: Ints
    """(s,), each of which stands once."""
    centres: Floats
    """(s, 3) the point C."""
    firsts: Floats
    """(s, 3) the point R0, of the first bone."""
    seconds: Floats
    """(s, 3) the point R1, of the second bone."""


type Morph = Expression | VertexMorph | UVMorph | BoneMorph | MaterialMorph | GroupMorph | OtherMorph


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
    """(n, k), k at least 4; -1 where there is no bone."""
    bone_weights: Floats
    """(n, k); each row sums to 1 unless the file says otherwise. SDEF and QDEF have their linear weights here."""
    edge_scales: Floats
    """(n,) factor on the material's outline width."""
    triangles: Ints
    """(m, 3); seen from outside clockwise in left-handed axes, counter-clockwise in right-handed ones."""
    textures: tuple[str, ...]
    """Paths as the file writes them; names for those that are inside the file (`embedded`)."""
    materials: tuple[Material, ...]
    """In the order of drawing, as their runs of triangles follow each other; those without triangles anywhere."""
    bones: tuple[Bone, ...]
    morphs: tuple[Morph, ...]
    warnings: tuple[str, ...] = field(default=())
    """What the reader had to mend or ignore, a sentence each."""
    axes: Axes = MMD
    licence: Mapping[str, str] = field(default_factory=dict)
    """What the file's meta data say about it, as text."""
    meshes: int = 1
    """How many the file has."""
    more_uvs: Floats | None = None
    """(layers, n, 4) texture coordinates beyond the first, v from the top; None without."""
    colours: Floats | None = None
    """(n, 4) colours of the vertices, linear light; None where all are white."""
    bound: Floats | None = None
    """(n, k, 3) where each of a vertex's bones alone would put it at rest; None where they all agree with `positions`, as
    they do when the rest pose is the pose that the skin was bound in. `positions` are the weighted means of these."""
    spherical: Spherical | None = None
    """PMX: the vertices that SDEF moves; None without."""
    dual: Ints | None = None
    """PMX 2.1: (d,) the vertices that QDEF moves, by dual quaternions of up to four bones; None without."""
    humanoid: Mapping[str, int] = field(default_factory=dict)
    """VRM: the bone behind each humanoid bone's name ("neck", "head", "leftEye", "jaw", ...). "neck" and "head" are always
    among them in a VRM: where the file has one of them alone, it stands for the other as well."""
    targets: tuple[MorphTarget, ...] = ()
    """glTF: the morph targets that expressions drive."""
    embedded: Mapping[int, bytes] = field(default_factory=dict)
    """Texture index to the bytes of a picture that stands in the file itself."""

    def triangles_of(self, material: Material) -> Ints:
        """(m, 3) the triangles that `material` colours."""
        return self.triangles[material.first_triangle : material.first_triangle + material.triangle_count]

    @property
    def mmd_materials(self) -> tuple[MmdMaterial, ...]:
        """The materials of a PMX or PMD file."""
        return tuple(material for material in self.materials if isinstance(material, MmdMaterial))
