"""Characters made by the tests: one with one of everything, small ones, and as VRM."""

import dataclasses
from functools import cache
from typing import Any

import numpy as np

from farm.models.description import (
    Bone,
    BoneFlag,
    BoneMorph,
    Character,
    Expression,
    GroupMorph,
    Inheritance,
    MaterialMorph,
    MaterialOffset,
    OtherMorph,
    UVMorph,
    VertexMorph,
)
from farm.models.gltf.glb_writer import GlbWriter
from farm.models.materials import (
    AlphaMode,
    GltfMaterial,
    MaterialFlag,
    MmdMaterial,
    MToon,
    OutlineMode,
    Shading,
    SphereMode,
    TextureUse,
)
from farm.models.vrm.writer import vrm_draft
from farm.morphs.panels import Panel
from farm.morphs.refs import MorphRef
from tests.support.characters import mascot


def material(name: str = "顔", *, triangles: int = 1, first: int = 0, texture: int | None = None) -> MmdMaterial:
    return MmdMaterial(
        name=name,
        name_en="face",
        diffuse=(0.5, 0.25, 0.75, 1.0),
        specular=(0.125, 0.5, 0.25),
        shininess=5.0,
        ambient=(0.5, 0.5, 0.25),
        flags=MaterialFlag.EDGE | MaterialFlag.DOUBLE_SIDED,
        edge_colour=(0.0, 0.25, 0.5, 1.0),
        edge_size=1.5,
        texture=texture,
        sphere=None,
        sphere_mode=SphereMode.OFF,
        toon=None,
        shared_toon=3,
        first_triangle=first,
        triangle_count=triangles,
        memo="メモ",
    )


def bone(name: str, parent: int | None = None, y: float = 10.0) -> Bone:
    flags = BoneFlag.ROTATABLE | BoneFlag.VISIBLE | BoneFlag.ENABLED
    return Bone(name, "", (0.0, y, 0.25), parent, 0, flags, None, (0.0, 1.0, 0.0))


def small_character(
    textures: tuple[str, ...] = (), bones: tuple[str, ...] = ("全ての親", "首", "頭"), vertices: int = 3
) -> Character:
    """A triangle with a bone chain and the morph まばたき."""
    places = np.arange(3 * vertices, dtype=np.float32).reshape(-1, 3)
    return Character(
        format="PMX 2.0",
        name="子",
        name_en="child",
        comment="",
        comment_en="",
        positions=places,
        normals=np.tile(np.array([0, 0, -1], np.float32), (vertices, 1)),
        uvs=np.zeros((vertices, 2), np.float32),
        bone_indices=np.tile(np.array([0, -1, -1, -1], np.int32), (vertices, 1)),
        bone_weights=np.tile(np.array([1, 0, 0, 0], np.float32), (vertices, 1)),
        edge_scales=np.ones(vertices, np.float32),
        triangles=np.array([[0, 1, 2]], np.int32),
        textures=textures,
        materials=(material(texture=0 if textures else None),),
        bones=tuple(bone(name, place - 1 if place else None) for place, name in enumerate(bones)),
        morphs=(
            VertexMorph("まばたき", "blink", Panel.EYE, np.array([1], np.int32), np.array([[0, -0.5, 0]], np.float32)),
        ),
    )


@cache
def names_twice() -> Character:
    """Nagi with five morphs: まばたき twice in one panel, first one that moves nothing, and 上 in two panels."""
    nagi = mascot("nagi")
    (brow,) = (morph for morph in nagi.morphs if morph.name == "上")
    (mouth,) = (morph for morph in nagi.morphs if morph.name == "う")
    (open_mouth,) = (morph for morph in nagi.morphs if morph.name == "あ")
    left, right = (morph for morph in nagi.morphs if morph.name in ("ウィンク２", "ｳｨﾝｸ２右"))
    assert isinstance(left, VertexMorph)
    assert isinstance(right, VertexMorph)
    assert isinstance(mouth, VertexMorph)
    blink = dataclasses.replace(
        left,
        name="まばたき",
        vertices=np.concatenate([left.vertices, right.vertices]),
        offsets=np.concatenate([left.offsets, right.offsets]),
    )
    still = dataclasses.replace(blink, vertices=blink.vertices[:0], offsets=blink.offsets[:0])
    pout = dataclasses.replace(mouth, name="上")
    return dataclasses.replace(nagi, morphs=(still, pout, blink, brow, open_mouth))


NAMES_TWICE = {
    "eye/closed/both": MorphRef(index=2, name="まばたき"),
    "eyebrow/raised/both": MorphRef(index=3, name="上"),
    "mouth/a": MorphRef(index=4, name="あ"),
}
"""What plays what among the morphs of `names_twice`."""
BARE_NAMES = "source_morph,panel,target\nまばたき,,eye/wide/both\n上,mouth,mouth/u\n"
"""A table that gives these names to other targets."""
BARE_NAMES_GIVE = {
    "eye/wide/both": MorphRef(index=2, name="まばたき"),
    "eyebrow/raised/both": MorphRef(index=3, name="上"),
    "mouth/a": MorphRef(index=4, name="あ"),
    "mouth/u": MorphRef(index=1, name="上"),
}
"""What that table makes of the morphs of `names_twice`."""


def full_character() -> Character:
    """A character with every kind of morph, material and bone record that the description knows."""
    base = small_character(textures=("tex\\顔.png", "sphere.spa", "toon.bmp"), vertices=5)
    tint = (1.0, 0.5, 0.25, 1.0)
    change = MaterialOffset(
        material=1,
        adds=True,
        diffuse=(0.125, 0.25, 0.375, 0.5),
        specular=(0.625, 0.75, 0.875),
        shininess=5.5,
        ambient=(1.125, 1.25, 1.375),
        edge_colour=(1.5, 1.625, 1.75, 1.875),
        edge_size=2.5,
        texture_tint=tint,
        sphere_tint=(0.0, 0.0, 0.0, 1.0),
        toon_tint=(1.0, 1.0, 1.0, 0.0),
    )
    own_toon = dataclasses.replace(
        material("髪", triangles=2, first=1, texture=0),
        sphere=1,
        sphere_mode=SphereMode.ADD,
        toon=2,
        shared_toon=None,
    )
    eye = dataclasses.replace(
        bone("両目", 2), flags=bone("").flags | BoneFlag.INHERIT_ROTATION, inheritance=Inheritance(2, 0.5)
    )
    tip = dataclasses.replace(
        bone("先", 3), flags=bone("").flags | BoneFlag.TAIL_IS_BONE, tail_bone=1, tail_offset=(0.0, 0.0, 0.0), layer=2
    )
    every_vertex = np.arange(5, dtype=np.int32)
    morphs = (
        *base.morphs,
        UVMorph("瞳", "", Panel.OTHER, 0, every_vertex, np.full((5, 4), 0.25, np.float32)),
        UVMorph("瞳2", "", Panel.OTHER, 3, every_vertex[:2], np.full((2, 4), -0.5, np.float32)),
        BoneMorph(
            "あご",
            "jaw",
            Panel.MOUTH,
            np.array([2], np.int32),
            np.array([[0, -1, 0]], np.float32),
            np.array([[0.5, 0, 0, 0.5]], np.float32),
        ),
        MaterialMorph("照れ", "", Panel.OTHER, (change, dataclasses.replace(change, material=None, adds=False))),
        GroupMorph("笑い", "", Panel.EYE, np.array([0, 1], np.int32), np.array([1, 0.5], np.float32)),
        GroupMorph("替え", "", Panel.OTHER, np.array([0, 3], np.int32), np.array([1, 1], np.float32), flip=True),
        OtherMorph("衝撃", "", Panel.SYSTEM),
    )
    return dataclasses.replace(
        base,
        comment="一行目\r\n二行目",
        comment_en="two lines",
        triangles=np.array([[0, 1, 2], [2, 3, 4], [0, 2, 4]], np.int32),
        materials=(base.materials[0], own_toon),
        bones=(*base.bones, eye, tip),
        morphs=morphs,
    )


def differences(one: Any, other: Any, at: str = "") -> list[str]:
    """The paths at which two descriptions differ, arrays compared value by value and by type."""
    if type(one) is not type(other):
        return [f"{at}: {type(one).__name__} is not {type(other).__name__}"]
    if isinstance(one, np.ndarray):
        same = one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
        return [] if same else [f"{at}: {one.dtype}{one.shape} {one.tolist()} is not {other.dtype} {other.tolist()}"]
    if dataclasses.is_dataclass(one):
        names = [field.name for field in dataclasses.fields(one)]
        return [line for n in names for line in differences(getattr(one, n), getattr(other, n), f"{at}.{n}")]
    if isinstance(one, tuple):
        if len(one) != len(other):
            return [f"{at}: {len(one)} entries, not {len(other)}"]
        pairs = zip(one, other, strict=True)
        return [line for i, (a, b) in enumerate(pairs) for line in differences(a, b, f"{at}[{i}]")]
    return [] if one == other else [f"{at}: {one!r} is not {other!r}"]


def assert_sound(character: Character) -> None:
    """What every reader promises, however odd the file: finite numbers, and indices that exist."""
    count = len(character.positions)
    for array in (character.positions, character.normals, character.uvs, character.bone_weights, character.edge_scales):
        assert np.isfinite(array).all()
        assert len(array) == count
    assert character.triangles.size == 0 or 0 <= character.triangles.min() <= character.triangles.max() < count
    held = character.bone_indices
    assert held.size == 0 or -1 <= held.min() <= held.max() < len(character.bones)
    assert sum(entry.triangle_count for entry in character.materials) <= len(character.triangles)
    for optional in (character.more_uvs, character.colours, character.bound):
        assert optional is None or (np.isfinite(optional).all() and count in optional.shape[:2])
    for gltf in (entry for entry in character.materials if isinstance(entry, GltfMaterial)):
        assert gltf.texture is None or gltf.texture in character.embedded
        assert np.isfinite([*gltf.colour, *gltf.emission_colour, gltf.cutoff]).all()
    for entry in character.mmd_materials:
        assert all(i is None or 0 <= i < len(character.textures) for i in (entry.texture, entry.sphere, entry.toon))
        assert entry.shared_toon is None or 0 <= entry.shared_toon <= 9
        assert np.isfinite([*entry.diffuse, *entry.specular, *entry.ambient, entry.shininess, entry.edge_size]).all()
    for target in character.targets:
        assert len(target.vertices) == len(target.offsets) > 0
        assert np.isfinite(target.offsets).all()
        assert 0 <= target.vertices.min() <= target.vertices.max() < count
    assert all(0 <= bone < len(character.bones) for bone in character.humanoid.values())
    for joint in character.bones:
        assert np.isfinite([*joint.position, *joint.tail_offset]).all()
        assert all(i is None or 0 <= i < len(character.bones) for i in (joint.parent, joint.tail_bone))
    for morph in character.morphs:
        match morph:
            case Expression():
                assert all(0 <= place < len(character.targets) and 0 < share <= 1 for place, share in morph.targets)
                assert all(0 <= bind.material < len(character.materials) for bind in morph.colours)
                assert all(0 <= bind.material < len(character.materials) for bind in morph.transforms)
            case VertexMorph() | UVMorph():
                assert len(morph.vertices) == len(morph.offsets)
                assert np.isfinite(morph.offsets).all()
                assert morph.vertices.size == 0 or 0 <= morph.vertices.min() <= morph.vertices.max() < count
            case GroupMorph():
                assert np.isfinite(morph.weights).all()
                assert morph.morphs.size == 0 or 0 <= morph.morphs.min() <= morph.morphs.max() < len(character.morphs)
            case BoneMorph():
                assert np.isfinite(morph.translations).all()
                assert np.isfinite(morph.rotations).all()
                assert morph.bones.size == 0 or 0 <= morph.bones.min() <= morph.bones.max() < len(character.bones)


PICTURE = b"\x89PNG\r\n\x1a\n" + bytes(40)
"""What stands in a file as a picture; readers do not look into it."""


def toon(name: str = "顔", *, first: int = 0, triangles: int = 1, texture: int | None = 0) -> GltfMaterial:
    """A material of MToon in which no number is what it would be without being said."""
    use = TextureUse(texture, scale=(0.5, 0.25), offset=(0.125, 0.5)) if texture is not None else None
    return GltfMaterial(
        name=name,
        shading=Shading.MTOON,
        colour=(0.25, 0.5, 0.75, 0.5),
        base=use,
        emission_colour=(0.125, 0.25, 0.5),
        emission=use,
        alpha_mode=AlphaMode.MASK,
        cutoff=0.25,
        double_sided=True,
        queue=2450,
        writes_depth=True,
        first_triangle=first,
        triangle_count=triangles,
        mtoon=MToon(
            shade_colour=(0.5, 0.25, 0.125),
            shade=use,
            shift=-0.125,
            toony=0.75,
            rim_colour=(0.0625, 0.125, 0.25),
            rim=use,
            rim_power=3.0,
            rim_lift=0.5,
            matcap=TextureUse(texture) if texture is not None else None,
            outline_mode=OutlineMode.WORLD,
            outline_width=0.005,
            outline_width_map=use,
            outline_colour=(0.5, 0.0625, 0.125),
            outline_mix=0.25,
        ),
        normal=use,
        normal_scale=0.5,
    )


def vrm_character() -> Character:
    """A square of two materials, the bones 全ての親, 首, 頭, and the morphs まばたき, あ (nothing), 照れ."""
    base = small_character(textures=("face.png",), vertices=4)
    hair = dataclasses.replace(
        toon("髪", first=1), shading=Shading.UNLIT, mtoon=None, base=None, emission=None, emission_colour=(0.0,) * 3
    )
    return dataclasses.replace(
        base,
        comment="誰か",
        positions=np.array([[0, 10, 0], [0, 11, 0], [1, 10, 0], [1, 11, 0]], np.float32),
        uvs=np.array([[0, 1], [0, 0], [1, 1], [1, 0]], np.float32),
        triangles=np.array([[0, 1, 2], [2, 1, 3]], np.int32),
        bone_indices=np.tile(np.array([1, 2, -1, -1], np.int32), (4, 1)),
        bone_weights=np.tile(np.array([0.25, 0.75, 0, 0], np.float32), (4, 1)),
        materials=(toon(), hair),
        morphs=(
            VertexMorph(
                "まばたき",
                "blink",
                Panel.EYE,
                np.array([1, 3], np.int32),
                np.array([[0, -0.5, 0], [0, -0.25, 0]], np.float32),
            ),
            VertexMorph("あ", "a", Panel.MOUTH, np.array([], np.int32), np.zeros((0, 3), np.float32)),
            VertexMorph("照れ", "shy", Panel.OTHER, np.array([0], np.int32), np.array([[0, 0, -1]], np.float32)),
        ),
        embedded={0: PICTURE},
    )


def vrm(version: str = "1.0") -> GlbWriter:
    """A VRM of `vrm_character` whose JSON can be changed before `to_bytes`."""
    return vrm_draft(vrm_character(), version)
