"""What both mascots share: skull, mouths, surfaces, and how patches become a character."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from farm.mascots import body, face, paint, rig
from farm.mascots.eye import Eye, EyeShape
from farm.mascots.face import BrowShape, Mouth, MouthShape
from farm.mascots.hair import Lock
from farm.mascots.paint import Colour
from farm.mascots.sculpt import Array, FlatMesh, Mesh, Patch, mirrored, sheet, unit
from farm.mascots.skull import Skull
from farm.models.description import Character, GroupMorph, Morph, VertexMorph
from farm.models.materials import MaterialFlag, MmdMaterial, SphereMode
from farm.morphs.panels import Panel

COMMENT = "Facefarm mascot, CC0 1.0: made by code"
_TEXTURES = ("face", "features", "hair", "clothes")


@dataclass(frozen=True)
class Mascot:
    """A character and the pictures that its textures name."""

    character: Character
    pictures: Mapping[str, Image.Image]
    """By the texture's path as the character writes it."""


@dataclass(frozen=True)
class MaterialRecipe:
    """How a material is drawn."""

    name: str
    name_en: str
    texture: str
    edge: Colour | None = None
    double_sided: bool = False
    edge_size: float = 0.7


@dataclass(frozen=True)
class Recipe:
    """A morph by the shapes or the other morphs that it is made of."""

    name: str
    name_en: str
    panel: Panel
    shapes: Sequence[str] = ()
    group: Sequence[str] = ()


EYE, BROW, MOUTH = Panel.EYE, Panel.EYEBROW, Panel.MOUTH


def _morphs(recipes: Sequence[Recipe], mesh: FlatMesh) -> tuple[Morph, ...]:
    order = {recipe.name: index for index, recipe in enumerate(recipes)}
    result: list[Morph] = []
    for recipe in recipes:
        if recipe.group:
            indices = np.array([order[name] for name in recipe.group], dtype=np.int32)
            result.append(
                GroupMorph(recipe.name, recipe.name_en, recipe.panel, indices, np.ones(len(indices), np.float32))
            )
            continue
        vertices = np.concatenate([mesh.shapes[shape][0] for shape in recipe.shapes])
        offsets = np.concatenate([mesh.shapes[shape][1] for shape in recipe.shapes])
        result.append(VertexMorph(recipe.name, recipe.name_en, recipe.panel, vertices, offsets.astype(np.float32)))
    return tuple(result)


def _materials(surfaces: Sequence[MaterialRecipe], mesh: FlatMesh) -> tuple[MmdMaterial, ...]:
    result = []
    for surface in surfaces:
        first, count = mesh.runs[surface.name_en]
        flags = MaterialFlag(0)
        if surface.double_sided:
            flags |= MaterialFlag.DOUBLE_SIDED
        if surface.edge is not None:
            flags |= (
                MaterialFlag.EDGE | MaterialFlag.GROUND_SHADOW | MaterialFlag.CASTS_SHADOW | MaterialFlag.TAKES_SHADOW
            )
        r, g, b = surface.edge or (0, 0, 0)
        result.append(
            MmdMaterial(
                surface.name,
                surface.name_en,
                diffuse=(1.0, 1.0, 1.0, 1.0),
                specular=(0.0, 0.0, 0.0),
                shininess=5.0,
                ambient=(0.5, 0.5, 0.5),
                flags=flags,
                edge_colour=(r / 255.0, g / 255.0, b / 255.0, 1.0),
                edge_size=surface.edge_size,
                texture=_TEXTURES.index(surface.texture),
                sphere=None,
                sphere_mode=SphereMode.OFF,
                toon=None,
                shared_toon=0,
                first_triangle=first,
                triangle_count=count,
                memo=COMMENT,
            )
        )
    return tuple(result)


def assembled(
    names: tuple[str, str],
    mesh: FlatMesh,
    surfaces: Sequence[MaterialRecipe],
    recipes: Sequence[Recipe],
    eye: tuple[float, float],
) -> Character:
    strongest = np.argsort(-mesh.weights, axis=1, kind="stable")[:, :4]
    weights = np.take_along_axis(mesh.weights, strongest, axis=1)
    weights /= weights.sum(axis=1, keepdims=True)
    return Character(
        format="PMX 2.0",
        name=names[0],
        name_en=names[1],
        comment=COMMENT,
        comment_en=COMMENT,
        positions=mesh.positions.astype(np.float32),
        normals=unit(mesh.normals).astype(np.float32),
        uvs=mesh.uvs.astype(np.float32),
        bone_indices=np.where(weights > 0.0, strongest, -1).astype(np.int32),
        bone_weights=weights.astype(np.float32),
        edge_scales=mesh.edges.astype(np.float32),
        triangles=mesh.triangles,
        textures=tuple(f"tex/{name}.png" for name in _TEXTURES),
        materials=_materials(surfaces, mesh),
        bones=rig.bones(eye),
        morphs=_morphs(recipes, mesh),
    )


def surfaces_of(skin_edge: Colour, hair_edge: Colour, clothes_edge: Colour) -> tuple[MaterialRecipe, ...]:
    """In the order of drawing: what shows through something else comes after it."""
    return (
        MaterialRecipe("首", "neck", "clothes", skin_edge),
        MaterialRecipe("顔", "face", "face", skin_edge),
        MaterialRecipe("口内", "mouth", "features"),
        MaterialRecipe("舌", "tongue", "features"),
        MaterialRecipe("歯", "teeth", "features"),
        MaterialRecipe("唇", "lips", "features"),
        MaterialRecipe("白目", "eye white", "features"),
        MaterialRecipe("瞳", "iris", "features"),
        MaterialRecipe("目影", "eye shade", "features"),
        MaterialRecipe("瞼", "lids", "face"),
        MaterialRecipe("二重", "lid folds", "features"),
        MaterialRecipe("まつ毛", "lashes", "features", double_sided=True),
        MaterialRecipe("服", "clothes", "clothes", clothes_edge),
        MaterialRecipe("飾り", "trim", "clothes", clothes_edge),
        MaterialRecipe("後髪内", "hair inside", "hair", double_sided=True),
        MaterialRecipe("髪", "hair", "hair", hair_edge),
        MaterialRecipe("眉", "brows", "features", double_sided=True),
    )


def add_face(
    mesh: Mesh, skull: Skull, eye: EyeShape, brow: BrowShape, mouth: Mouth, drops: Mapping[str, float]
) -> None:
    head = rig.fixed(rig.HEAD)
    mesh.add("face", skull.patch(drops), head)
    for name, patch in mouth.patches(skull).items():
        mesh.add({"inside": "mouth"}.get(name, name), patch, head)
    maker = Eye(skull, eye)
    mesh.add_pair("eye white", maker.white(), head)
    iris = maker.iris()
    mesh.add("iris", iris, rig.fixed(rig.LEFT_EYE), "left")
    # The lights in both eyes come from one side, so the right iris mirrors its form but not its picture.
    middle = paint.IRIS[0] + paint.IRIS[2]
    turned = replace(mirrored(iris), uvs=np.stack([middle - iris.uvs[:, 0], iris.uvs[:, 1]], -1))
    mesh.add("iris", turned, rig.fixed(rig.RIGHT_EYE), "right")
    mesh.add_pair("eye shade", maker.shade(), head)
    mesh.add_pair("lids", maker.skin(), head)
    mesh.add_pair("lid folds", maker.fold(), head)
    mesh.add_pair("lashes", maker.lashes(), head)
    mesh.add_pair("brows", face.brow(skull, brow), head)


def ear(skull: Skull) -> Patch:
    """The left ear, a flattened shell; hair hides most of it."""
    uv = skull.picture_uv(np.array([1.0, 14.9, 0.0]))
    t = np.linspace(0.0, 2.0 * np.pi, 20, endpoint=False)
    ring = np.stack([0.05 * np.cos(t), 0.34 * np.cos(t), 0.19 * np.sin(t) + 0.08 * np.cos(t)], -1)
    levels = np.array([0.75, 1.0, 1.0, 0.8, 0.5, 0.02])
    out = np.array([-0.15, 0.02, 0.07, 0.10, 0.09, 0.06])
    points = np.stack([np.array([1.33 + o, 14.98, 0.10]) + ring * s for s, o in zip(levels, out, strict=True)])
    uvs = np.broadcast_to(uv, (*points.shape[:2], 2))
    patch = sheet(points, uvs, wrap=True)
    return patch if patch.normals[:, 0].sum() > 0.0 else sheet(points, uvs, wrap=True, flip=True)


def both_sides(locks: Sequence[Lock]) -> list[Lock]:
    """The locks and their mirror images, whose strands come from other columns of the texture."""
    images = [
        replace(
            lock,
            azimuth=-lock.azimuth,
            turn=-lock.turn,
            fall=[(-x, y, z) for x, y, z in lock.fall],
            facing=None if lock.facing is None else (-lock.facing[0], *lock.facing[1:]),
            column=lock.column + 0.37,
        )
        for lock in locks
    ]
    return [*locks, *images]


def clothes_texture(
    neck: Sequence[tuple[float, Colour]],
    torso: Callable[[Array, Array], Array],
    trim: Callable[[Array, Array], Array],
    accent: Sequence[tuple[float, Colour]],
    sleeve: Sequence[tuple[float, Colour]],
    detail: Colour,
    lining: Colour,
    size: int = 1024,
) -> Image.Image:
    pixels = np.zeros((size, size, 3))
    fills: tuple[tuple[paint.Box, Callable[[Array, Array], Array]], ...] = (
        (body.NECK, lambda u, v: paint.gradient(neck, v)),
        (body.CHEST, lambda u, v: np.broadcast_to(np.array(neck[-1][1], dtype=np.float64), (*u.shape, 3))),
        (body.TORSO, torso),
        (body.TRIM, trim),
        (body.ACCENT, lambda u, v: paint.gradient(accent, v)),
        (body.SLEEVE, lambda u, v: paint.gradient(sleeve, v)),
        (body.DETAIL, lambda u, v: np.broadcast_to(np.array(detail, dtype=np.float64), (*u.shape, 3))),
        (body.LINING, lambda u, v: np.broadcast_to(np.array(lining, dtype=np.float64), (*u.shape, 3))),
    )
    for box, fill in fills:
        place, across, down = paint.places_in(box, size)
        pixels[place] = fill(across, down)
    return paint.picture(pixels)


SKULL = Skull(
    sections=(
        (13.70, 0.0, -1.10, -1.10, -1.10),
        (13.76, 0.26, -1.30, -0.92, -0.78),
        (13.92, 0.48, -1.38, -0.70, -0.30),
        (14.20, 0.81, -1.42, -0.38, 0.35),
        (14.60, 1.12, -1.45, -0.12, 0.95),
        (15.00, 1.32, -1.47, 0.02, 1.30),
        (15.45, 1.41, -1.48, 0.10, 1.50),
        (15.95, 1.43, -1.48, 0.12, 1.56),
        (16.45, 1.34, -1.36, 0.12, 1.48),
        (16.85, 1.10, -1.06, 0.12, 1.20),
        (17.12, 0.66, -0.58, 0.12, 0.76),
        (17.22, 0.0, 0.12, 0.12, 0.12),
    )
)

MOUTHS = {
    "rest": MouthShape(0.22, 0.0, 0.0, corner=0.05),
    "a": MouthShape(0.26, 0.07, 0.29, corner=0.02, teeth=0.17, tongue=0.42, squareness=2.3),
    "i": MouthShape(0.32, 0.04, 0.15, corner=0.05, teeth=0.72, squareness=2.6),
    "u": MouthShape(0.115, 0.06, 0.095, corner=0.0, tongue=0.25),
    "e": MouthShape(0.25, 0.05, 0.17, corner=0.02, teeth=0.25, tongue=0.38, squareness=2.8),
    "o": MouthShape(0.16, 0.10, 0.24, corner=0.0, tongue=0.33),
    "smirk": MouthShape(0.24, 0.0, 0.0, corner=0.05, lean=0.075),
    "triangle": MouthShape(0.17, 0.13, 0.0, corner=-0.06, tongue=0.3),
}
