"""Bodies: how characters stand, and that one entry turns the same joint the same way on all of them, measured."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from farm.bodies.limbs import Limbs, limbs_lacking
from farm.models.posing.morphs import combine
from farm.models.posing.turns import turn_of
from farm.poses import Partition, draw_in, head_matrix, rotation_matrix, vector_in
from farm.spaces.limbs import RestPose
from tests.farm.bodies.posed import HUMANOIDS, SPACE, Body, body_at, character_at
from tests.support.limbs import momo_with_limbs

SIDES = {"left": 1.0, "right": -1.0}
HALF = float(np.sqrt(0.5))
TIPS: dict[str, tuple[str, dict[str, float], tuple[float, float, float]]] = {
    "shoulder_raise": ("Hand", {}, (HALF, 0, HALF)),
    "arm_twist": ("Hand", {"elbow_bend": 90}, (-HALF, 0, -HALF)),
    "arm_raise": ("Hand", {}, (HALF, 0, HALF)),
    "arm_swing": ("Hand", {}, (0, -1, 0)),
    "forearm_twist": ("ThumbProximal", {}, (-HALF, 0, -HALF)),
    "elbow_bend": ("Hand", {}, (0, -1, 0)),
    "wrist_bend": ("MiddleProximal", {}, (-HALF, 0, -HALF)),
    "wrist_aside": ("MiddleProximal", {}, (0, -1, 0)),
    "fingers_curl": ("MiddleIntermediate", {}, (-HALF, 0, -HALF)),
    "leg_twist": ("Foot", {"knee_bend": 90}, (-1, 0, 0)),  # the toes go outwards, a shin that is bent back inwards
    "leg_spread": ("Foot", {}, (1, 0, 0)),
    "leg_swing": ("Foot", {}, (0, -1, 0)),
    "knee_bend": ("Foot", {}, (0, 1, 0)),
    "ankle_bend": ("Toes", {}, (0, 0, -1)),
}
"""What an entry takes along, in which pose besides, and where the left one goes: x its left, y its back, z up."""
LOOSE = {"forearm_twist", "fingers_curl", "wrist_bend", "wrist_aside", "ankle_bend"}
"""What goes there, and along with it elsewhere: hands, feet and thumbs rest at many an angle."""


def _at(real_models: Path, name: str, rest: RestPose = RestPose.A) -> Body:
    return body_at(real_models / name, rest)


@pytest.mark.parametrize("name", HUMANOIDS)
@pytest.mark.parametrize(("rest", "below"), [(RestPose.A, 45.0), (RestPose.T, 0.0)])
def test_arms_stand_as_asked_whatever_the_file_has(real_models: Path, name: str, rest: RestPose, below: float) -> None:
    limbs = Limbs(character_at(real_models / name), rest)
    body = _at(real_models, name) if rest is RestPose.A else Body(character_at(real_models / name), rest)

    assert set(limbs.stance) <= {joint.bone for joint in body.actor.skeleton.joints}
    for english, side in SIDES.items():
        asked = np.array([side * np.cos(np.radians(below)), 0, -np.sin(np.radians(below))])
        for start, end in (("UpperArm", "LowerArm"), ("LowerArm", "Hand")):
            way = body.way(f"{english}{start}", f"{english}{end}", {})
            assert np.degrees(np.arccos(np.clip(way @ asked, -1, 1))) < 0.1, (name, english, start)


def test_as_the_file_has_it_nothing_is_turned(real_models: Path) -> None:
    character = character_at(real_models / HUMANOIDS[0])

    assert Limbs(character, RestPose.FILE).stance == {}
    assert len(Limbs(character, RestPose.T).stance) == 4  # two segments of two arms


@pytest.mark.parametrize("name", HUMANOIDS)
def test_an_entry_moves_what_it_says_the_same_way_on_every_body(real_models: Path, name: str) -> None:
    body = _at(real_models, name)
    looked = set()
    for stem, (tip, others, left) in TIPS.items():
        ways = {}
        for english, side in SIDES.items():
            bone = f"{english}{tip}"
            if bone not in body.actor.joints or not body.actor.morphs[SPACE.movement_of[_key(stem, english)]].effects:
                continue
            still = {f"{other}_{english}": value for other, value in others.items()}
            moved = body.joint(bone, still | {f"{stem}_{english}": 4.0}) - body.joint(bone, still)
            way = moved / np.linalg.norm(moved)
            asked = np.array([side * left[0], left[1], left[2]])
            assert way @ asked > (0.3 if stem in LOOSE else 0.9), (name, stem, english, way)
            ways[english] = way * (side, 1, 1)
            elsewhere = body.joint(_other(bone), still | {f"{stem}_{english}": 4.0}) - body.joint(_other(bone), still)
            assert np.abs(elsewhere).max() < 1e-6, "the other side moves"
        if len(ways) == 2:
            assert ways["left"] @ ways["right"] > 0.98, (name, stem, "is no mirror image")
            looked.add(stem)

    assert looked >= {"arm_raise", "arm_swing", "arm_twist", "elbow_bend", "leg_spread", "leg_swing", "knee_bend"}


def _other(bone: str) -> str:
    return bone.replace("left", "right") if bone.startswith("left") else bone.replace("right", "left")


def _key(stem: str, side: str) -> str:
    (place,) = [place for place, entry in enumerate(SPACE.entries) if entry == f"{stem}_{side}"]
    return next(key.name for key in SPACE.keys.values() if key.places == (place,))


@pytest.mark.parametrize("name", HUMANOIDS)
def test_the_trunk_goes_to_the_character_s_own_left(real_models: Path, name: str) -> None:
    body = _at(real_models, name)

    rest = body.joint("head", {})
    assert (body.joint("head", {"trunk_bend": 10.0}) - rest)[1] < 0  # to the front
    assert (body.joint("head", {"trunk_tilt": 10.0}) - rest)[0] > 0
    turned = body.joint("leftHand", {"trunk_turn": 10.0}) - body.joint("leftHand", {})
    assert turned[1] > 0  # it turns to its left: the left hand goes back


@pytest.mark.parametrize("name", HUMANOIDS)
def test_drawn_poses_keep_the_limits_of_joints(real_models: Path, name: str) -> None:
    """The angles are measured on the posed bones, relative to the bone above."""
    body = _at(real_models, name)
    keys = [key for key in SPACE.keys if body.actor.morphs[SPACE.movement_of[key]].effects]
    knees = _knees(body, {})
    for index in range(12):
        sample = draw_in(SPACE, 5, "a" * 64, index, keys)
        vector = vector_in(SPACE, sample, Partition.ROTATED)
        values = dict(zip(SPACE.entries, vector, strict=True))
        for (low, high), value in zip(SPACE.ranges, vector, strict=True):
            assert low <= value <= high
        alone = {entry: value for entry, value in values.items() if not entry.startswith(("trunk", "shoulder"))}
        for english, side in SIDES.items():
            x, y, z = body.way(f"{english}UpperArm", f"{english}LowerArm", alone) * (side, 1, 1)
            above, front = np.degrees(np.arcsin(z)), np.degrees(np.arctan2(-y, x))
            assert above == pytest.approx(
                values[f"arm_raise_{english}"] - 45, abs=0.5
            )  # twist bones lie a hair beside the arm
            assert front == pytest.approx(values[f"arm_swing_{english}"], abs=0.5)
            forearm = body.way(f"{english}LowerArm", f"{english}Hand", alone)
            bent = np.degrees(np.arccos(np.clip(forearm @ ((x * side), y, z), -1, 1)))
            assert bent == pytest.approx(values[f"elbow_bend_{english}"], abs=0.5)
        for english, angle in _knees(body, values).items():
            assert angle <= knees[english] + values[f"knee_bend_{english}"] + 0.2


def _knees(body: Body, values: dict[str, float]) -> dict[str, float]:
    found = {}
    for english in SIDES:
        thigh = body.way(f"{english}UpperLeg", f"{english}LowerLeg", values)
        shin = body.way(f"{english}LowerLeg", f"{english}Foot", values)
        found[english] = float(np.degrees(np.arccos(np.clip(thigh @ shin, -1, 1))))
    return found


@pytest.mark.parametrize("name", HUMANOIDS)
def test_the_head_turns_as_results_say(real_models: Path, name: str) -> None:
    """`rotation` of a picture is the head's, the trunk's turns included."""
    body = _at(real_models, name)
    for index in range(3):
        sample = draw_in(SPACE, 7, "c" * 64, index, ["trunk/bend", "trunk/tilt", "trunk/turn"])
        assert any(sample.rotation)
        weights = {SPACE.movement_of[key]: value for key, value in sample.weights.items()}
        neck = body.actor.skeleton.neck
        number = next(n for n, joint in enumerate(body.actor.skeleton.joints) if joint.bone == neck)
        played = combine(part for key, value in weights.items() for part in body.actor.morphs[key].at(value))
        frames = body.actor.skeleton.pose(played.bones, turn_of(rotation_matrix(sample.rotation)))
        assert frames.turns[number] == pytest.approx(head_matrix(SPACE, sample, Partition.ROTATED), abs=1e-5)


def _angle(turn: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip((np.trace(turn) - 1) / 2, -1, 1))))


def test_twist_bones_twist_and_their_followers_take_their_shares(real_models: Path) -> None:
    body = _at(real_models, HUMANOIDS[0])
    names, values = body.names, {"arm_twist_left": 40.0}

    arm, twist = body.turn({}, names["左腕"]), body.turn(values, names["左腕捩"])
    assert np.allclose(body.turn(values, names["左腕"]), arm)  # the twist bone does it, not the arm
    assert _angle(twist @ body.turn({}, names["左腕捩"]).T) == pytest.approx(40, abs=0.01)
    for bone, share in (("左腕捩1", 0.25), ("左腕捩2", 0.5), ("左腕捩3", 0.75)):
        assert _angle(body.turn(values, names[bone]) @ arm.T) == pytest.approx(40 * share, abs=0.01)


def test_a_twist_bone_that_holds_no_hand_is_left_alone(real_models: Path) -> None:
    character = character_at(real_models / HUMANOIDS[0])
    names = [bone.name for bone in character.bones]
    bones = list(character.bones)
    bones[names.index("左ひじ")] = replace(bones[names.index("左ひじ")], parent=names.index("左腕"))

    body = Body(replace(character, bones=tuple(bones)), RestPose.A)

    still, twisted = ({"elbow_bend_left": 90.0}, {"elbow_bend_left": 90.0, "arm_twist_left": 30.0})
    moved = body.joint("leftHand", twisted) - body.joint("leftHand", still)
    theirs = _at(real_models, HUMANOIDS[0])
    assert moved == pytest.approx(theirs.joint("leftHand", twisted) - theirs.joint("leftHand", still), abs=0.02)


def test_legs_that_follow_by_inheritance_hold_the_skin(real_models: Path) -> None:
    """足D takes what 足 does, and the skin of this model hangs on it alone."""
    body = _at(real_models, HUMANOIDS[0])
    values = {"leg_swing_left": 60.0, "knee_bend_left": 50.0, "ankle_bend_left": 20.0}

    for own, follower in (("左足", "左足D"), ("左ひざ", "左ひざD"), ("左足首", "左足首D")):
        assert body.heads(values)[body.names[follower]] == pytest.approx(body.heads(values)[body.names[own]], abs=1e-4)
        assert np.allclose(body.turn(values, body.names[own]), body.turn(values, body.names[follower]), atol=1e-5)
    actor = body.actor
    held = np.flatnonzero(actor.vertices.bones == body.names["左足首D"])
    moved = actor.pose(body.weights(values), (0, 0, 0)).positions[held] - actor.rest.positions[held]
    assert len(held) > 20
    assert np.linalg.norm(moved, axis=1).min() > 2  # of a body of 20


@pytest.mark.parametrize("side", ["左", "右"])
def test_sleeves_on_a_second_chain_go_with_the_arm(real_models: Path, side: str) -> None:
    """In the file IK leads them; uncut they would stay where they are."""
    body = _at(real_models, "uka/MS_Uka.pmx")
    english = "left" if side == "左" else "right"
    pose = {"arm_twist": 30.0, "arm_raise": 60.0, "arm_swing": 40.0, "elbow_bend": 80.0, "forearm_twist": 20.0}

    heads = body.heads({f"{entry}_{english}": value for entry, value in pose.items()})

    for bone in ("腕", "ひじ", "手首"):
        sleeve, arm = heads[body.names[f"{side}{bone}袖"]], heads[body.names[f"{side}{bone}"]]
        assert sleeve == pytest.approx(arm, abs=1e-3)


def test_what_a_body_lacks_is_named(mascots: dict[str, Path], real_models: Path) -> None:
    assert limbs_lacking(Limbs(character_at(mascots["momo"]), RestPose.A).bones) == ("arms", "legs")
    bones = Limbs(character_at(real_models / HUMANOIDS[0]), RestPose.A).bones
    assert limbs_lacking(bones) == ()
    assert limbs_lacking(set(bones) - {"leftFoot"}) == ("legs",)
    # What plays nothing has no effect, and the stance of a body without arms is the file's.
    assert Limbs(character_at(mascots["momo"]), RestPose.T).stance == {}


def test_normals_stand_as_the_limbs_do(real_models: Path) -> None:
    """On an arm that the stance turns, normals are as much those of its triangles as in the file."""
    fit = {}
    for rest in (RestPose.FILE, RestPose.T):
        actor = Body(character_at(real_models / HUMANOIDS[0]), rest).actor
        pose = actor.rest
        normals = actor.vertices.normals if pose.directions is None else pose.directions.normals
        triangles = np.concatenate([run.triangles for run in actor.runs])
        triangles = triangles[(actor.vertices.bones[triangles] == actor.joints["leftLowerArm"]).all(axis=1)]
        a, b, c = (pose.positions[triangles[:, corner]] for corner in range(3))
        flat = np.cross(b - a, c - a)
        flat /= np.maximum(np.linalg.norm(flat, axis=1, keepdims=True), 1e-12)
        assert len(flat) > 20
        fit[rest] = float((normals[triangles].mean(axis=1) * flat).sum(axis=1).mean())

    assert fit[RestPose.FILE] > 0.8
    assert fit[RestPose.T] == pytest.approx(fit[RestPose.FILE], abs=0.01)


def test_thousands_of_bones_beside_an_arm_cost_no_more_than_a_few(real_models: Path) -> None:
    character = character_at(real_models / HUMANOIDS[0])
    names, count = [bone.name for bone in character.bones], 2000
    arm, forearm = (character.bones[names.index(name)] for name in ("左腕", "左ひじ"))
    more = [replace(arm, name=f"sleeve {number}") for number in range(count)]
    more += [replace(forearm, name=f"cuff {n}", parent=len(names) + n) for n in range(count)]

    limbs = Limbs(replace(character, bones=(*character.bones, *more)), RestPose.T)

    sleeves = {bone for bone in limbs.stance if bone >= len(names)}
    assert 0 < len(sleeves) < 40


def test_joints_of_a_body_made_by_code_are_where_they_are_by_hand() -> None:
    """Its arms rest 52 degrees below the level, each segment 2.2 long; its legs' segments are 4 long."""
    body = Body(momo_with_limbs(), RestPose.A)
    shoulder, hip = body.joint("leftUpperArm", {}), body.joint("rightUpperLeg", {})

    assert body.joint("leftHand", {}) == pytest.approx(shoulder + np.array([4.4 * HALF, 0, -4.4 * HALF]), abs=1e-4)
    level = {"arm_raise_left": 45.0}
    assert body.joint("leftHand", level) == pytest.approx(shoulder + np.array([4.4, 0, 0]), abs=1e-4)
    bent = level | {"elbow_bend_left": 90.0}
    assert body.joint("leftHand", bent) == pytest.approx(shoulder + np.array([2.2, -2.2, 0]), abs=1e-4)
    inwards = bent | {"arm_twist_left": 90.0}
    assert body.joint("leftHand", inwards) == pytest.approx(shoulder + np.array([2.2, 0, -2.2]), abs=1e-4)
    to_the_front = level | {"arm_swing_left": 90.0}
    assert body.joint("leftHand", to_the_front) == pytest.approx(shoulder + np.array([0, -4.4, 0]), abs=1e-4)
    seated = {"leg_swing_right": 90.0, "knee_bend_right": 90.0}
    for foot in ("右足首", "右足首D"):
        at = body.heads(seated)[body.names[foot]]
        assert at == pytest.approx(hip + np.array([0, -4, -4]), abs=1e-4)
    astride = {"leg_spread_right": 90.0}
    assert body.joint("rightFoot", astride) == pytest.approx(hip + np.array([-8, 0, 0]), abs=1e-4)
