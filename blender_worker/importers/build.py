"""Builds an actor from a character, whatever its format.

`rig` says what can move, `morphs` takes source morphs apart, `mmd_surfaces` and `gltf_surfaces` know how their formats'
materials are drawn.
"""

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from blender_worker.camera import HEAD_SHARE
from blender_worker.character.actor import Actor, BoneInfo, Run, Vertices
from blender_worker.character.surface import Surface
from blender_worker.importers import gltf_surfaces, mmd_surfaces
from blender_worker.importers.decoding import TextureDecoder
from blender_worker.importers.directions import completed, inside_out
from blender_worker.importers.hulls import hulled
from blender_worker.importers.morphs import take_apart
from blender_worker.importers.outlines import add_outlines
from blender_worker.importers.solids import with_solids
from blender_worker.importers.tangents import tangents
from farm.bodies.limbs import Limbs, turns_limbs
from farm.models.corners import corners_of
from farm.models.description import Character
from farm.models.materials import GltfMaterial, Material, MaterialFlag, MmdMaterial
from farm.models.posing.armature import Armature
from farm.models.posing.halving import Halving
from farm.models.posing.head import head_height
from farm.models.posing.morphs import BoneEffect
from farm.models.posing.movements import Movements
from farm.models.skeleton import turning_bones
from farm.morphs.vocabulary import Side
from farm.motion.bones import carriers_of, humanoid_joints
from farm.spaces.limbs import RestPose
from farm.spaces.space import BoneMove


def build(
    character: Character,
    textures: Mapping[int, bytes],
    wanted: Sequence[int],
    halves: Mapping[int, tuple[int, Side]] | None = None,
    movements: Mapping[int, Sequence[BoneMove]] | None = None,
    stirred: Collection[int] = (),
    rest: RestPose = RestPose.FILE,
) -> Actor:
    """The actor of `character`.

    `textures` maps texture indices to the bytes of files beside the model; `wanted` are the indices of the source morphs
    that will be used, `halves` the numbers of those that are a half of one of them, `movements` the numbers of what bones do;
    `stirred` are bones that move by themselves, `rest` is how the character stands.
    What could not be honoured is in the actor's warnings. Raises NoNeckBoneError.
    """
    neck, head, _ = turning_bones(character)
    world = np.array(character.axes.to_world, np.float32)
    positions, normals = character.positions @ world.T, character.normals @ world.T
    warnings: list[str] = []
    armature = Armature(character, neck, world)
    uvs, second_uvs = _uvs(character), _second_uvs(character, warnings)
    morphs = take_apart(character, wanted, world, (uvs, second_uvs), warnings)
    height = head_height(character, armature, neck, head, positions)
    limbs = Limbs(character, rest)
    if movements:
        mover = Movements(character, armature, neck, head, height, positions)
        morphs |= {
            number: (limbs if turns_limbs(bones) else mover).movement(bones) for number, bones in movements.items()
        }
    moved = {effect.bone for morph in morphs.values() for effect in morph.every() if isinstance(effect, BoneEffect)}
    skeleton, skin = armature.bind(moved | {*stirred} | limbs.stance.keys(), positions)
    if halves:
        places = {bone: armature.place_of(bone) for bone in moved}
        halving = Halving(positions, armature.place_of(neck)[0], height, places)
        morphs |= {number: halving.half(morphs[index], side) for number, (index, side) in halves.items()}
    pictures = TextureDecoder(character, textures, warnings)
    bones = [
        BoneInfo(bone.name, -1 if bone.parent is None else bone.parent, armature.place_of(index), role)
        for index, (bone, role) in enumerate(zip(character.bones, armature.roles(head), strict=True))
    ]
    mirrored = bool(np.linalg.det(world) < 0)
    runs = [
        Run(index, _triangles(character, material, positions, normals, mirrored))
        for index, material in enumerate(character.materials)
        if material.triangle_count
    ]
    surfaces = _surfaces(character, pictures, height / HEAD_SHARE * character.axes.metres)
    from_bottom = _from_the_bottom(uvs)
    lined = add_outlines(surfaces, runs, positions, from_bottom, height)
    drawn = np.concatenate([np.zeros((0, 3), np.int32), *(run.triangles for run in runs)])
    normals = completed(normals, positions, drawn)
    runs, hulls = hulled(runs, surfaces, positions, normals, lined)
    colours = mmd_surfaces.colours(character) if character.mmd_materials else gltf_surfaces.colours(character)
    second_from_bottom = _from_the_bottom(second_uvs) if second_uvs is not None else None
    return Actor(
        vertices=Vertices(
            positions=positions,
            normals=normals,
            uvs=from_bottom,
            turns=armature.turns,
            outlines=character.edge_scales * gltf_surfaces.outline_widths(character, pictures),
            hulls=hulls,
            bones=armature.owners,
            second_uvs=second_from_bottom,
            colours=colours,
            tangents=_tangents(surfaces, runs, (positions, normals), (from_bottom, second_from_bottom)),
        ),
        surfaces=surfaces,
        runs=with_solids(runs, character.materials, surfaces, from_bottom, colours),
        morphs=morphs,
        skeleton=skeleton,
        skin=skin,
        neck_position=armature.place_of(neck),
        head_height=height,
        metres_per_unit=character.axes.metres,
        bones=bones,
        warnings=warnings,
        movements=frozenset(movements or ()),
        stance=limbs.stance,
        joints=humanoid_joints(character),
        carriers=carriers_of(character),
    )


def _surfaces(character: Character, pictures: TextureDecoder, frame: float) -> list[Surface]:
    """The surfaces; `frame` is the picture's height in metres."""
    tinted = gltf_surfaces.tinted(character)
    return [
        gltf_surfaces.surface_of(character, material, tinted.get(number, set()), pictures, frame)
        if isinstance(material, GltfMaterial)
        else mmd_surfaces.surface_of(character, material, pictures)
        for number, material in enumerate(character.materials)
    ]


def _tangents(
    surfaces: Sequence[Surface],
    runs: Sequence[Run],
    bodies: tuple[NDArray[np.float32], NDArray[np.float32]],
    uvs: tuple[NDArray[np.float32], NDArray[np.float32] | None],
) -> NDArray[np.float32] | None:
    """(n, 4) as `Vertices.tangents`; `bodies` are positions and normals, `uvs` the first and second coordinates."""
    found = None
    for run in runs:
        detail = surfaces[run.surface].detail
        if detail is not None and detail.normal is not None:
            places = uvs[1] if detail.normal.second and uvs[1] is not None else uvs[0]
            vertices = corners_of(run.triangles)
            found = np.zeros((len(places), 4), np.float32) if found is None else found
            found[vertices] = tangents(*bodies, places, run.triangles)[vertices]
    return found


def _from_the_bottom(uvs: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.ascontiguousarray(uvs * np.array([1, -1], np.float32) + np.array([0, 1], np.float32))


def _uvs(character: Character) -> NDArray[np.float32]:
    """(n, 2) the coordinates at which each vertex' base texture is looked up at rest, v from the top."""
    uvs = character.uvs.copy()
    for material in character.materials:
        if isinstance(material, GltfMaterial) and (places := gltf_surfaces.placements(material)):
            vertices = gltf_surfaces.vertices_of(character, material)
            uvs[vertices] = gltf_surfaces.looked_up(character, places[0], vertices)
    return uvs


def _second_uvs(character: Character, warnings: list[str]) -> NDArray[np.float32] | None:
    """(n, 2) where maps are looked up that the base's coordinates do not fit, v from the top; None without such a map."""
    if any(mmd_surfaces.has_sub_texture(character, material) for material in character.mmd_materials):
        assert character.more_uvs is not None
        return character.more_uvs[0, :, :2].copy()
    uvs = None
    for material in character.materials:
        places = gltf_surfaces.placements(material) if isinstance(material, GltfMaterial) else []
        if isinstance(material, GltfMaterial) and len(places) > 1:
            uvs = np.zeros_like(character.uvs) if uvs is None else uvs
            vertices = gltf_surfaces.vertices_of(character, material)
            uvs[vertices] = gltf_surfaces.looked_up(character, places[1], vertices)
        if len(places) > 2:
            warnings.append(
                f"Material '{material.name}' places its textures in more than two ways; the others lie as its base does."
            )
    return uvs


def _triangles(
    character: Character,
    material: Material,
    positions: NDArray[np.float32],
    normals: NDArray[np.float32],
    mirrored: bool,
) -> NDArray[np.int32]:
    """A material's triangles, turned over where the axes change hands or the file's are left-handed (`mirrored`).

    So are those that MikuMikuDance shows from both sides, lit by their normals whichever it is, and that face against them.
    """
    triangles = character.triangles_of(material)
    if mirrored:
        triangles = triangles[:, ::-1]
    shown_twice = isinstance(material, MmdMaterial) and MaterialFlag.DOUBLE_SIDED in material.flags
    if shown_twice and inside_out(triangles, positions, normals):
        triangles = triangles[:, ::-1]
    return np.ascontiguousarray(triangles)
