"""The neck and the head among the bones of any rig."""

import pytest

from farm.errors import NoNeckBoneError
from farm.models.skeleton import find_neck_and_head


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
