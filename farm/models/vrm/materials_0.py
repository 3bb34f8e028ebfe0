"""Materials of VRM 0.x (`materialProperties`, shaders of Unity) in the terms of glTF and MToon 1.0.

The conversions are those of UniVRM's migration from 0.x to 1.0. Source: VRM 0.0 specification; MToon 3.x; UniVRM.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from farm.colour import linear_of
from farm.models.gltf.materials import BLEND_QUEUE, DEEP_BLEND_QUEUE, DEFAULT_CUTOFF, placed_queue
from farm.models.gltf.textures import Textures
from farm.models.gltf.values import Json, member, number, text, vector, whole
from farm.models.materials import AlphaMode, GltfMaterial, MToon, OutlineMode, Shading, TextureUse

_QUEUES = 49
"""How far a render queue of MToon 0.x may stand from the one of its kind."""
_CENTIMETRE = 0.01
_HALF_PERCENT = 0.005
"""MToon 0.x counts outlines on the screen in hundredths of half its height, 1.0 in heights."""


@dataclass(frozen=True, slots=True)
class _Kind:
    mode: AlphaMode
    writes_depth: bool = True


_TOON_KINDS = (
    _Kind(AlphaMode.OPAQUE),
    _Kind(AlphaMode.MASK),
    _Kind(AlphaMode.BLEND, False),
    _Kind(AlphaMode.BLEND),
)
"""By `_BlendMode`."""
_UNLIT_KINDS: Mapping[str, _Kind] = {
    "VRM/UnlitTexture": _TOON_KINDS[0],
    "VRM/UnlitCutout": _TOON_KINDS[1],
    "VRM/UnlitTransparent": _TOON_KINDS[2],
    "VRM/UnlitTransparentZWrite": _TOON_KINDS[3],
}


def linear(value: float) -> float:
    """One channel of a colour, from sRGB to linear light."""
    return float(linear_of(np.array(value, np.float32)))


def transformed(scale: tuple[float, float], offset: tuple[float, float]) -> tuple[float, float]:
    """The offset with v counted from the top, for one of Unity's, which counts v from the bottom."""
    return offset[0], 1 - scale[1] - offset[1]


def read_material_0(properties: Json, plain: GltfMaterial, textures: Textures) -> GltfMaterial:
    """What VRM 0.x says about the material that glTF calls `plain`; `plain` itself for shaders that glTF describes."""
    shader = text(properties.get("shader"))
    if shader == "VRM/MToon":
        return _Properties(properties, textures).toon(plain)
    if shader in _UNLIT_KINDS:
        return _Properties(properties, textures).unlit(plain, _UNLIT_KINDS[shader])
    return plain


class _Properties:
    """The properties of one material, by the names that Unity's shaders give them."""

    def __init__(self, properties: Json, textures: Textures) -> None:
        self._floats = member(properties, "floatProperties")
        self._vectors = member(properties, "vectorProperties")
        self._pictures = member(properties, "textureProperties")
        self._queue = whole(properties.get("renderQueue"))
        self._textures = textures

    def unlit(self, plain: GltfMaterial, kind: _Kind) -> GltfMaterial:
        """A material of one of the four shaders of UniVRM that know no light."""
        return replace(
            self._common(plain, kind),
            shading=Shading.UNLIT,
            emission_colour=(0.0, 0.0, 0.0),
            emission=None,
            double_sided=False,
            mtoon=None,
            normal=None,
        )

    def toon(self, plain: GltfMaterial) -> GltfMaterial:
        """A material of MToon 0.x."""
        blend = round(self._float("_BlendMode", 0))
        kind = _TOON_KINDS[blend] if 0 <= blend < len(_TOON_KINDS) else _TOON_KINDS[0]
        red, green, blue, _ = vector(self._vectors.get("_EmissionColor"), (0.0, 0.0, 0.0, 1.0))
        culls = round(self._float("_CullMode", 2))  # 0 nothing, 1 the front, 2 the back
        common = self._common(plain, kind)
        return replace(
            common,
            shading=Shading.MTOON,
            emission_colour=(red, green, blue),  # the one colour that Unity keeps in linear light
            emission=self._texture("_EmissionMap"),
            double_sided=culls not in (1, 2),
            mtoon=self._mtoon(common.base),
            normal=self._texture("_BumpMap"),
            normal_scale=self._float("_BumpScale", 1.0),
            inside_out=culls == 1,
        )

    def _common(self, plain: GltfMaterial, kind: _Kind) -> GltfMaterial:
        usual = placed_queue(kind.mode, kind.writes_depth, 0)
        asked = self._queue if self._queue is not None and self._queue >= 0 else usual
        lowest, highest = {BLEND_QUEUE: (-_QUEUES, 0), DEEP_BLEND_QUEUE: (0, _QUEUES)}.get(usual, (0, 0))
        return replace(
            plain,
            colour=(*self._colour("_Color", (1.0, 1.0, 1.0)), vector(self._vectors.get("_Color"), (1.0,) * 4)[3]),
            base=self._texture("_MainTex"),
            absent=self._textures.absent({"index": self._pictures.get("_MainTex")}),
            alpha_mode=kind.mode,
            cutoff=self._float("_Cutoff", DEFAULT_CUTOFF),
            queue=max(usual + lowest, min(usual + highest, asked)),
            writes_depth=kind.writes_depth,
        )

    def _mtoon(self, base: TextureUse | None) -> MToon:
        lowest = self._float("_ShadeShift", 0.0)
        toony = self._float("_ShadeToony", 0.9)
        highest = (1 - toony) + toony * lowest  # cosines between which the shade ends
        mode = round(self._float("_OutlineWidthMode", 0))
        width = max(0.0, self._float("_OutlineWidth", 0.5))
        matcap = self._textures.plain(self._pictures.get("_SphereAdd"))
        return MToon(
            shade_colour=self._colour("_ShadeColor", (0.97, 0.81, 0.86)),
            shade=self._texture("_ShadeTexture") or base,  # many creators set the first alone and mean both
            shift=max(-1.0, min(1.0, -(highest + lowest) / 2)),
            toony=max(0.0, min(1.0, 1 - (highest - lowest) / 2)),
            rim_colour=self._colour("_RimColor", (0.0, 0.0, 0.0)),
            rim=self._texture("_RimTexture"),
            rim_power=self._float("_RimFresnelPower", 1.0),
            rim_lift=self._float("_RimLift", 0.0),
            rim_mix=1.0,
            matcap=matcap,
            matcap_colour=(1.0, 1.0, 1.0) if matcap is not None else (0.0, 0.0, 0.0),
            outline_mode=(OutlineMode.NONE, OutlineMode.WORLD, OutlineMode.SCREEN)[max(0, min(2, mode))],
            outline_width=(0.0, width * _CENTIMETRE, width * _HALF_PERCENT)[max(0, min(2, mode))],
            outline_width_map=self._texture("_OutlineWidthTexture"),
            outline_width_channel=0,
            outline_colour=self._colour("_OutlineColor", (0.0, 0.0, 0.0)),
            outline_mix=self._outline_mix(),
        )

    def _outline_mix(self) -> float:
        """0 where the outline has a colour of its own, and where it takes the surface's in too, how much of it."""
        mixed = round(self._float("_OutlineColorMode", 0)) == 1
        return max(0.0, min(1.0, self._float("_OutlineLightingMix", 1.0))) if mixed else 0.0

    def _float(self, name: str, default: float) -> float:
        return number(self._floats.get(name), default)

    def _colour(self, name: str, default: tuple[float, float, float]) -> tuple[float, float, float]:
        red, green, blue = vector(self._vectors.get(name), default)
        return linear(red), linear(green), linear(blue)

    def _texture(self, name: str) -> TextureUse | None:
        """A texture with the transform of the main one, which MToon 0.x applies to all."""
        use = self._textures.plain(self._pictures.get(name))
        if use is None:
            return None
        x, y, width, height = vector(self._vectors.get("_MainTex"), (0.0, 0.0, 1.0, 1.0))
        scale = width or 1.0, height or 1.0
        return replace(use, scale=scale, offset=transformed(scale, (x, y)))
