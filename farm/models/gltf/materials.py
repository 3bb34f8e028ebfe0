"""Materials of glTF 2.0 and VRM 1.0: PBR, unlit and MToon.

Source: glTF 2.0, section 3.9; KHR_materials_emissive_strength and VRMC_materials_hdr_emissiveMultiplier, which was there
before it; KHR_materials_pbrSpecularGlossiness, whose diffuse colour counts where both it and the usual one are given;
VRMC_materials_mtoon-1.0.
"""

from dataclasses import replace

from farm.models.gltf.textures import Textures
from farm.models.gltf.values import Json, member, number, text, vector, whole
from farm.models.materials import AlphaMode, GltfMaterial, MToon, OutlineMode, Shading

OPAQUE_QUEUE, MASK_QUEUE, DEEP_BLEND_QUEUE, BLEND_QUEUE = 2000, 2450, 2501, 3000
"""Unity's render queues: opaque, cut out, blended with depth writing, blended."""
_MAX_OFFSET = 9
DEFAULT_CUTOFF = 0.5


def placed_queue(mode: AlphaMode, writes_depth: bool, offset: int) -> int:
    """The queue of a material; `offset` counts for blended ones alone."""
    if mode is AlphaMode.BLEND:
        return (DEEP_BLEND_QUEUE if writes_depth else BLEND_QUEUE) + offset
    return MASK_QUEUE if mode is AlphaMode.MASK else OPAQUE_QUEUE


def read_material(entry: Json, textures: Textures) -> GltfMaterial:
    """Read one material; its run of triangles is not known yet, so it is empty."""
    extensions = member(entry, "extensions")
    base = member(entry, "pbrMetallicRoughness")
    mode = _alpha_mode(entry)
    toon = extensions.get("VRMC_materials_mtoon")
    red, green, blue = vector(entry.get("emissiveFactor"), (0.0, 0.0, 0.0))
    strength = number(
        member(extensions, "KHR_materials_emissive_strength").get("emissiveStrength"),
        number(member(extensions, "VRMC_materials_hdr_emissiveMultiplier").get("emissiveMultiplier"), 1.0),
    )
    writes_depth = mode is not AlphaMode.BLEND
    shading = Shading.UNLIT if "KHR_materials_unlit" in extensions else Shading.PBR
    colour, picture = base.get("baseColorFactor"), base.get("baseColorTexture")
    glossy = extensions.get("KHR_materials_pbrSpecularGlossiness")
    if isinstance(glossy, dict) and shading is Shading.PBR and not isinstance(toon, dict):
        colour, picture = glossy.get("diffuseFactor"), glossy.get("diffuseTexture")
    normal = member(entry, "normalTexture")
    offset = 0
    if isinstance(toon, dict):
        shading = Shading.MTOON
        writes_depth = writes_depth or toon.get("transparentWithZWrite") is True
        offset = max(-_MAX_OFFSET, min(_MAX_OFFSET, whole(toon.get("renderQueueOffsetNumber")) or 0))
    return GltfMaterial(
        name=text(entry.get("name")),
        shading=shading,
        colour=vector(colour, (1.0, 1.0, 1.0, 1.0)),
        base=textures.use(picture),
        emission_colour=(red * strength, green * strength, blue * strength),
        emission=textures.use(entry.get("emissiveTexture")),
        alpha_mode=mode,
        cutoff=number(entry.get("alphaCutoff"), DEFAULT_CUTOFF),
        double_sided=entry.get("doubleSided") is True,
        queue=placed_queue(mode, writes_depth, offset),
        writes_depth=writes_depth,
        first_triangle=0,
        triangle_count=0,
        mtoon=_read_toon(toon, textures) if isinstance(toon, dict) else None,
        normal=textures.use(normal),
        normal_scale=number(normal.get("scale"), 1.0),
        absent=textures.absent(picture),
    )


def _alpha_mode(entry: Json) -> AlphaMode:
    mode = entry.get("alphaMode")
    return AlphaMode(mode) if isinstance(mode, str) and mode in list(AlphaMode) else AlphaMode.OPAQUE


def _read_toon(toon: Json, textures: Textures) -> MToon:
    rest = MToon()
    mode = toon.get("outlineWidthMode")
    return replace(
        rest,
        shade_colour=vector(toon.get("shadeColorFactor"), rest.shade_colour),
        shade=textures.use(toon.get("shadeMultiplyTexture")),
        shift=number(toon.get("shadingShiftFactor"), rest.shift),
        toony=number(toon.get("shadingToonyFactor"), rest.toony),
        shift_map=textures.use(toon.get("shadingShiftTexture")),
        shift_scale=number(member(toon, "shadingShiftTexture").get("scale"), rest.shift_scale),
        rim_colour=vector(toon.get("parametricRimColorFactor"), rest.rim_colour),
        rim=textures.use(toon.get("rimMultiplyTexture")),
        rim_power=number(toon.get("parametricRimFresnelPowerFactor"), rest.rim_power),
        rim_lift=number(toon.get("parametricRimLiftFactor"), rest.rim_lift),
        rim_mix=number(toon.get("rimLightingMixFactor"), rest.rim_mix),
        matcap=textures.use(toon.get("matcapTexture")),
        matcap_colour=vector(toon.get("matcapFactor"), rest.matcap_colour),
        outline_mode=OutlineMode(mode) if isinstance(mode, str) and mode in list(OutlineMode) else OutlineMode.NONE,
        outline_width=max(0.0, number(toon.get("outlineWidthFactor"), rest.outline_width)),
        outline_width_map=textures.use(toon.get("outlineWidthMultiplyTexture")),
        outline_colour=vector(toon.get("outlineColorFactor"), rest.outline_colour),
        outline_mix=min(1.0, max(0.0, number(toon.get("outlineLightingMixFactor"), rest.outline_mix))),
    )
