"""Writes materials as glTF has them, and as VRM 0.x' `materialProperties` has them. Sources as in the readers."""

from collections.abc import Iterable

import numpy as np

from farm.colour import srgb_of
from farm.models.description import Character
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.gltf.materials import BLEND_QUEUE, DEEP_BLEND_QUEUE
from farm.models.gltf.values import Json
from farm.models.materials import (
    AlphaMode,
    GltfMaterial,
    Material,
    MaterialFlag,
    MToon,
    OutlineMode,
    Shading,
    TextureUse,
    Wrap,
)
from farm.models.vrm.materials_0 import linear

_WRAPS = {Wrap.REPEAT: 10497, Wrap.MIRROR: 33648, Wrap.CLAMP: 33071}
_SHADE = 0.8
"""Of the base colour, for a material that brings no shade of its own."""
_BLEND_MODES = {
    (AlphaMode.OPAQUE, True): 0,
    (AlphaMode.MASK, True): 1,
    (AlphaMode.BLEND, False): 2,
    (AlphaMode.BLEND, True): 3,
}
_OUTLINES = (OutlineMode.NONE, OutlineMode.WORLD, OutlineMode.SCREEN)


class MaterialWriter:
    """Writes the pictures of a character, and then its materials one by one."""

    def __init__(self, w: GlbWriter, character: Character) -> None:
        self._w = w
        self._images = {
            place: w.picture(data, character.textures[place]) for place, data in sorted(character.embedded.items())
        }
        self._textures: dict[tuple[int, tuple[Wrap, Wrap], bool], int] = {}

    def write(self, material: Material) -> Json:
        """Writes one material; returns what VRM 0.x says about it."""
        if not isinstance(material, GltfMaterial):
            material = as_gltf(material)
        self._w.add("materials", self._gltf(material))
        return self._properties(material)

    def _texture(self, use: TextureUse) -> int | None:
        image = self._images.get(use.texture)
        if image is None:
            return None
        key = use.texture, use.wrap, use.smooth
        if key not in self._textures:
            u, v = use.wrap
            sampler = {"wrapS": _WRAPS[u], "wrapT": _WRAPS[v], "magFilter": 9729 if use.smooth else 9728}
            self._textures[key] = self._w.add(
                "textures", {"source": image, "sampler": self._w.add("samplers", sampler)}
            )
        return self._textures[key]

    def _info(self, use: TextureUse | None) -> Json | None:
        place = self._texture(use) if use is not None else None
        if use is None or place is None:
            return None
        moved = {"scale": list(use.scale), "offset": list(use.offset), "rotation": use.rotation}
        return {"index": place, "texCoord": use.layer, "extensions": {"KHR_texture_transform": moved}}

    def _scaled(self, use: TextureUse | None, scale: float) -> Json | None:
        info = self._info(use)
        return info | {"scale": scale} if info is not None else None

    def _gltf(self, material: GltfMaterial) -> Json:
        extensions: Json = {}
        if material.shading is not Shading.PBR:
            extensions["KHR_materials_unlit"] = {}
        strength = max(1.0, *material.emission_colour)
        if strength > 1:
            extensions["KHR_materials_emissive_strength"] = {"emissiveStrength": strength}
        if material.mtoon is not None:
            extensions["VRMC_materials_mtoon"] = self._toon(material, material.mtoon)
        base = _without_none({"baseColorFactor": list(material.colour), "baseColorTexture": self._info(material.base)})
        return _without_none(
            {
                "name": material.name,
                "pbrMetallicRoughness": base | {"metallicFactor": 0, "roughnessFactor": 1},
                "emissiveFactor": [channel / strength for channel in material.emission_colour],
                "emissiveTexture": self._info(material.emission),
                "normalTexture": self._scaled(material.normal, material.normal_scale),
                "alphaMode": material.alpha_mode.value,
                "alphaCutoff": material.cutoff if material.alpha_mode is AlphaMode.MASK else None,
                "doubleSided": material.double_sided,
                "extensions": extensions,
            }
        )

    def _toon(self, material: GltfMaterial, toon: MToon) -> Json:
        blended = material.alpha_mode is AlphaMode.BLEND
        usual = DEEP_BLEND_QUEUE if material.writes_depth else BLEND_QUEUE
        return _without_none(
            {
                "specVersion": "1.0",
                "transparentWithZWrite": blended and material.writes_depth,
                "renderQueueOffsetNumber": material.queue - usual if blended else 0,
                "shadeColorFactor": list(toon.shade_colour),
                "shadeMultiplyTexture": self._info(toon.shade),
                "shadingShiftFactor": toon.shift,
                "shadingShiftTexture": self._scaled(toon.shift_map, toon.shift_scale),
                "shadingToonyFactor": toon.toony,
                "parametricRimColorFactor": list(toon.rim_colour),
                "rimMultiplyTexture": self._info(toon.rim),
                "parametricRimFresnelPowerFactor": toon.rim_power,
                "parametricRimLiftFactor": toon.rim_lift,
                "rimLightingMixFactor": toon.rim_mix,
                "matcapTexture": self._info(toon.matcap),
                "matcapFactor": list(toon.matcap_colour),
                "outlineWidthMode": toon.outline_mode.value,
                "outlineWidthFactor": toon.outline_width,
                "outlineWidthMultiplyTexture": self._info(toon.outline_width_map),
                "outlineColorFactor": list(toon.outline_colour),
                "outlineLightingMixFactor": toon.outline_mix,
            }
        )

    def _properties(self, material: GltfMaterial) -> Json:
        """The material for VRM 0.x, in which only MToon needs more words than glTF has."""
        toon = material.mtoon
        if toon is None:
            return {"name": material.name, "shader": "VRM_USE_GLTFSHADER", "renderQueue": -1}
        low, high = -toon.shift - (1 - toon.toony), -toon.shift + (1 - toon.toony)
        use = material.base or TextureUse(0)
        (width, height), (x, y) = use.scale, use.offset
        pictures = {
            "_MainTex": material.base,
            "_ShadeTexture": toon.shade,
            "_EmissionMap": material.emission,
            "_RimTexture": toon.rim,
            "_SphereAdd": toon.matcap,
            "_OutlineWidthTexture": toon.outline_width_map,
            "_BumpMap": material.normal,
        }
        return {
            "name": material.name,
            "shader": "VRM/MToon",
            "renderQueue": material.queue,
            "floatProperties": {
                "_BlendMode": _BLEND_MODES[material.alpha_mode, material.writes_depth],
                "_CullMode": 0 if material.double_sided else 2,
                "_ZWrite": int(material.writes_depth),
                "_Cutoff": material.cutoff,
                "_BumpScale": material.normal_scale,
                "_ShadeShift": low,
                "_ShadeToony": (1 - high) / (1 - low) if low < 1 else 0.9,
                "_RimFresnelPower": toon.rim_power,
                "_RimLift": toon.rim_lift,
                "_OutlineWidthMode": _OUTLINES.index(toon.outline_mode),
                "_OutlineColorMode": int(toon.outline_mix > 0),
                "_OutlineLightingMix": toon.outline_mix,
                "_OutlineWidth": toon.outline_width * (200 if toon.outline_mode is OutlineMode.SCREEN else 100),
            },
            "vectorProperties": {
                "_Color": [*_srgb(material.colour[:3]), material.colour[3]],
                "_ShadeColor": [*_srgb(toon.shade_colour), 1.0],
                "_EmissionColor": [*material.emission_colour, 1.0],
                "_RimColor": [*_srgb(toon.rim_colour), 1.0],
                "_OutlineColor": [*_srgb(toon.outline_colour), 1.0],
                "_MainTex": [x, 1 - height - y, width, height],
            },
            "textureProperties": _without_none(
                {name: self._texture(use) if use is not None else None for name, use in pictures.items()}
            ),
        }


def as_gltf(material: Material) -> GltfMaterial:
    """A material of MikuMikuDance in the terms of MToon: its picture, cut out by alpha, with a plain shade."""
    if isinstance(material, GltfMaterial):
        return material
    red, green, blue = (linear(channel) for channel in material.diffuse[:3])
    blended = material.diffuse[3] < 1
    return GltfMaterial(
        name=material.name,
        shading=Shading.MTOON,
        colour=(red, green, blue, material.diffuse[3]),
        base=TextureUse(material.texture) if material.texture is not None else None,
        emission_colour=(0.0, 0.0, 0.0),
        emission=None,
        alpha_mode=AlphaMode.BLEND if blended else AlphaMode.MASK,
        cutoff=0.5,
        double_sided=MaterialFlag.DOUBLE_SIDED in material.flags,
        queue=BLEND_QUEUE,
        writes_depth=not blended,
        first_triangle=material.first_triangle,
        triangle_count=material.triangle_count,
        mtoon=MToon(
            shade_colour=(red * _SHADE, green * _SHADE, blue * _SHADE),
            shade=TextureUse(material.texture) if material.texture is not None else None,
        ),
    )


def _srgb(colour: Iterable[float]) -> list[float]:
    """Linear light as sRGB."""
    shown: list[float] = srgb_of(np.array(list(colour), np.float32)).tolist()
    return shown


def _without_none(entry: Json) -> Json:
    return {key: value for key, value in entry.items() if value is not None}
