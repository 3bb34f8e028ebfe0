"""What is played that no morph of the model plays: pairs for both sides, halves for one."""

from farm.morphs.combinations import Combination, combinations, half_number, halves
from farm.morphs.refs import Annotation, MorphRef
from farm.morphs.vocabulary import Side, all_targets

EVERYTHING = all_targets()
LEFT, RIGHT, BOTH = (
    MorphRef(index=index, name=name) for index, name in enumerate(("ウィンク", "ウィンク右", "まばたき"))
)


def found(annotation: Annotation) -> dict[str, Combination]:
    return combinations(annotation, EVERYTHING)


def test_two_sides_together_play_both() -> None:
    assert found({"eye/closed/left": LEFT, "eye/closed/right": RIGHT}) == {
        "eye/closed/both": Combination(of=(LEFT, RIGHT))
    }


def test_each_half_of_both_plays_the_side_that_is_missing() -> None:
    assert found({"eye/closed/both": BOTH}) == {
        "eye/closed/left": Combination(of=(BOTH,), half=Side.LEFT),
        "eye/closed/right": Combination(of=(BOTH,), half=Side.RIGHT),
    }
    assert list(found({"eye/closed/both": BOTH, "eye/closed/left": LEFT})) == ["eye/closed/right"]


def test_nothing_is_made_of_one_side_of_other_semantics_or_of_what_has_no_sides() -> None:
    assert found({"eye/closed/left": LEFT, "eye/wide/right": RIGHT, "mouth/a": BOTH}) == {}


def test_only_what_is_wanted_is_made() -> None:
    annotation = {"eye/closed/both": BOTH, "mouth/smile/both": LEFT}

    assert set(combinations(annotation, {"eye/closed/left"})) == {"eye/closed/left"}


def test_halves_have_numbers_of_their_own() -> None:
    numbers = [half_number(index, side) for index in range(100) for side in (Side.LEFT, Side.RIGHT)]

    assert len(set(numbers)) == len(numbers)
    assert max(numbers) < 0
    left, right = half_number(2, Side.LEFT), half_number(2, Side.RIGHT)
    assert halves(found({"eye/closed/both": BOTH})) == {left: (2, Side.LEFT), right: (2, Side.RIGHT)}
