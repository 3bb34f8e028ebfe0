"""Movements of bones: where they take vertices, normals and the neck, against matrices that are worked out here."""

from pathlib import Path

import numpy as np
import pytest

from blender_worker.character.actor import Actor
from blender_worker.importers.build import build
from farm.models.description import Character
from farm.models.package import read_character
from farm.models.posing.armature import Armature
from farm.models.posing.head import head_height
from farm.models.posing.movements import Movements
from farm.models.skeleton import turning_bones
from farm.poses import Partition, Sample, head_matrix, rotation_matrix
from farm.spaces.space import space_named
from tests.blender_worker.importers.chains import chain_of

FACE = space_named("face-45")
BONES = {
    "gene/Gene_light.pmx": ("上半身", "上半身2", 1),
    "uka/MS_Uka.pmx": ("上半身", "上半身2", 1),
    "yw_test_model/yw_test_model.pmx": ("上半身", "上半身2", 1),
    "vrm_godette/Godette_vrm_v4.vrm": ("tummy_Armature", "chest_Armature", 0),
    "vrm_256_ryuunoko_v0/npc.vrm": ("spine", "chest", 0),
    "vrm_cool_loops_v0/cool_loops.vrm": ("mixamorig:Spine", "mixamorig:Spine2", 0),
    "vrm_mtoon_conformance_v1/mtoon_default.vrm": ("spine", "chest", 0),
}


def _character(path: Path) -> Character:
    return read_character(path.suffix, path.read_bytes())


def _movements(character: Character) -> Movements:
    neck, head, _ = turning_bones(character)
    world = np.array(character.axes.to_world, np.float32)
    positions = character.positions @ world.T
    armature = Armature(character, neck, world)
    return Movements(
        character, armature, neck, head, head_height(character, armature, neck, head, positions), positions
    )


@pytest.mark.parametrize("path", BONES)
def test_bones_are_found_by_what_they_are(real_models: Path, path: str) -> None:
    character = _character(real_models / path)
    found = _movements(character)
    body, chest, eyes = BONES[path]

    assert [character.bones[bone].name for bone in found.bones_of("upper_body")] == [body]
    assert [character.bones[bone].name for bone in found.bones_of("chest")] == [chest]
    assert len(found.bones_of("left_eye")) == len(found.bones_of("right_eye")) == eyes


def _actor(path: Path) -> Actor:
    return build(_character(path), {}, [], movements={n: m.moves for n, m in FACE.movements.items()})


@pytest.fixture(scope="module")
def nagi(mascots: dict[str, Path]) -> Actor:
    return _actor(mascots["nagi"])


def _share(actor: Actor, name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
    """(n,) the vertices that the bone alone holds, or bones below it that stand still to it."""
    return chain_of(actor, name)


def test_head_and_body_turn_as_the_label_says(nagi: Actor) -> None:
    # GIVEN a pose of head and body, and the rotation that its label would say
    values = {"body/y": 1.0, "body/z": -0.5}
    angles = (10.0, -5.0, 12.0)
    weights = {FACE.movement_of[key]: value for key, value in values.items()}
    rotation = head_matrix(FACE, Sample(0, values, angles, 0.5), Partition.ROTATED)

    # WHEN it is taken
    pose = nagi.pose(weights, angles)

    # THEN all of the head turns by that rotation about the neck, which has gone with the body
    on_head = nagi.vertices.turns > 0.999999
    rest = nagi.vertices.positions[on_head] - np.array(nagi.neck_position)
    assert pose.neck is not None
    assert np.abs(pose.positions[on_head] - (rest @ rotation.T + pose.neck)).max() < 1e-4 * nagi.head_height
    assert pose.directions is not None
    assert np.abs(pose.directions.normals[on_head] - nagi.vertices.normals[on_head] @ rotation.T).max() < 1e-5
    body = rotation_matrix((0, -5, 0)) @ rotation_matrix((0, 0, 10))
    pivot = next(np.array(bone.head) for bone in nagi.bones if bone.name == "上半身")
    expected = body @ (np.array(nagi.neck_position) - pivot) + pivot
    assert np.abs(np.array(pose.neck) - expected).max() < 1e-4 * nagi.head_height


def test_breathing_lifts_the_chest_and_leaves_the_head(nagi: Actor) -> None:
    pose = nagi.pose({FACE.movement_of["breathing/breathing"]: 1.0}, (0, 0, 0))

    moved = pose.positions - nagi.rest.positions
    held = _share(nagi, "上半身")
    assert held.sum() > 100
    way = np.array([0, -0.01, 0.03]) * nagi.head_height
    assert np.abs(moved[held] - way).max() < 1e-4 * nagi.head_height
    assert np.abs(moved[nagi.vertices.turns > 0.999999]).max() < 1e-5 * nagi.head_height


def test_irises_go_equally_far_in_characters_whose_eye_bones_lie_elsewhere(
    mascots: dict[str, Path], real_models: Path
) -> None:
    gone = []
    for path in (mascots["nagi"], real_models / "gene/Gene_light.pmx", real_models / "uka/MS_Uka.pmx"):
        actor = _actor(path)
        for name in ("左目", "右目"):
            pose = actor.pose({FACE.movement_of["iris_rotation/y"]: 1.0}, (0, 0, 0))
            held = _share(actor, name)
            front = held & (actor.rest.positions[:, 1] < np.quantile(actor.rest.positions[held, 1], 0.2))
            gone.append(float((pose.positions - actor.rest.positions)[front, 0].mean() / actor.head_height))

    assert min(gone) > 0.025  # to the character's left, all of them
    assert max(gone) <= 0.036


def test_without_a_movement_a_pose_is_what_it_was(nagi: Actor, mascots: dict[str, Path]) -> None:
    plain = build(_character(mascots["nagi"]), {}, []).pose({}, (10, 5, -3))
    pose = nagi.pose({}, (10, 5, -3))

    assert (pose.directions, pose.neck, pose.turn) == (None, None, plain.turn)
    on_head = nagi.vertices.turns > 0.999999
    assert np.abs(pose.positions[on_head] - plain.positions[on_head]).max() < 1e-5


def test_a_character_without_the_bone_has_no_movement(real_models: Path) -> None:
    character = _character(real_models / "vrm_godette" / "Godette_vrm_v4.vrm")

    for number, movement in FACE.movements.items():
        found = _movements(character).movement(movement.moves)
        assert bool(found.effects) == (not FACE.movements[number].key.startswith("iris_rotation"))
