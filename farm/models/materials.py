"""Materials as their files describe them: MikuMikuDance's, and glTF's with what VRM adds.

Sources: PMX 2.1; glTF 2.0, section 3.9; KHR_materials_unlit, KHR_materials_emissive_strength, KHR_texture_transform;
KHR_materials_pbrSpecularGlossiness; VRMC_materials_mtoon-1.0; VRM 0.0 materialProperties (MToon 0.x, which the reader turns
into the terms of 1.0).
"""

from dataclasses import dataclass
from enum import IntEnum, IntFlag, StrEnum


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


@dataclass(frozen=True, slots=True)
class MmdMaterial:
    """A material of PMX or PMD; it colours a run of consecutive triangles."""

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


class Wrap(StrEnum):
    """What lies beyond the edges of a texture. Source: glTF 2.0, sampler.wrapS and wrapT."""

    REPEAT = "repeat"
    MIRROR = "mirror"
    CLAMP = "clamp"


@dataclass(frozen=True, slots=True)
class TextureUse:
    """One texture in one role of one material. u' = rotation(u * scale) + offset, with v counted from the top."""

    texture: int
    """Index into `Character.textures`."""
    layer: int = 0
    """0 for `Character.uvs`, 1 and up for `Character.more_uvs`."""
    wrap: tuple[Wrap, Wrap] = (Wrap.REPEAT, Wrap.REPEAT)
    """Along u and v."""
    smooth: bool = True
    """False for a sampler that magnifies by the nearest texel."""
    scale: tuple[float, float] = (1.0, 1.0)
    offset: tuple[float, float] = (0.0, 0.0)
    rotation: float = 0.0
    """Radians. Source: KHR_texture_transform."""


class AlphaMode(StrEnum):
    """What a material's alpha does. Source: glTF 2.0, material.alphaMode."""

    OPAQUE = "OPAQUE"
    MASK = "MASK"
    BLEND = "BLEND"


class Shading(StrEnum):
    """Which light model a glTF material asks for."""

    PBR = "pbr"
    UNLIT = "unlit"
    MTOON = "mtoon"


class OutlineMode(StrEnum):
    """What an outline's width is counted in. Source: VRMC_materials_mtoon, outlineWidthMode."""

    NONE = "none"
    WORLD = "worldCoordinates"
    SCREEN = "screenCoordinates"


@dataclass(frozen=True, slots=True)
class MToon:
    """What MToon adds to a material; colours are linear light in [0, 1]. Source: VRMC_materials_mtoon-1.0."""

    shade_colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    shade: TextureUse | None = None
    shift: float = 0.0
    toony: float = 0.9
    shift_map: TextureUse | None = None
    """Its red channel, as a number, times `shift_scale` is added to the shift."""
    shift_scale: float = 1.0
    rim_colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    rim: TextureUse | None = None
    rim_power: float = 5.0
    rim_lift: float = 0.0
    rim_mix: float = 1.0
    matcap: TextureUse | None = None
    matcap_colour: tuple[float, float, float] = (1.0, 1.0, 1.0)
    outline_mode: OutlineMode = OutlineMode.NONE
    outline_width: float = 0.0
    """Metres, or the share of the screen's height that `outline_mode` says."""
    outline_width_map: TextureUse | None = None
    outline_width_channel: int = 1
    """Of that texture: green, as 1.0 has it; 0.x has red (0)."""
    outline_colour: tuple[float, float, float] = (0.0, 0.0, 0.0)
    outline_mix: float = 1.0
    """How much of the outline's colour is multiplied with what the surface shows."""


@dataclass(frozen=True, slots=True)
class GltfMaterial:
    """A material of glTF or VRM; it colours a run of consecutive triangles. Colours are linear light."""

    name: str
    shading: Shading
    colour: tuple[float, float, float, float]
    """Multiplied with the base texture and the vertex colours."""
    base: TextureUse | None
    emission_colour: tuple[float, float, float]
    """With KHR_materials_emissive_strength multiplied in."""
    emission: TextureUse | None
    alpha_mode: AlphaMode
    cutoff: float
    """For MASK."""
    double_sided: bool
    queue: int
    """Materials of a lower queue are drawn first: OPAQUE, MASK, BLEND with depth writing, BLEND, each with the file's own
    offset (renderQueueOffsetNumber; VRM 0.x: renderQueue)."""
    writes_depth: bool
    """Whether what it draws hides what is drawn behind it later."""
    first_triangle: int
    triangle_count: int
    mtoon: MToon | None = None
    normal: TextureUse | None = None
    """Where the surface's normal points, in the axes of its texture coordinates."""
    normal_scale: float = 1.0
    inside_out: bool = False
    """Whether its back is shown instead of its front (MToon 0.x): the character has its triangles turned over already."""
    absent: str = ""
    """The name of the base texture, where the file names one that it has not, or not in a form that can be shown."""

    @property
    def texture(self) -> int | None:
        """Index into `Character.textures` of the base texture, or None."""
        return self.base.texture if self.base is not None else None

    @property
    def placed(self) -> tuple[TextureUse, ...]:
        """The textures that are drawn at texture coordinates, the base's first."""
        emission = self.emission if self.shading is not Shading.UNLIT else None
        normal = self.normal if self.shading is not Shading.UNLIT else None
        toon = self.mtoon or MToon()
        uses = (self.base, emission, toon.shade, toon.rim, toon.shift_map, normal)
        return tuple(use for use in uses if use is not None)


type Material = MmdMaterial | GltfMaterial
