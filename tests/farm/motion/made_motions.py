"""Motions made by the tests, and small bodies to play them on."""

import dataclasses
from collections.abc import Sequence
from random import Random

import numpy as np

from farm.models.description import Bone, BoneFlag, Character, Inheritance, VertexMorph
from farm.models.posing.turns import after, matrix_of
from farm.models.vrm.reader import read_vrm
from farm.morphs.panels import Panel
from farm.motion.description import Motion
from farm.motion.vmd_writer import BoneKey, Curve, MorphKey, vmd_bytes
from farm.motion.vrma_writer import BodyNode, ExpressionCurve, vrma_bytes
from farm.motion.vrma_writer import Curve as Moved
from tests.farm.models import made_files as made

_KINDS = ("LINEAR", "LINEAR", "STEP", "CUBICSPLINE")
_LENGTH = 60
"""Of a motion for a model, in frames of a VMD."""

type Turn = tuple[float, float, float, float]

A_POSE = {"左": 35.0, "右": 35.0}
"""Degrees below the level at which the arms of `body` hang."""
_SHOWN = BoneFlag.ROTATABLE | BoneFlag.VISIBLE | BoneFlag.ENABLED


def turn(axis: tuple[float, float, float], degrees: float) -> Turn:
    """The rotation about an axis of length 1."""
    half = np.radians(degrees) / 2
    x, y, z = (np.array(axis) * np.sin(half)).tolist()
    return x, y, z, float(np.cos(half))


def random_turn(dice: Random, most: float = 80.0) -> Turn:
    """Any axis, any angle up to `most` degrees."""
    axis = np.array([dice.gauss(0, 1) for _ in range(3)])
    x, y, z = (axis / np.linalg.norm(axis)).tolist()
    return turn((x, y, z), dice.uniform(-most, most))


def random_curve(dice: Random) -> Curve:
    """Any curve that a VMD can have."""
    return dice.randrange(128), dice.randrange(128), dice.randrange(128), dice.randrange(128)


def body_bones() -> tuple[Bone, ...]:
    """A body in MikuMikuDance's names and in an A-pose, with 付与 to the legs and the eyes, and a twist."""
    places: dict[str, tuple[str | None, tuple[float, float, float]]] = {
        "全ての親": (None, (0.0, 0.0, 0.0)),
        "センター": ("全ての親", (0.0, 8.0, 0.0)),
        "グルーブ": ("センター", (0.0, 8.2, 0.0)),
        "腰": ("グルーブ", (0.0, 12.0, 0.2)),
        "上半身": ("腰", (0.0, 12.8, -0.3)),
        "上半身2": ("上半身", (0.0, 14.0, -0.2)),
        "首": ("上半身2", (0.0, 16.5, 0.0)),
        "頭": ("首", (0.0, 17.2, 0.0)),
        "両目": ("頭", (0.0, 21.0, 0.0)),
        "下半身": ("腰", (0.0, 12.8, -0.3)),
    }
    for side, sign in (("左", 1.0), ("右", -1.0)):
        angle = np.radians(A_POSE[side])
        along = np.array([sign * np.cos(angle), -np.sin(angle), 0.0])
        shoulder = np.array([sign * 1.2, 15.8, 0.0])
        elbow, wrist, finger = (shoulder + along * way for way in (2.6, 5.0, 5.8))
        places |= {
            f"{side}肩": ("上半身2", (sign * 0.3, 16.0, 0.0)),
            f"{side}腕": (f"{side}肩", tuple(shoulder.tolist())),
            f"{side}腕捩": (f"{side}腕", tuple((shoulder + along * 1.3).tolist())),
            f"{side}ひじ": (f"{side}腕捩", tuple(elbow.tolist())),
            f"{side}手首": (f"{side}ひじ", tuple(wrist.tolist())),
            f"{side}中指１": (f"{side}手首", tuple(finger.tolist())),
            f"{side}足": ("下半身", (sign * 0.9, 11.2, 0.0)),
            f"{side}ひざ": (f"{side}足", (sign * 0.9, 6.2, 0.1)),
            f"{side}足首": (f"{side}ひざ", (sign * 0.9, 1.3, 0.5)),
            f"{side}足D": ("下半身", (sign * 0.9, 11.2, 0.0)),
            f"{side}ひざD": (f"{side}足D", (sign * 0.9, 6.2, 0.1)),
            f"{side}足首D": (f"{side}ひざD", (sign * 0.9, 1.3, 0.5)),
            f"{side}目": ("頭", (sign * 0.4, 18.2, -0.6)),
        }
    names = list(places)
    leaders = {f"{side}{leg}D": (f"{side}{leg}", 1.0) for side in "左右" for leg in ("足", "ひざ", "足首")}
    leaders |= {f"{side}目": ("両目", 0.4) for side in "左右"} | {"右腕捩": ("左腕捩", -0.5)}
    found = []
    for name, (parent, place) in places.items():
        follows = leaders.get(name)
        found.append(
            Bone(
                name=name,
                name_en="",
                position=place,
                parent=names.index(parent) if parent is not None else None,
                layer=1 if name.endswith("D") else 0,
                flags=_SHOWN | BoneFlag.MOVABLE | (BoneFlag.INHERIT_ROTATION if follows else BoneFlag(0)),
                tail_offset=(0.0, 1.0, 0.0),
                inheritance=Inheritance(names.index(follows[0]), follows[1]) if follows else None,
            )
        )
    return tuple(found)


def body() -> Character:
    """A cloud of points about those bones, each held by one to three of them, with the morphs まばたき and あ."""
    bones = body_bones()
    dice = np.random.default_rng(7)
    per_bone = 6
    count = per_bone * len(bones)
    heads = np.repeat(np.array([bone.position for bone in bones]), per_bone, axis=0)
    held = np.full((count, 4), -1, np.int32)
    weights = np.zeros((count, 4), np.float32)
    held[:, 0] = np.repeat(np.arange(len(bones)), per_bone)
    weights[:, 0] = 1.0
    mixed = np.arange(0, count, 3)
    parents = np.array([0 if bone.parent is None else bone.parent for bone in bones], np.int32)
    held[mixed, 1] = parents[held[mixed, 0]]
    weights[mixed, 0], weights[mixed, 1] = 0.75, 0.25
    base = made.small_character(vertices=count)
    row = np.arange(count, dtype=np.int32)
    return dataclasses.replace(
        base,
        positions=(heads + dice.normal(0, 0.4, heads.shape)).astype(np.float32),
        bone_indices=held,
        bone_weights=weights,
        triangles=row[: count - count % 3].reshape(-1, 3),
        bones=bones,
        morphs=(
            VertexMorph("まばたき", "blink", Panel.EYE, row[:9], dice.normal(0, 0.3, (9, 3)).astype(np.float32)),
            VertexMorph("あ", "a", Panel.MOUTH, row[5:20], dice.normal(0, 0.3, (15, 3)).astype(np.float32)),
        ),
    )


def dance_keys(dice: Random, frames: int = 60, names: tuple[str, ...] = ()) -> tuple[list[BoneKey], list[MorphKey]]:
    """Keys of all bones of `body` at random frames, with random curves, out of order, and some keys twice."""
    bones: list[BoneKey] = []
    for name in names or tuple(bone.name for bone in body_bones() if not bone.name.endswith(("D", "目"))):
        middle = name in ("センター", "グルーブ", "左足", "右ひざ")
        for frame in sorted({0, frames, *(dice.randrange(frames) for _ in range(4))}):
            move = tuple(dice.uniform(-1, 1) if middle else 0.0 for _ in range(3))
            curves = (random_curve(dice), random_curve(dice), random_curve(dice), random_curve(dice))
            bones.append(BoneKey(name, frame, move, random_turn(dice), curves, physics=dice.random() < 0.5))
    morphs = [MorphKey(name, frame, dice.random()) for name in ("まばたき", "あ") for frame in (0, 17, 30, frames)]
    dice.shuffle(bones)
    dice.shuffle(morphs)
    return bones, morphs


def dance(seed: int = 1, names: tuple[str, ...] = ()) -> bytes:
    """Those as a file."""
    bones, morphs = dance_keys(Random(seed), names=names)
    return vmd_bytes(bones, morphs, others={61: 2, 28: 1, 9: 1}, switches=[(0, {"左足ＩＫ": True, "右足ＩＫ": False})])


def skeleton(dice: Random) -> list[BodyNode]:
    """A humanoid in a T-pose whose nodes are turned at random, below a node that is turned and no bone."""
    built: list[tuple[str, str, tuple[float, float, float]]] = [
        ("", "root", (0.0, 0.0, 0.0)),
        ("root", "hips", (0.0, 0.95, 0.0)),
        ("hips", "spine", (0.0, 1.05, 0.0)),
        ("spine", "chest", (0.0, 1.2, 0.0)),
        ("chest", "neck", (0.0, 1.42, 0.0)),
        ("neck", "head", (0.0, 1.5, 0.0)),
    ]
    for side, sign in (("left", 1.0), ("right", -1.0)):
        built += [
            ("chest", f"{side}Shoulder", (sign * 0.03, 1.38, 0.0)),
            (f"{side}Shoulder", f"{side}UpperArm", (sign * 0.12, 1.38, 0.0)),
            (f"{side}UpperArm", f"{side}LowerArm", (sign * 0.35, 1.38, 0.0)),
            (f"{side}LowerArm", f"{side}Hand", (sign * 0.55, 1.38, 0.0)),
            ("hips", f"{side}UpperLeg", (sign * 0.08, 0.9, 0.0)),
            (f"{side}UpperLeg", f"{side}LowerLeg", (sign * 0.08, 0.5, 0.0)),
            (f"{side}LowerLeg", f"{side}Foot", (sign * 0.08, 0.1, 0.0)),
        ]
    places = {name: np.array(place) for _, name, place in built}
    names = [name for _, name, _ in built]
    turns: dict[str, Turn] = {"": (0.0, 0.0, 0.0, 1.0)}
    nodes: list[BodyNode] = []
    for parent, name, _ in built:
        turns[name] = random_turn(dice)
        x, y, z, w = turns[parent]
        back = (-x, -y, -z, w)
        way = turned(places[name] - (places[parent] if parent else 0.0), back)
        nodes.append(
            BodyNode(
                name=f"node_{name}",
                parent=names.index(parent) if parent else None,
                translation=way.tolist(),
                rotation=after(back, turns[name]),
                bone="" if name == "root" else name,
            )
        )
    return nodes


def humanoid_vrm(version: str = "1.0", dice: Random | None = None) -> Character:
    """`skeleton` as the bones of a VRM, its hips at a height of 0.95 m."""
    nodes = skeleton(dice or Random(9))
    places = _places(nodes)
    flags = BoneFlag.ROTATABLE | BoneFlag.MOVABLE
    mirror = -1.0 if version == "0.x" else 1.0
    bones = tuple(
        Bone(node.name, "", (mirror * x, y, mirror * z), node.parent, 0, flags)
        for node, (x, y, z) in zip(nodes, places.tolist(), strict=True)
    )
    base = read_vrm(made.vrm(version).to_bytes())
    humanoid = {node.bone: place for place, node in enumerate(nodes) if node.bone}
    return dataclasses.replace(base, bones=bones, humanoid=humanoid)


def _places(nodes: list[BodyNode]) -> np.ndarray:
    found: list[np.ndarray] = []
    turns: list[np.ndarray] = []
    for node in nodes:
        above, at = (np.eye(3), np.zeros(3)) if node.parent is None else (turns[node.parent], found[node.parent])
        found.append(at + above @ np.array(node.translation))
        x, y, z, w = node.rotation
        turns.append(above @ matrix_of((x, y, z, w)))
    return np.array(found)


def turned(vector: np.ndarray, by: Turn) -> np.ndarray:
    axis, w = np.array(by[:3]), by[3]
    return np.asarray(vector + 2 * np.cross(axis, np.cross(axis, vector) + w * vector))


def walk_curves(nodes: list[BodyNode], dice: Random, kinds: Sequence[str] = _KINDS) -> list[Moved]:
    """All bones turn by one of `kinds`, and the hips go somewhere."""
    curves: list[Moved] = []
    for place, node in enumerate(nodes):
        if not node.bone:
            continue
        times = [0.0, 0.4, 1.0, 1.5]
        kind = dice.choice(kinds)
        rows = [after(node.rotation, random_turn(dice, 50.0)) for _ in times]
        values: list[tuple[float, ...]] = list(rows)
        if kind == "CUBICSPLINE":
            values = [part for row in rows for part in ((0.1, 0.0, -0.2, 0.0), row, (0.0, 0.3, 0.0, 0.1))]
        curves.append(Moved(place, "rotation", times, values, kind))
        if node.bone == "hips":
            rest = np.array(node.translation)
            moved = [tuple((rest + [dice.uniform(-0.3, 0.3) for _ in range(3)]).tolist()) for _ in times]
            curves.append(Moved(place, "translation", times, moved))
    return curves


def walk(seed: int = 1, kinds: Sequence[str] = _KINDS) -> bytes:
    """Those as a file, with the expressions blink, aa and one of its own."""
    dice = Random(seed)
    nodes = skeleton(dice)
    played = [
        ExpressionCurve("blink", [0.0, 0.5, 1.0], [0.0, 1.0, 0.0]),
        ExpressionCurve("aa", [0.0, 1.5], [0.25, 0.75]),
        ExpressionCurve("まばたき", [0.0, 1.0], [0.0, 0.5], preset=False),
    ]
    return vrma_bytes(nodes, walk_curves(nodes, dice, kinds), played)


def motion_of(character: Character, seed: int) -> tuple[list[BoneKey], list[MorphKey]]:
    """The motion for a model: of bones that a VMD can name, but not of those of IK, which would have to be solved."""
    names = [bone.name for bone in character.bones if not bone.flags & BoneFlag.IK and bone.inheritance is None]
    short = tuple(name for name in dict.fromkeys(names) if name and len(name.encode("cp932", "replace")) <= 15)
    bones, _ = dance_keys(Random(seed), _LENGTH, short[:80])
    dice = Random(seed + 1)
    played = [morph.name for morph in character.morphs if isinstance(morph, VertexMorph)]
    once = [name for name in played if played.count(name) == 1 and len(name.encode("cp932", "replace")) <= 15][:10]
    return bones, [MorphKey(name, frame, dice.random()) for name in once for frame in (0, 11, 40, _LENGTH)]


def assert_sound(motion: Motion) -> None:
    """What every reader promises, however odd the file."""
    for channel in motion.channels:
        assert len(channel.times) == len(channel.values) > 0
        assert (np.diff(channel.times) > 0).all()
        assert 0 <= channel.times[0] <= channel.times[-1] <= 24 * 3600
        assert np.isfinite(channel.values).all()
        if channel.turns:
            assert np.allclose(np.linalg.norm(channel.values, axis=1), 1)
        found = channel.at(np.linspace(0, min(motion.seconds, 10.0), 7))
        assert np.isfinite(found).all()
    assert len({track.name for track in motion.bones}) == len(motion.bones)
    assert len({track.name for track in motion.morphs}) == len(motion.morphs)
