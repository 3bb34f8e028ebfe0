"""How the materials of PMX and PMD are drawn. Source: PMX 2.1, and what MikuMikuDance shows under its default light."""

import numpy as np
from numpy.typing import NDArray

from blender_worker.character.ramps import Ramp, flat, from_toon, shared_toon
from blender_worker.character.surface import Detail, Look, Map, Surface
from blender_worker.importers.decoding import TextureDecoder
from farm.colour import linear_of, srgb_of
from farm.models.corners import corners_of
from farm.models.description import Character, MaterialOffset
from farm.models.materials import MaterialFlag, MmdMaterial, SphereMode
from farm.styles.surface import SphereBlend


class MmdPaint:
    """A material's numbers.

    Diffuse (4), ambient (3), edge colour (4), edge size (1), texture tint (4) and summand (3), tints of the sphere map (3)
    and of the toon ramp (3).
    """

    def __init__(self, material: MmdMaterial) -> None:
        edge = material.edge_size if material.flags & MaterialFlag.EDGE else 0.0
        numbers = (*material.diffuse, *material.ambient, *material.edge_colour, edge, 1, 1, 1, 1, 0, 0, 0, *(1,) * 6)
        self.values = np.array(numbers, np.float32)

    @staticmethod
    def change(entry: MaterialOffset) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """The factors and summands of a material morph's entry."""
        numbers = (*entry.diffuse, *entry.ambient, *entry.edge_colour, entry.edge_size)
        if entry.adds:
            tints = (*entry.texture_tint[:3], *entry.sphere_tint[:3], *entry.toon_tint[:3])
            plus = np.array((*numbers, 0, 0, 0, 0, *tints), np.float32)
            return np.ones_like(plus), plus
        factors = (*entry.texture_tint, 1, 1, 1, *entry.sphere_tint[:3], *entry.toon_tint[:3])
        times = np.array((*numbers, *factors), np.float32)
        return times, np.zeros_like(times)

    def look(self, values: NDArray[np.float32]) -> Look:
        """The colour that MikuMikuDance shows under its default light: diffuse times 0.6 plus ambient, at most 1."""
        values = values.clip(0, None)
        rgb = (values[:3] * 0.6 + values[4:7]) * values[12:15]
        red, green, blue = linear_of(rgb.clip(0, 1)).tolist()
        edge = linear_of(values[7:10].clip(0, 1)).tolist()
        added, sphere, ramp = (linear_of(values[i : i + 3].clip(0, 1)).tolist() for i in (16, 19, 22))
        return Look(
            colour=(red, green, blue, min(1.0, float(values[3] * values[15]))),
            added=(added[0], added[1], added[2]),
            outline=float(values[11]),
            outline_colour=(edge[0], edge[1], edge[2], min(1.0, float(values[10]))),
            sphere=(sphere[0], sphere[1], sphere[2]),
            ramp=(ramp[0], ramp[1], ramp[2]),
        )

    def add_outline(self, colour: tuple[float, float, float], width: float) -> None:
        """Have an outline although the material's edge flag is not set."""
        self.values[7:12] = (*srgb_of(np.array(colour, np.float32)), 1.0, width)


def has_sub_texture(character: Character, material: MmdMaterial) -> bool:
    """Whether the sphere map is a second texture, looked up by the first additional coordinates and multiplied."""
    sub_texture = material.sphere_mode is SphereMode.SUB_TEXTURE and character.more_uvs is not None
    return sub_texture and not _is_coloured(character, material)


def _is_coloured(character: Character, material: MmdMaterial) -> bool:
    """Whether its vertices have colours: PMX 2.1 keeps them in the first additional coordinates."""
    return bool(material.flags & MaterialFlag.VERTEX_COLOUR) and character.more_uvs is not None


def colours(character: Character) -> NDArray[np.float32] | None:
    """(n, 4) the colours of all vertices, linear light, white where they do not count; None where all are white."""
    coloured = [material for material in character.mmd_materials if _is_coloured(character, material)]
    if character.more_uvs is None or not coloured:
        return None
    found = np.ones((len(character.positions), 4), np.float32)
    for material in coloured:
        vertices = corners_of(character.triangles_of(material))
        shown = character.more_uvs[0, vertices].clip(0, 1)
        found[vertices] = np.column_stack([linear_of(shown[:, :3]), shown[:, 3]])
    return found


def _ramp(material: MmdMaterial, pictures: TextureDecoder) -> Ramp:
    """The ramp of the model's own toon texture, or a shared one; without either, no shade is seen."""
    own = pictures.texture(material.toon)
    if own is not None:
        return from_toon(own)
    return shared_toon(material.shared_toon) if material.shared_toon is not None else flat()


def surface_of(character: Character, material: MmdMaterial, pictures: TextureDecoder) -> Surface:
    """The surface of `material`."""
    second = has_sub_texture(character, material)
    coloured = _is_coloured(character, material)
    drawn = second or material.sphere_mode in (SphereMode.MULTIPLY, SphereMode.ADD)
    sphere = pictures.texture(material.sphere) if drawn else None
    base = pictures.texture(material.texture)
    blend = SphereBlend.MULTIPLY if second or material.sphere_mode is SphereMode.MULTIPLY else SphereBlend.ADD
    return Surface(
        name=material.name,
        paint=MmdPaint(material),
        base=Map(base) if base is not None else None,
        absent=pictures.absent(material.texture),
        double_sided=bool(material.flags & MaterialFlag.DOUBLE_SIDED),
        ramp=_ramp(material, pictures),
        sphere=Map(sphere, second=second, solid=True) if sphere is not None else None,
        sphere_blend=blend if sphere is not None else SphereBlend.NONE,
        detail=Detail(coloured=coloured) if coloured or (sphere is not None and second) else None,
    )
