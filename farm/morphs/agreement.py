"""What the morphs of one character have to have in common: a half moves as the whole does, and vowels differ as lips do."""

from collections.abc import Mapping
from enum import StrEnum

from farm.morphs.scoring import Weights

ALIKE, TOLERANCE = 0.1, 0.3
"""Spreads (`Weights.distance`): a one-sided morph this near to the morph of both sides is its half; one further than the
tolerance is another thing. Of the proper pairs among 37 characters nine in ten are under 0.05, all under 0.25."""

VOWELS = (
    ("apart", "a", "i"),
    ("apart", "o", "i"),
    ("spread", "a", "o"),
    ("spread", "a", "u"),
    ("spread", "e", "o"),
    ("spread", "e", "u"),
    ("spread", "i", "o"),
    ("spread", "i", "u"),
)
"""Trait, the vowel that has more of it, the vowel that has less: a and o open the mouth, o and u round it. So it is in all of
the 37 characters, within SLACK."""
SLACK = 0.1
"""In units of the trait."""


class Half(StrEnum):
    """How a one-sided morph stands to the one of both sides."""

    ALIKE = "alike"
    NEAR = "near"
    ODD = "odd"


def half(part: str, one: Mapping[str, float], whole: Mapping[str, float], fitted: Weights) -> Half:
    """Whether the traits `one`, of a one-sided morph, are those of half of `whole`."""
    apart = fitted.distance(part, one, whole)
    return Half.ALIKE if apart <= ALIKE else Half.NEAR if apart <= TOLERANCE else Half.ODD


def contradicted(vowels: Mapping[str, Mapping[str, float]]) -> dict[str, str]:
    """Which of the vowels (letter to traits) cannot be what they are called, and why.

    The one that is in all contradictions goes; of two that blame each other both; and where there is no such one, all: then
    the names are mixed up.
    """
    found = [
        ({more, less}, f"{more} {_LESS[trait]} {less}, and should not")
        for trait, more, less in VOWELS
        if more in vowels and less in vowels and vowels[more][trait] < vowels[less][trait] - SLACK
    ]
    if not found:
        return {}
    blamed = set.intersection(*(pair for pair, _ in found)) or set(vowels)
    return dict.fromkeys(sorted(blamed), found[0][1])


_LESS = {"apart": "parts the lips less than", "spread": "makes the mouth less wide than"}
