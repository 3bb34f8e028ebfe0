"""How the materials of glTF and VRM are drawn, and what expressions do to them.

Sources: glTF 2.0, section 3.9; KHR_materials_unlit (no emission); VRMC_materials_mtoon-1.0 (no vertex colours).
"""

from collections.abc import Iterator, Mapping, Set

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.ramps import Ramp, between, flat
from blender_worker.character.surface import Detail, Look, Map, Surface
from blender_worker.importers.decoding import TextureDecoder
from farm.models.corners import corners_of
from farm.models.description import Character, ColourBind, Expression, Tint, TransformBind
from farm.models.materials import AlphaMode, GltfMaterial, Material, MToon, OutlineMode, Shading, TextureUse
from farm.models.posing.morphs import Effect, PaintEffect, UVEffect

_OUTLINE_COLOUR = (0.04, 0.022, 0.027)
"""Linear light; for the materials that bring none of their own."""
_COLOUR, _OUTLINE, _WIDTH = slice(0, 4), slice(4, 7), 7
_EMISSION, _SHADE, _RIM, _MATCAP = slice(8, 11), slice(11, 14), slice(14, 17), slice(17, 20)
_PLACES: Mapping[Tint, slice] = {
    Tint.COLOUR: _COLOUR,
    Tint.OUTLINE: _OUTLINE,
    Tint.EMISSION: _EMISSION,
    Tint.SHADE: _SHADE,
    Tint.RIM: _RIM,
    Tint.MATCAP: _MATCAP,
}
"""Where the tints stand among a paint's numbers."""
_BLACK = (0.0, 0.0, 0.0)
_LEAST_BASE = 1e-3
"""Linear light: what a black material is taken for where its shade is divided by it."""
_RIM_POWERS = 1e-3, 100.0


_USUAL_LINE = 0.0043
"""Of the picture's height: an outline that is as wide as the style's own (1.1 pixels of 256)."""
_LINES = 0.6, 2.0
"""How thin and how thick an outline may be, relative to that: thinner would not be seen, thicker would blot the face."""


class GltfPaint:
    """A material's numbers, linear light: base colour (4), outline colour (3), outline width (1), emission, shade, rim and
    matcap (3 each)."""

    def __init__(self, material: GltfMaterial, frame: float = 1.0) -> None:
        """`frame` is the height of the picture in metres, where the head is."""
        toon = material.mtoon
        own = has_outline(material)
        colour = toon.outline_colour if toon is not None and own else _OUTLINE_COLOUR
        width = _line(toon, frame) if toon is not None and own and material.alpha_mode is not AlphaMode.BLEND else 0.0
        emission = material.emission_colour if material.shading is not Shading.UNLIT else _BLACK
        light = (_BLACK,) * 3 if toon is None else (toon.shade_colour, toon.rim_colour, toon.matcap_colour)
        self._shaded = toon is not None
        self.values = np.array(
            [*material.colour, *colour, width, *emission, *(c for each in light for c in each)], np.float32
        )

    def look(self, values: NDArray[np.float32]) -> Look:
        """The look of such numbers. MToon's shade is told as the ramp's dark end, as a share of the base colour."""
        red, green, blue, alpha = values[_COLOUR].clip(0, 1).tolist()
        edge = values[_OUTLINE].clip(0, 1).tolist()
        emission, shade, rim, matcap = (values[place].clip(0, None) for place in (_EMISSION, _SHADE, _RIM, _MATCAP))
        floor = shade / values[:3].clip(_LEAST_BASE, 1) if self._shaded else np.zeros(3, np.float32)
        return Look(
            colour=(red, green, blue, alpha),
            added=_BLACK,
            outline=float(values[_WIDTH]),
            outline_colour=(edge[0], edge[1], edge[2], 1.0),
            ramp=_colour(1 - floor),
            floor=_colour(floor),
            emission=_colour(emission),
            shade=_colour(shade),
            rim=_colour(rim),
            matcap=_colour(matcap),
        )

    def add_outline(self, colour: tuple[float, float, float], width: float) -> None:
        """Have an outline although the file asks for none."""
        self.values[_OUTLINE], self.values[_WIDTH] = colour, width


def _colour(values: NDArray[np.float32]) -> tuple[float, float, float]:
    red, green, blue = values.tolist()
    return red, green, blue


def has_outline(material: GltfMaterial) -> bool:
    """Whether the file gives the material an outline."""
    toon = material.mtoon
    return toon is not None and toon.outline_mode is not OutlineMode.NONE and toon.outline_width > 0


def _line(toon: MToon, frame: float) -> float:
    """The outline's width relative to the style's own."""
    share = toon.outline_width if toon.outline_mode is OutlineMode.SCREEN else toon.outline_width / max(frame, 1e-6)
    return min(max(share / _USUAL_LINE, _LINES[0]), _LINES[1])


def tinted(character: Character) -> dict[int, set[Tint]]:
    """The colours that any expression changes, by material."""
    found: dict[int, set[Tint]] = {}
    for morph in character.morphs:
        for bind in morph.colours if isinstance(morph, Expression) else ():
            found.setdefault(bind.material, set()).add(bind.tint)
    return found


def surface_of(
    character: Character, material: GltfMaterial, changed: Set[Tint], pictures: TextureDecoder, frame: float
) -> Surface:
    """The surface of `material`, of which expressions may change the colours `changed`; `frame` as for `GltfPaint`."""
    detail = _detail(character, material, changed, pictures)
    shifted = detail is not None and detail.shift is not None
    return Surface(
        name=material.name,
        paint=GltfPaint(material, frame),
        base=_map(material, material.base, pictures, material.alpha_mode is AlphaMode.OPAQUE),
        absent=material.absent or pictures.absent(material.texture),
        double_sided=material.double_sided,
        cutoff=material.cutoff if material.alpha_mode is AlphaMode.MASK else None,
        opaque=material.alpha_mode is AlphaMode.OPAQUE,
        writes_depth=material.writes_depth,
        ramp=_ramp(material.mtoon, 0.0 if shifted else material.mtoon.shift) if material.mtoon is not None else flat(),
        detail=detail,
        outline_mix=material.mtoon.outline_mix if material.mtoon is not None and has_outline(material) else 0.0,
    )


def _ramp(toon: MToon, shift: float) -> Ramp:
    """The lit share of MToon's shade by the place and softness of its edge; the look says what stands at its dark end."""
    # MToon: linearstep(-1 + toony, 1 - toony, cosine + shift); the ramp runs over cosines from -1 to 1 about its edge.
    softness, edge = max(0.01, (1 - toon.toony) / 2), 0.5 - shift / 2
    return between(_BLACK, edge - softness, edge + softness)


def _detail(
    character: Character, material: GltfMaterial, changed: Set[Tint], pictures: TextureDecoder
) -> Detail | None:
    """What the material has besides its base; None if that is nothing that a picture shows."""
    toon = material.mtoon or MToon(matcap_colour=_BLACK)
    coloured = bool((_tints(character, material) != 1).any())
    glows = material.shading is not Shading.UNLIT and (any(material.emission_colour) or Tint.EMISSION in changed)
    own_shade = material.mtoon is not None and toon.shade != material.base
    rimmed = material.mtoon is not None and (any(toon.rim_colour) or Tint.RIM in changed)
    reflects = toon.matcap is not None and (any(toon.matcap_colour) or Tint.MATCAP in changed)
    normal = material.normal if material.shading is not Shading.UNLIT else None
    if not (coloured or glows or own_shade or rimmed or reflects or toon.shift_map or normal):
        return None
    return Detail(
        coloured=coloured,
        emission=_map(material, material.emission, pictures, True) if glows else None,
        shade=_map(material, toon.shade, pictures, True) if own_shade else None,
        own_shade=own_shade,
        rim=_map(material, toon.rim, pictures, True) if rimmed or reflects else None,
        rim_lift=toon.rim_lift,
        rim_power=min(max(toon.rim_power, _RIM_POWERS[0]), _RIM_POWERS[1]),
        rim_mix=toon.rim_mix,
        matcap=_map(material, toon.matcap, pictures, True) if reflects else None,
        shift=_map(material, toon.shift_map, pictures, True, data=True),
        shifts=(toon.shift / 2, toon.shift_scale / 2),
        normal=_map(material, normal, pictures, True, data=True),
        normal_scale=material.normal_scale,
    )


def _map(
    material: GltfMaterial, use: TextureUse | None, pictures: TextureDecoder, solid: bool, data: bool = False
) -> Map | None:
    texture = pictures.texture(use.texture) if use is not None else None
    if use is None or texture is None:
        return None
    return Map(texture, use.wrap, use.smooth, _placement(use) in placements(material)[1:2], solid, data)


type Placement = tuple[int, tuple[float, float], tuple[float, float], float]
"""Layer, scale, offset and rotation of a texture's use."""


def _placement(use: TextureUse) -> Placement:
    return use.layer, use.scale, use.offset, use.rotation


def placements(material: GltfMaterial) -> list[Placement]:
    """Where the material's textures are looked up, the base's first. The first two are honoured."""
    return list(dict.fromkeys(map(_placement, material.placed)))


def _tints(character: Character, material: GltfMaterial) -> NDArray[np.float32]:
    """(k, 4) the colours of the material's vertices; none where they are white or do not count."""
    if character.colours is None or material.shading is Shading.MTOON:
        return np.ones((0, 4), np.float32)
    return character.colours[vertices_of(character, material)]


def colours(character: Character) -> NDArray[np.float32] | None:
    """(n, 4) the colours of all vertices, white where they do not count; None where all are white."""
    if character.colours is None:
        return None
    found = np.ones_like(character.colours)
    for material in character.materials:
        if isinstance(material, GltfMaterial) and material.shading is not Shading.MTOON:
            vertices = vertices_of(character, material)
            found[vertices] = character.colours[vertices]
    return found


def vertices_of(character: Character, material: Material) -> NDArray[np.int32]:
    """The vertices of a material, which in glTF no other material has."""
    return corners_of(character.triangles_of(material))


def looked_up(character: Character, placement: Placement, vertices: NDArray[np.int32]) -> NDArray[np.float32]:
    """(n, 2) where `vertices` look a texture up, v from the top.

    Source: KHR_texture_transform. It turns the coordinates counter-clockwise as its words, its test model, three.js and
    Blender do; the shader that it gives as an example turns them the other way.
    """
    number, scale, offset, rotation = placement
    layer = character.uvs if number == 0 or character.more_uvs is None else character.more_uvs[number - 1, :, :2]
    u, v = (layer[vertices] * np.array(scale, np.float32)).T
    sine, cosine = np.sin(np.float32(rotation)), np.cos(np.float32(rotation))
    turned = np.column_stack([cosine * u + sine * v, cosine * v - sine * u])
    return np.asarray(turned + np.array(offset, np.float32), np.float32)


def outline_widths(character: Character, pictures: TextureDecoder) -> NDArray[np.float32]:
    """(n,) the factors on the outlines' widths that MToon's textures say. Source: outlineWidthMultiplyTexture."""
    widths = np.ones(len(character.positions), np.float32)
    for material in character.materials:
        toon = material.mtoon if isinstance(material, GltfMaterial) else None
        use = toon.outline_width_map if toon is not None else None
        texture = pictures.texture(use.texture) if use is not None else None
        if isinstance(material, GltfMaterial) and toon is not None and use is not None and texture is not None:
            vertices = vertices_of(character, material)
            places = looked_up(character, _placement(use), vertices) * np.array([1, -1]) + np.array([0, 1])
            widths[vertices] = Map(texture, use.wrap).texels_at(places)[:, toon.outline_width_channel]
    return widths


def colour_effect(character: Character, bind: ColourBind) -> Effect | None:
    """What a colour bind does; None for a tint that the material does not have."""
    material, place = character.materials[bind.material], _PLACES[bind.tint]
    if not isinstance(material, GltfMaterial):
        return None
    toon = material.mtoon
    has = {
        Tint.EMISSION: material.shading is not Shading.UNLIT,
        Tint.SHADE: toon is not None,
        Tint.RIM: toon is not None,
        Tint.MATCAP: toon is not None and toon.matcap is not None,
    }
    if not has.get(bind.tint, True):
        return None
    values = GltfPaint(material).values
    plus = np.zeros_like(values)
    plus[place] = np.array(bind.colour, np.float32)[: place.stop - place.start] - values[place]
    return PaintEffect(bind.material, np.ones_like(values), plus)


def transform_effects(
    character: Character,
    bind: TransformBind,
    vertices: NDArray[np.int32],
    rest: tuple[NDArray[np.float32], NDArray[np.float32] | None],
) -> Iterator[Effect]:
    """What a texture transform bind does to the `vertices_of` its material; `rest` are the first and second coordinates
    (n, 2) of all, v from the top."""
    material = character.materials[bind.material]
    if not isinstance(material, GltfMaterial):
        return
    for second, ((layer, _, _, rotation), uvs) in enumerate(zip(placements(material), rest, strict=False)):
        if uvs is not None:
            target = looked_up(character, (layer, bind.scale, bind.offset, rotation), vertices)
            offsets = (target - uvs[vertices]) * np.array([1, -1], np.float32)
            yield UVEffect(vertices, np.ascontiguousarray(offsets), bool(second))
