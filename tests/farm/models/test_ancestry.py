"""What bones have from the bones above them, however their parents run."""

from farm.models.ancestry import inherited


def test_the_nearest_above_counts() -> None:
    assert inherited([-1, 0, 1, 2, 0], {1: "arm", 3: "hand"}, "") == ["", "arm", "arm", "hand", ""]


def test_circles_end() -> None:
    assert inherited([1, 2, 0, 2, 3], {}, 0) == [0] * 5
    assert inherited([1, 2, 0, 2, 3], {1: 7}, 0) == [7] * 5
    assert inherited([0], {}, False) == [False]


def test_a_chain_as_long_as_a_file_likes_takes_no_time() -> None:
    count = 200_000
    assert inherited([*range(1, count), -1], {count - 1: 1}, 0) == [1] * count
