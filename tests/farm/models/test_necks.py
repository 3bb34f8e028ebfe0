"""Characters whose rig has a head bone and no neck bone."""

from dataclasses import replace

import numpy as np
import pytest

from farm.errors import NoNeckBoneError
from farm.models import inventory
from farm.models.description import Character
from farm.models.mmd.pmd_writer import pmd_bytes
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.necks import with_neck
from farm.models.package import read_character
from farm.models.skeleton import turning_bones
from tests.support.characters import mascot

WRITERS = {".pmx": pmx_bytes, ".pmd": pmd_bytes}


def without_neck(character: Character, head: str = "頭") -> Character:
    """The character with its neck's weights on the head bone, and the neck's bone called something else."""
    neck, top, _ = turning_bones(character)
    held = np.where(character.bone_indices == neck, top, character.bone_indices).astype(np.int32)
    bones = list(character.bones)
    bones[neck] = replace(bones[neck], name="補助", name_en="helper")
    bones[top] = replace(bones[top], name=head, name_en="", parent=bones[neck].parent)
    return replace(character, bones=tuple(bones), bone_indices=held)


@pytest.mark.parametrize("suffix", WRITERS)
@pytest.mark.parametrize("head", ["頭", "Head", "mixamorig:Head"])
def test_a_character_without_a_neck_bone_gets_one(suffix: str, head: str) -> None:
    usual = read_character(suffix, WRITERS[suffix](mascot("nagi")))
    height = float(usual.positions[:, 1].max()) - usual.bones[turning_bones(usual)[0]].position[1]

    found = read_character(suffix, WRITERS[suffix](without_neck(mascot("nagi"), head)))

    # THEN the neck is where that of the same character with a neck is, by a tenth of its head
    neck, top, _ = turning_bones(found)
    assert found.bones[top].name == head
    assert found.bones[top].parent == neck == len(found.bones) - 1
    assert found.bones[neck].position == pytest.approx(usual.bones[turning_bones(usual)[0]].position, abs=0.1 * height)
    # AND its morphs play what they play there, and a warning tells of it
    held, full = (inventory.of_character(one, {}, []) for one in (found, usual))
    assert held.annotation == full.annotation
    assert len(held.annotation) >= 20
    assert [warning for warning in held.warnings if "no neck bone" in warning]
    assert not [warning for warning in full.warnings if "no neck bone" in warning]


def test_what_is_no_character_gets_none() -> None:
    hat = replace(without_neck(mascot("momo")), morphs=())

    assert with_neck(hat) is hat
    with pytest.raises(NoNeckBoneError, match="Name the bone 首"):
        inventory.of_character(read_character(".pmx", pmx_bytes(hat)), {}, [])


def test_who_has_a_neck_stays_as_it_is() -> None:
    assert with_neck(mascot("momo")) is mascot("momo")
