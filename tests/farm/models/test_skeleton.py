"""The neck and the head among the bones of any rig."""

import pytest

from farm.errors import NoNeckBoneError
from farm.models.description import Bone, BoneFlag
from farm.models.skeleton import find_neck_and_head, locate_neck_and_head


@pytest.mark.parametrize(
    ("names", "neck", "head", "rule"),
    [
        (["全ての親", "首", "頭"], "首", "頭", "MMD"),
        (["頭", "首"], "首", "頭", "MMD"),
        (["Head", "Neck"], "Neck", "Head", "English"),
        (["NECK", "HEAD"], "NECK", "HEAD", "English"),
        (["Ｎｅｃｋ", "head"], "Ｎｅｃｋ", "head", "English"),
        (["Bip01 Neck", "Bip01 Head"], "Bip01 Neck", "Bip01 Head", "English"),
        (["mixamorig:Neck", "mixamorig:Head"], "mixamorig:Neck", "mixamorig:Head", "Mixamo"),
        (["neck", "head", "首", "頭"], "首", "頭", "MMD"),
        (["首", "上半身"], "首", "首", "MMD"),
        (["首", "首", "頭"], "首", "頭", "MMD"),
    ],
)
def test_the_neck_is_found_japanese_before_english(names: list[str], neck: str, head: str, rule: str) -> None:
    found = find_neck_and_head(names)

    assert (found.neck, found.head, found.rule) == (neck, head, rule)


@pytest.mark.parametrize("names", [[], ["頭"], ["首飾り", "necklace", "手首"], ["Head"]])
def test_a_rig_without_a_neck_is_refused_with_what_to_do(names: list[str]) -> None:
    with pytest.raises(NoNeckBoneError, match="Name the bone 首"):
        find_neck_and_head(names)


@pytest.mark.parametrize(
    ("neck", "head"),
    [
        ("mixamorig1:Neck", "mixamorig1:Head"),
        ("J_Bip_C_Neck", "J_Bip_C_Head"),
        ("Armature_neck", "Armature_head"),
        ("rig|Neck.01", "rig|Head.01"),
        ("neck_01", "head"),
    ],
)
def test_the_rig_s_name_before_a_bone_does_not_hide_it(neck: str, head: str) -> None:
    found = find_neck_and_head(["Hips", head, neck, "Neckless", "Header", "Forehead"])

    assert (found.neck, found.head) == (neck, head)


def test_english_names_count_where_the_creator_s_own_say_nothing() -> None:
    bones = [
        Bone(name, english, (0.0, 0.0, 0.0), None, 0, BoneFlag(0))
        for name, english in (("ボーン1", "head"), ("ボーン2", "neck"))
    ]

    assert locate_neck_and_head(bones)[:2] == (1, 0)
