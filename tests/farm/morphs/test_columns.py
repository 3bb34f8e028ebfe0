"""Columns of a pose for targets beyond the 23."""

from farm.morphs.columns import columns_of, extended_targets, extra_columns, extra_values
from farm.morphs.vocabulary import POSE_NAMES, all_targets


def test_every_target_beyond_the_23_can_be_switched_on_and_none_of_them() -> None:
    assert set(extended_targets()) == {name for name, target in all_targets().items() if not target.sampled}


def test_both_sides_set_the_columns_of_either() -> None:
    assert columns_of("mouth/smile/both") == ("mouth_smile_left", "mouth_smile_right")
    assert columns_of("mouth/smile/left") == ("mouth_smile_left",)
    assert columns_of("face/joy") == ("face_joy",)


def test_columns_stand_once_in_the_vocabulary_s_order_and_beside_the_17() -> None:
    assert extra_columns(("face/joy", "mouth/smile/right", "mouth/smile/both")) == (
        "face_joy",
        "mouth_smile_left",
        "mouth_smile_right",
    )
    columns = extra_columns(extended_targets())
    assert len(columns) == len(set(columns))
    assert not set(columns) & set(POSE_NAMES)


def test_what_is_not_switched_on_has_no_column() -> None:
    weights = {"mouth/smile/both": 0.25, "face/joy": 0.5}

    assert extra_values(weights, ("mouth/smile/both",)) == (0.25, 0.25)
    assert extra_values(weights, ()) == ()
