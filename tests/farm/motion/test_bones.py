"""Which bone is which of the humanoid's, and what hangs on it."""

import time
from dataclasses import replace
from pathlib import Path

import pytest

from farm.models.description import BoneFlag, Character, Inheritance
from farm.models.package import read_character
from farm.motion.bones import carriers_of, humanoid_joints
from farm.motion.humanoid import HUMANOID_BONES
from tests.farm.models.made_files import bone, small_character

FOLLOWS = BoneFlag.ROTATABLE | BoneFlag.INHERIT_ROTATION


def with_bones(*listed: tuple[str, str | None]) -> Character:
    """A character with bones of these names and parents."""
    names = [name for name, _ in listed]
    bones = tuple(bone(name, names.index(above) if above else None) for name, above in listed)
    return replace(small_character(), bones=bones)


def limbs(character: Character) -> dict[str, str | None]:
    """By bone, the humanoid bone that it moves with."""
    found = carriers_of(character).tolist()
    return {
        one.name: HUMANOID_BONES[limb] if limb >= 0 else None for one, limb in zip(character.bones, found, strict=True)
    }


def test_twists_d_bones_skirts_and_the_centre_move_with_the_humanoids_bones() -> None:
    made = with_bones(
        ("全ての親", None),
        ("センター", "全ての親"),
        ("下半身", "センター"),
        ("スカート_0", "下半身"),
        ("左足", "下半身"),
        ("腰キャンセル左", "下半身"),
        ("左足D", "腰キャンセル左"),
        ("左腕", "センター"),
        ("左腕捩", "左腕"),
        ("左腕捩1", "左腕"),
        ("左ひじ", "左腕捩"),
        ("両目", "センター"),
        ("左目", "センター"),
        ("物", None),
    )
    bones = list(made.bones)
    bones[6] = replace(bones[6], flags=FOLLOWS, inheritance=Inheritance(4, 1.0))
    bones[9] = replace(bones[9], flags=FOLLOWS, inheritance=Inheritance(8, 0.25))
    made = replace(made, bones=tuple(bones))

    assert limbs(made) == {
        "全ての親": "hips",
        "センター": "hips",
        "下半身": "hips",
        "スカート_0": "hips",
        "左足": "leftUpperLeg",
        "腰キャンセル左": "hips",
        "左足D": "leftUpperLeg",
        "左腕": "leftUpperArm",
        "左腕捩": "leftUpperArm",
        "左腕捩1": "leftUpperArm",
        "左ひじ": "leftLowerArm",
        "両目": "hips",
        "左目": "leftEye",
        "物": None,
    }
    joints = {name: made.bones[index].name for name, index in humanoid_joints(made).items()}
    assert joints == {
        "hips": "下半身",
        "leftEye": "左目",
        "leftUpperLeg": "左足",
        "leftUpperArm": "左腕",
        "leftLowerArm": "左ひじ",
    }


def test_bones_in_circles_and_in_long_chains_end() -> None:
    count = 20_000
    chain = [replace(bone(f"b{number}"), parent=number - 1 if number else None) for number in range(count)]
    round_ = [replace(bone(f"c{number}"), parent=count + (number + 1) % 3) for number in range(3)]
    started = time.process_time()

    found = carriers_of(replace(small_character(), bones=(*reversed(chain), *round_)))

    assert (found == -1).all()
    assert time.process_time() - started < 5


@pytest.mark.parametrize(
    ("model", "least"),
    [
        ("gene/Gene_light.pmx", 50),
        ("uka/MS_Uka.pmd", 50),
        ("vrm_godette/Godette_vrm_v4.vrm", 30),
        ("vrm_cool_loops_v0/cool_loops.vrm", 50),
    ],
)
def test_real_characters_have_arms_and_legs(real_models: Path, model: str, least: int) -> None:
    path = real_models / model
    character = read_character(path.suffix, path.read_bytes())
    joints = humanoid_joints(character)

    assert len(joints) >= least
    assert list(joints) == [name for name in HUMANOID_BONES if name in joints]
    x = {name: character.bones[index].position[0] * character.axes.to_world[0][0] for name, index in joints.items()}
    for name in joints:
        if name.startswith("left"):
            assert x[name] > x["right" + name.removeprefix("left")], name
    # Nearly all that is drawn hangs on some bone of the humanoid.
    held = carriers_of(character)[character.bone_indices[:, 0]] >= 0
    assert held.mean() > 0.95
