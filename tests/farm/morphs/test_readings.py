"""Readings of names."""

import pytest

from farm.morphs.readings import reading


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("まばたき", "mabataki"),
        ("ウィンク２右", "uinku 2 migi"),
        ("ｳｨﾝｸ２右", "uinku 2 migi"),
        ("真面目", "majime"),
        ("blink_L", ""),
        ("▲", ""),
        ("윙크", ""),
    ],
)
def test_japanese_names_are_read_and_others_left_alone(name: str, read: str) -> None:
    assert reading(name) == read
