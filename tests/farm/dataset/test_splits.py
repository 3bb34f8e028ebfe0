"""Who trains and who tests."""

import hashlib

from farm.dataset.splits import TEST_MODELS, TEST_SHARE, draw_of, split_of


def _hash(number: int) -> str:
    return hashlib.sha256(str(number).encode()).hexdigest()


def test_the_share_for_testing_is_the_papers() -> None:
    hashes = [_hash(number) for number in range(20_000)]
    share = sum(split_of(model) == "test" for model in hashes) / len(hashes)

    assert round(3613 * TEST_SHARE) == TEST_MODELS == 294
    assert abs(share - TEST_SHARE) < 4 * (TEST_SHARE / len(hashes)) ** 0.5


def test_a_side_is_for_ever() -> None:
    """Written down: a change here moves models of data sets that are out."""
    assert [draw_of(_hash(number)) for number in range(4)] == [2175, 2441, 3261, 2299]
    assert split_of(_hash(0)) == "train"
    assert split_of(next(h for h in map(_hash, range(100)) if draw_of(h) < TEST_MODELS)) == "test"
