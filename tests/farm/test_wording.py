"""Numbers and times as people read them."""

import pytest

from farm.wording import counted, duration, gathered, moment, number


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


def test_one_of_something_is_no_plural() -> None:
    assert [counted(n, "model") for n in (0, 1, 2)] == ["0 models", "1 model", "2 models"]
    assert [counted(n, "batch is", "batches are") for n in (1, 2)] == ["1 batch is", "2 batches are"]


def test_sentences_of_one_kind_become_one_that_names_a_few_others() -> None:
    lost = [f"Texture 'tex/{n}.png' is not there; 'plain {n}' is drawn." for n in range(28)]
    alone = "Morph 'あ' moves 3 vertices that do not exist."

    assert gathered([*lost[:2], alone, *lost[2:], alone]) == [
        "Texture 'tex/0.png' is not there; 'plain 0' is drawn. So it is with 27 others: 'tex/1.png', 'tex/2.png', "
        "'tex/3.png' and 24 more.",
        alone,
    ]
    assert gathered([alone, alone.replace("あ", "い").replace("3", "15")]) == [f"{alone} So it is with 1 other: 'い'."]
    assert gathered(["3 weights.", "4 weights."]) == ["3 weights.", "4 weights."]
    assert gathered([]) == []
