"""How the materials of glTF and VRM are drawn, and what expressions do to them. Sources: glTF 2.0, VRMC_materials_mtoon."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.morphs import Effect, PaintEffect, UVEffect
from blender_worker.character.ramps import Ramp, between, two_tone
from blender_worker.character.surface import Look, Surface
from blender_worker.importers.pictures import Pictures
from farm.models.description import Character, ColourBind, Tint, TransformBind
from farm.models.materials import AlphaMode, GltfMaterial, MToon, OutlineMode, TextureUse

_OUTLINE_COLOUR = (0.04, 0.022, 0.027)
"""Linear light; for the materials that bring none of their own."""
_COLOUR, _OUTLINE, _WIDTH = slice(0, 4), slice(4, 7), 7
_PLACES = {Tint.COLOUR: _COLOUR, Tint.OUTLINE: _OUTLINE}
"""Where the tints that are drawn stand among a paint's numbers."""


class GltfPaint:
    """A material's numbers, linear light: base colour (4), outline colour (3), outline width (1)."""

    def __init__(self, material: GltfMaterial) -> None:
        toon = material.mtoon
        own = toon is not None and toon.outline_mode is not OutlineMode.NONE and toon.outline_width > 0
        colour = toon.outline_colour if toon is not None and own else _OUTLINE_COLOUR
        width = 1.0 if own and material.alpha_mode is not AlphaMode.BLEND else 0.0
        self.values = np.array([*material.colour, *colour, width], np.float32)

    def look(self, values: NDArray[np.float32]) -> Look:
        """The look of such numbers."""
        red, green, blue, alpha = values[_COLOUR].clip(0, 1).tolist()
        edge = values[_OUTLINE].clip(0, 1).tolist()
        return Look((red, green, blue, alpha), (0.0, 0.0, 0.0), float(values[_WIDTH]), (edge[0], edge[1], edge[2], 1.0))

    def add_outline(self, colour: tuple[float, float, float], width: float) -> None:
        """Have an outline although the file asks for none."""
        self.values[_OUTLINE], self.values[_WIDTH] = colour, width


def surface_of(material: GltfMaterial, pictures: Pictures) -> Surface:
    """The surface of `material`."""
    return Surface(
        name=material.name,
        paint=GltfPaint(material),
        texture=pictures.texture(material.texture),
        double_sided=material.double_sided,
        cutoff=material.cutoff if material.alpha_mode is AlphaMode.MASK else None,
        opaque=material.alpha_mode is AlphaMode.OPAQUE,
        ramp=_ramp(material.mtoon, material.colour) if material.mtoon is not None else two_tone(),
    )


def _ramp(toon: MToon, base_colour: Iterable[float]) -> Ramp:
    """MToon's shade as a ramp: its shade colour against the base colour, and the place and softness of its edge."""
    red, green, blue = (
        min(1.0, shade / max(base, 1e-3)) for shade, base in zip(toon.shade_colour, base_colour, strict=False)
    )
    # MToon: linearstep(-1 + toony, 1 - toony, cosine + shift); the ramp runs over cosines from -1 to 1 about its edge.
    softness = max(0.01, (1 - toon.toony) / 2)
    return between((red, green, blue), 0.5 - softness, 0.5 + softness)


def vertices_of(character: Character, material: GltfMaterial) -> NDArray[np.int32]:
    """The vertices of a material, which in glTF no other material has."""
    rows = slice(material.first_triangle, material.first_triangle + material.triangle_count)
    return np.unique(character.triangles[rows])


def looked_up(character: Character, use: TextureUse, vertices: NDArray[np.int32]) -> NDArray[np.float32]:
    """(n, 2) where `vertices` look a texture up, v from the top. Source: KHR_texture_transform."""
    layer = character.uvs if use.layer == 0 or character.more_uvs is None else character.more_uvs[use.layer - 1, :, :2]
    u, v = (layer[vertices] * np.array(use.scale, np.float32)).T
    sine, cosine = np.sin(np.float32(use.rotation)), np.cos(np.float32(use.rotation))
    turned = np.column_stack([cosine * u - sine * v, sine * u + cosine * v])
    return np.asarray(turned + np.array(use.offset, np.float32), np.float32)


def colour_effect(character: Character, bind: ColourBind) -> Effect | None:
    """What a colour bind does; None for a tint that is not drawn."""
    material, place = character.materials[bind.material], _PLACES.get(bind.tint)
    if place is None or not isinstance(material, GltfMaterial):
        return None
    values = GltfPaint(material).values
    plus = np.zeros_like(values)
    plus[place] = np.array(bind.colour, np.float32)[: place.stop - place.start] - values[place]
    return PaintEffect(bind.material, np.ones_like(values), plus)


def transform_effect(character: Character, bind: TransformBind, uvs: NDArray[np.float32]) -> Effect | None:
    """What a texture transform bind does; `uvs` (n, 2) are those at rest, v from the top. None without a texture."""
    material = character.materials[bind.material]
    if not isinstance(material, GltfMaterial) or material.base is None:
        return None
    base = material.base
    vertices = vertices_of(character, material)
    target = TextureUse(base.texture, base.layer, scale=bind.scale, offset=bind.offset)
    offsets = (looked_up(character, target, vertices) - uvs[vertices]) * np.array([1, -1], np.float32)
    return UVEffect(vertices, np.ascontiguousarray(offsets))
