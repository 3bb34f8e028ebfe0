"""What a morph changes in a picture, counted."""

import numpy as np

from farm.morphs.comparison import PICTURE_SIZE, box_of, picture_change


def test_changed_pixels_are_counted_by_halves_and_boxed() -> None:
    neutral = np.full((PICTURE_SIZE, PICTURE_SIZE, 3), 100, np.uint8)
    applied = neutral.copy()
    applied[40:44, 100:110] = 109  # 27 of 765
    applied[200, 130] = 0
    applied[0, 0] = 108  # 24: not more than that

    change = picture_change(neutral, applied)

    assert (change.count, change.picture_left, change.picture_right) == (41, 40, 1)
    assert change.box == (100, 40, 131, 201)


def test_what_does_not_change_has_no_box() -> None:
    same = np.zeros((PICTURE_SIZE, PICTURE_SIZE, 3), np.uint8)

    assert picture_change(same, same).model_dump() == {
        "count": 0, "picture_left": 0, "picture_right": 0, "box": None,
    }  # fmt: skip
    assert box_of(np.zeros((3, 3), bool)) is None
