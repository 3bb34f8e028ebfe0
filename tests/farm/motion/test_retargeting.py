"""What a motion is on a character: names on both sides, rest poses, heights, and morphs by their targets."""

import dataclasses
from random import Random

import numpy as np
import pytest

from farm.models.description import Character
from farm.models.mmd.pmd import read_pmd
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.posing.turns import after
from farm.models.vrm.reader import read_vrm
from farm.models.vrm.writer import vrm_draft
from farm.motion.humanoid import ROLES, STANDARD
from farm.motion.reading import read_motion
from farm.motion.retargeting import Retargeted
from farm.motion.vmd_writer import BoneKey, MorphKey, vmd_bytes
from farm.motion.vrma_writer import Curve, vrma_bytes
from tests.farm.models import made_files as made
from tests.farm.motion import made_motions
from tests.farm.motion.made_motions import turn
from tests.farm.motion.posed import Stage

AT_0 = np.array([0.0])


def _with_bones(*names: str, english: tuple[str, ...] = ()) -> Character:
    base = made.small_character(bones=names)
    named = [dataclasses.replace(bone, name_en=text) for bone, text in zip(base.bones, english, strict=bool(english))]
    return dataclasses.replace(base, bones=tuple(named) if english else base.bones)


def _moved(motion: bytes, character: Character) -> tuple[list[str], tuple[str, ...]]:
    """The bones of the character that a VMD moves, and its names that move nothing."""
    found = Retargeted(read_motion(".vmd", motion), character, {})
    return [character.bones[index].name for index in sorted(found.moved)], found.absent_bones


def test_long_names_meet_where_both_are_cut() -> None:
    long = "右足首調整用ボーン"

    assert _moved(vmd_bytes([BoneKey(long, 0)]), _with_bones("首", long)) == ([long], ())


def test_width_and_english_names_count_where_the_name_itself_does_not() -> None:
    character = _with_bones("首", "左足IK", "腕", english=("neck", "", "Left Arm"))

    moved, absent = _moved(vmd_bytes([BoneKey(name, 0) for name in ("左足ＩＫ", "left arm", "尻尾")]), character)

    assert (moved, absent) == (["左足IK", "腕"], ("尻尾",))


def test_a_name_itself_goes_before_one_that_is_alike() -> None:
    character = _with_bones("首", "左足IK", "左足ＩＫ")

    assert _moved(vmd_bytes([BoneKey("左足ＩＫ", 0)]), character)[0] == ["左足ＩＫ"]


def test_a_vmd_moves_a_pmd_as_it_moves_the_pmx() -> None:
    motion = read_motion(".vmd", made_motions.dance(3))
    pmx = dataclasses.replace(
        made_motions.body(),
        bones=tuple(dataclasses.replace(b, inheritance=None, layer=0) for b in made_motions.body_bones()),
    )
    pmd = read_pmd(pmd_bytes(pmx))

    for seconds in (0.0, 0.31, 1.2):
        ours, theirs = Stage(motion, pmx).positions(seconds), Stage(motion, pmd).positions(seconds)
        held = (pmx.bone_weights > 0).sum(axis=1) <= 2
        np.testing.assert_allclose(ours[held], theirs[held], atol=0.02)  # PMD rounds weights to hundredths


def test_another_bone_follows_by_its_share() -> None:
    """付与: the eyes take 0.4 of 両目, the legs that hold the mesh all of those that the motion moves."""
    character = made_motions.body()
    names = [bone.name for bone in character.bones]
    keys = [BoneKey("左足", 0, turn=turn((1, 0, 0), 40)), BoneKey("両目", 0, turn=turn((0, 1, 0), 20))]
    motion = read_motion(".vmd", vmd_bytes(keys))

    stage = Stage(motion, character)

    leg, follower, eye = (stage.turn(0.0, names.index(name)) for name in ("左足", "左足D", "左目"))
    np.testing.assert_allclose(leg, follower, atol=1e-6)
    assert np.degrees(np.arccos((np.trace(eye) - 1) / 2)) == pytest.approx(8, abs=1e-3)
    heads = stage.heads(0.0)
    np.testing.assert_allclose(heads[names.index("左足首")], heads[names.index("左足首D")], atol=1e-4)


def test_weights_stay_between_0_and_1_and_morphs_of_one_target_add_up() -> None:
    character = made_motions.body()
    motion = read_motion(
        ".vmd", vmd_bytes([], [MorphKey("まばたき", 0, 1.5), MorphKey("あ", 0, -1.0), MorphKey("瞬き", 0, 1.0)])
    )

    found = Retargeted(motion, character, {"eye/closed/both": 0, "mouth/a": 1})

    assert dict(found.at(AT_0)[0].weights) == {0: 1.0}
    assert found.absent_morphs == ()


@pytest.mark.parametrize(
    ("name", "annotation", "played"),
    [
        ("blink", {"eye/closed/both": 7}, {7}),
        ("blinkLeft", {"eye/closed/left": 3}, {3}),
        ("まばたき", {"eye/closed/left": 3, "eye/closed/right": 4}, {3, 4}),
        ("ウィンク２", {"eye/closed/left": 3, "eye/closed/right": 4}, {3}),
        ("怒り", {"eyebrow/angry/both": 5}, {5}),
        ("ウィンク２", {"eye/closed/both": 7}, set()),
        ("尻尾", {"eye/closed/both": 7}, set()),
    ],
)
def test_a_morph_that_no_name_finds_plays_by_its_target(
    name: str, annotation: dict[str, int], played: set[int]
) -> None:
    """A target of both sides is played by both halves; a half is never played by the whole."""
    character = dataclasses.replace(made.small_character(), morphs=())
    found = Retargeted(read_motion(".vmd", vmd_bytes([], [MorphKey(name, 0, 1.0)])), character, annotation)

    assert found.played == played
    assert found.absent_morphs == (() if played else (name,))


# The humanoid: a body in a T-pose as VRM, and the body of `made_motions` in an A-pose as PMX.


def _direction(heads: np.ndarray, start: int, end: int) -> np.ndarray:
    way = heads[end] - heads[start]
    return np.asarray(way / np.linalg.norm(way))


@pytest.mark.parametrize("version", ["1.0", "0.x"])
def test_a_vmd_that_does_nothing_lets_the_arms_of_a_vrm_hang(version: str) -> None:
    """MikuMikuDance's characters rest in an A-pose: turns in a VMD are from there, whatever the target's rest."""
    character = made_motions.humanoid_vrm(version)
    heads = Stage(read_motion(".vmd", vmd_bytes([BoneKey("左腕", 0)])), character).heads(0.0)

    for side, sign in (("left", 1), ("right", -1)):
        for start, end in (("UpperArm", "LowerArm"), ("LowerArm", "Hand")):
            x, y, z = _direction(heads, character.humanoid[side + start], character.humanoid[side + end])
            assert np.degrees(np.arctan2(-z, sign * x)) == pytest.approx(STANDARD.arms, abs=1e-3)
            assert y == pytest.approx(0, abs=1e-6)


def test_a_vmd_points_the_limbs_of_a_vrm_where_it_points_those_of_the_standard_body() -> None:
    """The same motion on the PMX body in MikuMikuDance's A-pose and on the VRM in its T-pose."""
    # GIVEN a body whose arms hang as the standard says, and a motion of the whole of it
    angles = dict.fromkeys("左右", STANDARD.arms)
    before, made_motions.A_POSE = made_motions.A_POSE, angles
    try:
        pmx = made_motions.body()
    finally:
        made_motions.A_POSE = before
    vrm = made_motions.humanoid_vrm()
    names = [bone.name for bone in pmx.bones]
    # Bones of twists stand in the middle of the arm; they bend it there where they do more than twist.
    moved = tuple(name for name in names if not name.endswith(("D", "目", "捩")))
    motion = read_motion(".vmd", made_motions.dance(4, moved))
    limbs = {
        "UpperArm": ("LowerArm", "腕", "ひじ"),
        "LowerArm": ("Hand", "ひじ", "手首"),
    }

    # WHEN both play it
    on_vrm, on_pmx = Stage(motion, vrm), Stage(motion, pmx)
    for seconds in (0.0, 0.4, 1.1, 2.0):
        ours, theirs = on_vrm.heads(seconds), on_pmx.heads(seconds)

        # THEN arms point the same way
        for side, kanji in (("left", "左"), ("right", "右")):
            for start, (end, first, second) in limbs.items():
                found = _direction(ours, vrm.humanoid[side + start], vrm.humanoid[side + end])
                expected = _direction(theirs, names.index(kanji + first), names.index(kanji + second))
                np.testing.assert_allclose(found, expected, atol=1e-3)

        # AND all else, which rests alike, is turned alike
        for name in ("head", "chest", "leftUpperLeg", "rightFoot"):
            bone = names.index(ROLES[name].bones[0])
            np.testing.assert_allclose(on_vrm.turn(seconds, vrm.humanoid[name]), on_pmx.turn(seconds, bone), atol=1e-5)


@pytest.mark.parametrize("seconds", [0.0, 0.2, 0.9, 1.5])
def test_a_vrma_points_the_arms_of_a_pmx_where_it_points_those_of_a_vrm(seconds: float) -> None:
    """The PMX rests with hanging arms; a VRM's rest is the motion's own."""
    motion = read_motion(".vrma", made_motions.walk(2))
    pmx, vrm = made_motions.body(), made_motions.humanoid_vrm(dice=Random(2))
    names = [bone.name for bone in pmx.bones]

    ours, theirs = Stage(motion, pmx).heads(seconds), Stage(motion, vrm).heads(seconds)

    for side, kanji in (("left", "左"), ("right", "右")):
        for start, end, first, second in (("UpperArm", "LowerArm", "腕", "ひじ"), ("LowerArm", "Hand", "ひじ", "手首")):
            found = _direction(ours, names.index(kanji + first), names.index(kanji + second))
            expected = _direction(theirs, vrm.humanoid[side + start], vrm.humanoid[side + end])
            np.testing.assert_allclose(found, expected, atol=1e-3)


def test_the_hips_go_as_far_as_their_height_allows() -> None:
    """A step of a tenth of the height of the hips is that on every body, in its own unit and axes."""
    nodes = made_motions.skeleton(Random(2))
    rest = np.array(nodes[1].translation)
    x, y, z, w = nodes[0].rotation
    step = made_motions.turned(np.array([0.0, 0.095, 0.19]), (-x, -y, -z, w))
    motion = read_motion(".vrma", vrma_bytes(nodes, [Curve(1, "translation", [0.0], [rest + step])]))
    pmx = made_motions.body()
    names = [bone.name for bone in pmx.bones]

    for character, hips, height in (
        (made_motions.humanoid_vrm("1.0"), 1, 0.95),
        (made_motions.humanoid_vrm("0.x"), 1, 0.95),
        (pmx, names.index("下半身"), 11.2),
    ):
        stage = Stage(motion, character)
        world = np.array(character.axes.to_world) @ np.array(character.bones[hips].position)
        # Forward in VRM is +z of VRM 1.0, which is -y of the world.
        np.testing.assert_allclose(
            stage.heads(0.0)[hips] - world, np.array([0, -0.2, 0.1]) * height, atol=1e-4 * height
        )


def test_the_hips_of_a_pmx_turn_about_where_the_legs_begin() -> None:
    """センター lies far below them: it takes a move that brings the hips back."""
    nodes = made_motions.skeleton(Random(2))
    x, y, z = made_motions.turned(
        np.array([1.0, 0.0, 0.0]), tuple((np.array(nodes[0].rotation) * [-1, -1, -1, 1]).tolist())
    ).tolist()
    posed = after(turn((x, y, z), 90), nodes[1].rotation)
    motion = read_motion(".vrma", vrma_bytes(nodes, [Curve(1, "rotation", [0.0], [posed])]))
    pmx = made_motions.body()
    names = [bone.name for bone in pmx.bones]

    heads, rest = Stage(motion, pmx).heads(0.0), Stage(read_motion(".vmd", vmd_bytes()), pmx).heads(0.0)

    legs = [names.index("左足"), names.index("右足")]
    np.testing.assert_allclose(heads[legs].mean(axis=0), rest[legs].mean(axis=0), atol=1e-4)
    # Turned by a quarter about the character's left, its head lies in front.
    assert heads[names.index("頭")][1] < -5


def test_thumbs_have_the_names_of_their_version() -> None:
    draft = vrm_draft(made.vrm_character(), "0.x")
    character = read_vrm(draft.to_bytes())
    old = dataclasses.replace(
        character, humanoid={**character.humanoid, "leftThumbProximal": 0, "leftThumbIntermediate": 1}
    )
    new = dataclasses.replace(
        character, humanoid={**character.humanoid, "leftThumbMetacarpal": 0, "leftThumbProximal": 1}
    )
    motion = read_motion(".vmd", vmd_bytes([BoneKey("左親指１", 0, turn=turn((0, 1, 0), 30))]))

    for one in (old, new):
        bones = Retargeted(motion, one, {}).at(AT_0)[0].bones
        assert abs(bones[1][1][3]) == pytest.approx(np.cos(np.radians(15)), abs=1e-6)


def test_what_the_target_has_no_bone_for_is_done_by_the_next_below() -> None:
    """上半身2 turns what hangs on it, also in a humanoid without a chest."""
    character = made_motions.humanoid_vrm()
    lacking = {name: bone for name, bone in character.humanoid.items() if name != "chest"}
    motion = read_motion(".vmd", vmd_bytes([BoneKey("上半身2", 0, turn=turn((0, 1, 0), 30))]))

    head = character.humanoid["head"]
    without = Stage(motion, dataclasses.replace(character, humanoid=lacking))
    np.testing.assert_allclose(without.turn(0.0, head), Stage(motion, character).turn(0.0, head), atol=1e-6)
    assert abs(without.turn(0.0, head)[0, 2]) == pytest.approx(0, abs=1e-6)
    assert without.turn(0.0, head)[0, 0] == pytest.approx(np.cos(np.radians(30)), abs=1e-6)
