"""Evaluated vertex positions: Blender's against an independent importer's, and against numpy."""

from pathlib import Path

import numpy as np

from farm.models.description import GroupMorph, VertexMorph
from farm.models.package import read_character
from farm.poses import rotation_matrix
from tests.blender_worker.importers.evaluation import Asked, evaluate


def test_gene_light_stands_and_poses_as_the_independent_importer_says(
    real_models: Path, reference: Path, tmp_path: Path
) -> None:
    with np.load(reference / "gene_light.npz", allow_pickle=True) as archive:
        expected = dict(archive)
    weights = dict(zip(expected["posed_morphs"].tolist(), expected["posed_weights"].tolist(), strict=True))

    turn = tuple(expected["rotation_deg"].tolist())
    model = real_models / "gene" / "Gene_light.pmx"
    found = evaluate(model, [Asked({}), Asked(weights, turn)])

    np.testing.assert_allclose(found.positions[0], expected["base"], atol=1e-4)
    np.testing.assert_allclose(found.positions[1], expected["posed"], atol=1e-3)
    np.testing.assert_allclose(found.actor.neck_position, expected["neck_head"], atol=1e-4)


def test_a_mascot_poses_as_numpy_says(mascots: dict[str, Path], tmp_path: Path) -> None:
    # GIVEN nagi with a vertex morph and a group morph active, and her head turned about all axes
    character = read_character(".pmx", mascots["nagi"].read_bytes())
    weights, rotation = {"あ": 0.75, "まばたき": 0.5, "怒り": 0.25}, (12.0, -7.0, 18.0)

    # WHEN Blender evaluates her
    found = evaluate(mascots["nagi"], [Asked(weights, rotation)])

    # THEN the positions are: morphs added up, then the neck's rotation by the weights of the bones below it
    names = [morph.name for morph in character.morphs]
    expected = character.positions.astype(np.float64)

    def add(name: str, weight: float) -> None:
        morph = character.morphs[names.index(name)]
        if isinstance(morph, GroupMorph):
            for child, share in zip(morph.morphs, morph.weights, strict=True):
                add(names[child], weight * float(share))
        else:
            assert isinstance(morph, VertexMorph)
            np.add.at(expected, morph.vertices, morph.offsets * weight)

    for name, weight in weights.items():
        add(name, weight)
    bones = [bone.name for bone in character.bones]
    neck = bones.index("首")
    below = [False] * len(bones)
    for index in range(len(bones)):
        walk: int | None = index
        while walk is not None:
            below[index] |= walk == neck
            walk = character.bones[walk].parent
    share = (character.bone_weights * np.array([*below, False])[character.bone_indices]).sum(axis=1)[:, None]
    expected = expected[:, [0, 2, 1]]
    pivot = np.array(character.bones[neck].position)[[0, 2, 1]]
    turned = (expected - pivot) @ rotation_matrix(rotation).T + pivot
    np.testing.assert_allclose(found.positions[0], expected * (1 - share) + turned * share, atol=1e-5)


def test_a_vrm_blinks_and_turns_its_head(real_models: Path, tmp_path: Path) -> None:
    model = real_models / "vrm_godette" / "Godette_vrm_v4.vrm"
    found = evaluate(model, [Asked({}), Asked({"blink_l": 1.0}), Asked({}, (0.0, 0.0, 20.0))])

    rest, winking, turned = found.positions
    moved = np.abs(winking - rest).sum(axis=1)
    assert moved.max() > 0.005
    middle = float((rest[:, 0] * moved).sum() / moved.sum())
    assert middle > 0.03, "the character's left eye is at positive x, as it looks along -y"
    assert (rest[:, 2] > found.actor.neck_position[2]).any()
    far = np.abs(turned - rest).max(axis=1) > 1e-3
    assert rest[far][:, 2].min() > found.actor.neck_position[2] - 0.15, "only what is above the neck turns"
    assert far.mean() > 0.2
