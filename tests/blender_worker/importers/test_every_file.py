"""Every morph type, weight type, index size and encoding: made by the project's own writers,
posed as a worker poses it, checked against formulas of the formats."""

import itertools
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.models.description import (
    Bone,
    BoneFlag,
    BoneMorph,
    Character,
    GroupMorph,
    Inheritance,
    MaterialMorph,
    MaterialOffset,
    UVMorph,
    VertexMorph,
)
from farm.models.materials import MaterialFlag
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx_writer import Layout, pmx_bytes
from farm.morphs.panels import Panel
from farm.poses import rotation_matrix
from tests.blender_worker.importers.evaluation import Asked, evaluate
from tests.farm.models.made_files import material

COUNT = 60
TURN = (11.0, -17.0, 6.0)
NECK_AT = np.array([0.25, 10.0, -0.5])
EYE_AT = np.array([0.5, 12.0, -1.0])
HAIR_AT = np.array([0.0, 13.0, 1.0])
BODY, NECK, HEAD, EYE, FOLLOWER, HAIR = range(6)


def bone(name: str, at: np.ndarray, parent: int | None, follows: Inheritance | None = None) -> Bone:
    flags = BoneFlag.ROTATABLE | BoneFlag.ENABLED | (BoneFlag.INHERIT_ROTATION if follows else BoneFlag(0))
    x, y, z = at.tolist()
    return Bone(name, "", (x, y, z), parent, 0, flags, None, (0.0, 1.0, 0.0), follows)


def character() -> Character:
    """Sixty vertices in a cloud, weighted over six bones, and a morph of every kind."""
    random = np.random.default_rng(5)
    first, second = random.integers(0, 6, COUNT), random.integers(0, 6, COUNT)
    share = np.round(random.random(COUNT), 2).astype(np.float32)
    indices = np.full((COUNT, 4), -1, np.int32)
    indices[:, 0], indices[:, 1] = first, second
    weights = np.zeros((COUNT, 4), np.float32)
    weights[:, 0], weights[:, 1] = share, 1 - share
    some = np.array([3, 7, 20, 59], np.int32)
    half_turn = np.array([0.0, 0.0, np.sin(0.4), np.cos(0.4)], np.float32)
    grey = (0.5, 0.5, 0.5, 0.5)
    change = MaterialOffset(
        material=0, adds=False, diffuse=grey, specular=(1, 1, 1), shininess=1, ambient=(0.5, 0.5, 0.5),
        edge_colour=grey, edge_size=0.5, texture_tint=(1, 1, 1, 1), sphere_tint=(1, 1, 1, 1), toon_tint=(1, 1, 1, 1),
    )  # fmt: skip
    return Character(
        format="PMX 2.0",
        name="雲",
        name_en="cloud",
        comment="",
        comment_en="",
        positions=(random.random((COUNT, 3)) * [4, 6, 4] + [-2, 8, -2]).astype(np.float32),
        normals=np.tile(np.array([0, 0, -1], np.float32), (COUNT, 1)),
        uvs=random.random((COUNT, 2)).astype(np.float32),
        bone_indices=indices,
        bone_weights=weights,
        edge_scales=np.ones(COUNT, np.float32),
        triangles=np.arange(COUNT, dtype=np.int32).reshape(-1, 3),
        textures=(),
        materials=(replace(material(triangles=COUNT // 3), flags=MaterialFlag.EDGE | MaterialFlag.DOUBLE_SIDED),),
        bones=(
            bone("上半身", np.array([0.0, 8.0, 0.0]), None),
            bone("首", NECK_AT, BODY),
            bone("頭", np.array([0.0, 11.5, 0.0]), NECK),
            bone("左目", EYE_AT, HEAD),
            bone("右目", EYE_AT * [-1, 1, 1], HEAD, Inheritance(EYE, -0.5)),
            bone("髪", HAIR_AT, HEAD),
        ),
        morphs=(
            VertexMorph("頂点", "", Panel.EYE, some, random.random((4, 3)).astype(np.float32)),
            VertexMorph("頂点2", "", Panel.EYE, some[:2], random.random((2, 3)).astype(np.float32)),
            GroupMorph("組", "", Panel.EYE, np.array([0, 1], np.int32), np.array([0.5, -0.25], np.float32)),
            GroupMorph("組の組", "", Panel.EYE, np.array([2, 0, 3], np.int32), np.array([2.0, 0.5, 1.0], np.float32)),
            BoneMorph(
                "骨", "", Panel.EYE, np.array([EYE], np.int32), np.array([[0.1, 0.2, 0.3]], np.float32), half_turn[None]
            ),
            UVMorph("紋", "", Panel.OTHER, 0, some, np.full((4, 4), 0.25, np.float32)),
            MaterialMorph("色", "", Panel.OTHER, (change,)),
            MaterialMorph("色足", "", Panel.OTHER, (replace(change, adds=True),)),
            GroupMorph(
                "替え", "", Panel.OTHER, np.array([0, 1], np.int32), np.array([1.0, 0.5], np.float32), flip=True
            ),
        ),
    )


def to_blender(points: np.ndarray) -> np.ndarray:
    return points[:, [0, 2, 1]].astype(np.float64)


type World = list[tuple[np.ndarray, np.ndarray]]
"""The bones' transforms: x becomes turn @ x + move."""


def skinned(
    made: Character, offsets: np.ndarray, eye_weight: float, turn: tuple[float, float, float], dual: bool = False
) -> np.ndarray:
    """Positions by numpy over the bones' transforms, in the file's own axes: the linear blend, or by dual quaternions."""
    swap = np.array([[1, 0, 0], [0, 0, 1], [0, 1, 0]], np.float64)
    heads = np.array([b.position for b in made.bones])
    local_turn, local_move = [np.eye(3) for _ in made.bones], np.zeros((6, 3))
    local_turn[NECK] = swap @ rotation_matrix(turn) @ swap

    def about_z(angle: float) -> np.ndarray:
        return np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])

    local_turn[EYE], local_move[EYE] = about_z(0.8 * eye_weight), np.array([0.1, 0.2, 0.3]) * eye_weight
    local_turn[FOLLOWER] = about_z(-0.4 * eye_weight)
    world: World = []
    for index, joint in enumerate(made.bones):
        parent_turn, parent_move = world[joint.parent] if joint.parent is not None else (np.eye(3), np.zeros(3))
        head = heads[index]
        # x -> parent(turn (x - head) + head + move)
        move = head + local_move[index] - local_turn[index] @ head
        world.append((parent_turn @ local_turn[index], parent_turn @ move + parent_move))
    rest = made.positions + offsets
    if dual:
        return to_blender(np.array([rigid(world, made, vertex) @ (*rest[vertex], 1) for vertex in range(COUNT)]))
    result = np.zeros((COUNT, 3))
    for slot in range(4):
        for index, (turned, moved) in enumerate(world):
            share = np.where(made.bone_indices[:, slot] == index, made.bone_weights[:, slot], 0)[:, None]
            result += share * (rest @ turned.T + moved)
    return to_blender(result)


def rigid(world: World, made: Character, vertex: int) -> np.ndarray:
    """(3, 4) the rigid movement of which the quaternions w, x, y, z are the means of the bones', where all turn little."""
    real, moved = np.zeros(4), np.zeros(4)
    for bone, share in zip(made.bone_indices[vertex], made.bone_weights[vertex], strict=True):
        turned, move = world[bone]
        w = np.sqrt(1 + np.trace(turned)) / 2
        skew = turned - turned.T
        q = np.array([w, *(np.array([skew[2, 1], skew[0, 2], skew[1, 0]]) / (4 * w))])
        real += share * q
        moved += share * product(np.array([0, *move]) / 2, q)
    q = real / np.linalg.norm(real)
    back = q * (1, -1, -1, -1)
    move = 2 * product(moved / np.linalg.norm(real), back)[1:]
    axes = [product(product(q, np.array([0, *axis])), back)[1:] for axis in np.eye(3)]
    return np.column_stack([*axes, move])


def product(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Of quaternions w, x, y, z."""
    return np.array([a[0] * b[0] - a[1:] @ b[1:], *(a[0] * b[1:] + b[0] * a[1:] + np.cross(a[1:], b[1:]))])


def offsets_of(made: Character, **weights: float) -> np.ndarray:
    total = np.zeros((COUNT, 3))
    for name, weight in weights.items():
        morph = next(m for m in made.morphs if m.name == name)
        assert isinstance(morph, VertexMorph)
        np.add.at(total, morph.vertices, morph.offsets * weight)
    return total


def single_bone(made: Character) -> Character:
    """What BDEF1 can hold."""
    indices, weights = made.bone_indices.copy(), np.zeros_like(made.bone_weights)
    indices[:, 1:] = -1
    weights[:, 0] = 1
    return replace(made, bone_indices=indices, bone_weights=weights)


def test_every_weight_type_index_size_and_encoding_stands_the_same(tmp_path: Path) -> None:
    made = character()
    asked = Asked({"頂点": 0.5, "骨": 1.0}, TURN)
    layouts = [
        Layout(encoding=encoding, vertex_index=size, bone_index=size, morph_index=size, material_index=size,
               texture_index=size, additional_uvs=extra, deform=deform, version=2.1 if deform == 4 else 2.0)
        for (encoding, size), (deform, extra) in zip(
            itertools.cycle(itertools.product(("utf-16-le", "utf-8"), (1, 2, 4))),
            [(0, 0), (1, 1), (2, 2), (3, 3), (4, 4), (1, 0), (2, 4), (3, 0)],
        )
    ]  # fmt: skip
    files = []
    for number, layout in enumerate(layouts):
        content = single_bone(made) if layout.deform == 0 else made
        if layout.version == 2.0:
            content = replace(content, morphs=tuple(m for m in content.morphs if not getattr(m, "flip", False)))
        path = tmp_path / f"{number}.pmx"
        path.write_bytes(pmx_bytes(content, layout))
        files.append((path, [asked]))

    found = [evaluate(*file) for file in files]

    for layout, evaluated in zip(layouts, found, strict=True):
        content = single_bone(made) if layout.deform == 0 else made
        expected = skinned(content, offsets_of(made, 頂点=0.5), 1.0, TURN, dual=layout.deform == 4)
        np.testing.assert_allclose(evaluated.positions[0], expected, atol=1e-5, err_msg=str(layout))


def test_every_morph_does_what_numpy_says(tmp_path: Path) -> None:
    made = character()
    path = tmp_path / "cloud.pmx"
    path.write_bytes(pmx_bytes(made, Layout(version=2.1)))
    asked = [
        Asked({}),
        Asked({"頂点": 0.3, "頂点2": 0.9}),
        Asked({"組": 0.8}),
        Asked({"組の組": 0.5}),
        Asked({"骨": 0.5}, TURN),
        Asked({"紋": 0.5}),
        Asked({"色": 1.0}),
        Asked({"色足": 0.5, "色": 0.5}),
        Asked({"替え": 0.2}),
        Asked({"替え": 0.5}),
        Asked({"替え": 0.9}),
    ]

    found = evaluate(path, asked)

    def check(number: int, offsets: np.ndarray, eye: float = 0.0, turn: tuple[float, float, float] = (0, 0, 0)) -> None:
        expected = skinned(made, offsets, eye, turn)
        np.testing.assert_allclose(found.positions[number], expected, atol=1e-5, err_msg=str(asked[number]))

    none = np.zeros((COUNT, 3))
    check(0, none)
    check(1, offsets_of(made, 頂点=0.3, 頂点2=0.9))
    check(2, offsets_of(made, 頂点=0.4, 頂点2=-0.2))
    # 組の組: twice 組, half 頂点, and itself, which is cut off
    check(3, 0.5 * (2.0 * offsets_of(made, 頂点=0.5, 頂点2=-0.25) + offsets_of(made, 頂点=0.5)))
    check(4, none, eye=0.5, turn=TURN)
    check(5, none)
    # A flip of two: nothing below a third, the first up to two thirds, then the second at its own weight.
    check(8, none)
    check(9, offsets_of(made, 頂点=1.0))
    check(10, offsets_of(made, 頂点2=0.5))

    moved = np.zeros((COUNT, 2))
    moved[[3, 7, 20, 59]] = [0.125, -0.125]  # v counts from the top in the file
    np.testing.assert_allclose(found.uvs[5] - found.uvs[0], moved, atol=1e-6)

    diffuse, ambient = np.array([0.5, 0.25, 0.75]), np.array([0.5, 0.5, 0.25])

    def linear(srgb: np.ndarray) -> np.ndarray:
        return np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)

    def shown(times: float, plus: float) -> np.ndarray:
        return linear(np.clip((diffuse * times + plus) * 0.6 + ambient * times + plus, 0, 1))

    np.testing.assert_allclose(found.colours[0][0], [*shown(1, 0), 1.0], atol=1e-5)
    np.testing.assert_allclose(found.colours[6][0], [*shown(0.5, 0), 0.5], atol=1e-5)
    np.testing.assert_allclose(found.colours[7][0][:3], shown(0.75, 0.25), atol=1e-5)
    assert found.outlines[6][0][4] == pytest.approx(0.75)


def test_a_pmd_stands_and_morphs_like_the_pmx_it_was_made_from(tmp_path: Path) -> None:
    made = character()
    made = replace(made, morphs=made.morphs[:2])
    path = tmp_path / "cloud.pmd"
    path.write_bytes(pmd_bytes(made))

    found = evaluate(path, [Asked({}), Asked({"頂点": 0.5, "頂点2": 1.0}, TURN)])

    np.testing.assert_allclose(found.positions[0], to_blender(made.positions), atol=1e-5)
    expected = skinned(made, offsets_of(made, 頂点=0.5, 頂点2=1.0), 0.0, TURN)
    np.testing.assert_allclose(found.positions[1], expected, atol=1e-5)
