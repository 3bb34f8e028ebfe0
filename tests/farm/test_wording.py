"""Numbers and times as people read them."""

import pytest

from farm.wording import duration, moment, number


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.2, "under 1 s"), (1, "1 s"), (59.7, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (7520, "2 h 5 min"),
        (90_000, "1 d 1 h"), (86_400 + 59, "1 d"),
    ],
)  # fmt: skip
def test_a_duration_is_said_in_its_two_largest_units(seconds: float, words: str) -> None:
    assert duration(seconds) == words


@pytest.mark.parametrize(
    ("value", "words"), [(0, "0"), (0.04, "0.0"), (9.96, "10.0"), (3.0, "3"), (1234567.4, "1,234,567")]
)
def test_a_number_is_as_exact_as_it_needs_to_be(value: float, words: str) -> None:
    assert number(value) == words


def test_a_moment_is_in_utc_whatever_it_was_said_in() -> None:
    assert moment(0.4).isoformat() == "1970-01-01T00:00:00+00:00" == moment("1970-01-01T02:00:00+02:00").isoformat()
