"""The decision: what is measured overrules what is named. Each character here breaks an annotation by names."""

from dataclasses import replace
from unittest.mock import patch

import numpy as np
import pytest

from farm.morphs.agreement import half
from farm.morphs.annotation import SourceMorph, annotate
from farm.morphs.decision import LEAST, STRICT, Decision, Proposal, decide
from farm.morphs.evidence import Evidence, PictureChange
from farm.morphs.panels import Panel
from tests.farm.morphs.invented import (
    BOTH,
    LEFT,
    ORDINARY,
    RIGHT,
    Invented,
    Shape,
    brow,
    closed,
    comic,
    measured,
    ordinary,
    small_iris,
    smiling,
    wide,
)

EYE, EYEBROW, MOUTH = Panel.EYE, Panel.EYEBROW, Panel.MOUTH
ANGRY = tuple(target for target in ORDINARY if target.startswith("eyebrow/angry"))
RAISED = tuple(target for target in ORDINARY if target.startswith("eyebrow/raised"))
OUTER_UP = brow(0.02, 0.03)
"""Raises a brow, otherwise than ORDINARY does: mostly its outer end."""
NO_CHANGE = PictureChange(count=0, picture_left=0, picture_right=0)
WINKS = ("eye/closed/left", "eye/closed/right")


def _decided(character: Invented) -> dict[str, int]:
    return {target: morph.index for target, morph in decide(character.morphs, character.evidence).annotation.items()}


def _by_names(character: Invented) -> dict[str, int]:
    return {target: morph.index for target, morph in annotate(character.morphs).items()}


def _reasons(decision: Decision, target: str) -> str:
    return "; ".join(next(proposal for proposal in decision.proposals if proposal.target == target).reasons)


def test_a_character_whose_names_are_true_is_annotated_by_them() -> None:
    assert _decided(ordinary()) == {target: index for index, target in enumerate(ORDINARY)}


def test_the_side_that_moves_overrules_the_side_in_the_name() -> None:
    character = ordinary(WINKS)
    right = character.add("ウィンク２", EYE, measured(closed(), RIGHT))
    left = character.add("ｳｨﾝｸ２右", EYE, measured(closed(), LEFT))

    decision = decide(character.morphs, character.evidence)

    assert decision.annotation["eye/closed/left"].index == left
    assert decision.annotation["eye/closed/right"].index == right
    assert "named ｳｨﾝｸ２右, moves the character's left: taken as left" in _reasons(decision, "eye/closed/left")
    assert _by_names(character)["eye/closed/left"] == right


def test_a_character_whose_names_are_all_mirrored_is_annotated_as_if_they_were_not() -> None:
    character = ordinary()
    mirrored = character.renamed(lambda name: name.translate(str.maketrans("左右", "右左")))

    assert _decided(mirrored) == _decided(character)
    assert _by_names(mirrored) != _by_names(character)


def test_a_wink_that_smiles_plays_nothing_where_the_blink_is_plain() -> None:
    character = ordinary(WINKS)
    smile = character.add("ウィンク", EYE, measured(smiling(), LEFT))
    character.add("ウィンク右", EYE, measured(smiling(), RIGHT))

    decision = decide(character.morphs, character.evidence)

    assert not set(WINKS) & set(decision.annotation)
    assert "otherwise than morph 0" in decision.rejected[smile][0]


def test_the_plain_wink_plays_whichever_of_two_it_is() -> None:
    character = ordinary(WINKS)
    character.add("ウィンク２", EYE, measured(smiling(), LEFT))
    plain = character.add("ウィンク", EYE, measured(closed(), LEFT))

    assert _decided(character)["eye/closed/left"] == plain
    assert _by_names(character)["eye/closed/left"] != plain


@pytest.mark.parametrize("shape", [closed(), closed(0.95), comic()])
def test_an_eye_closed_to_a_bar_is_not_half_closed(shape: Shape) -> None:
    character = ordinary(["eye/half_closed/both"])
    character.add("なごみ", EYE, measured(shape))

    assert "eye/half_closed/both" not in _decided(character)
    assert "eye/half_closed/both" in _by_names(character)


def test_a_serious_brow_that_slopes_as_an_angry_one_plays_it() -> None:
    character = ordinary(ANGRY)
    serious = character.add("真面目", EYEBROW, measured(brow(-0.015, 0.05)))

    assert _decided(character)["eyebrow/angry/both"] == serious
    assert "eyebrow/angry/both" not in _by_names(character)


@pytest.mark.parametrize("shape", [brow(0.02), brow(0.02, -0.04)])
def test_an_angry_brow_that_only_rises_plays_nothing(shape: Shape) -> None:
    character = ordinary(ANGRY)
    raised = character.add("怒り", EYEBROW, measured(shape))

    assert raised not in _decided(character).values()
    assert raised in _by_names(character).values()


def test_surprise_that_only_shrinks_the_iris_is_not_wide() -> None:
    character = ordinary(["eye/wide/both"])
    character.add("びっくり", EYE, measured(small_iris()))

    assert "eye/wide/both" not in _decided(character)
    assert "eye/wide/both" in _by_names(character)


def test_a_morph_named_for_both_sides_that_moves_one_is_that_side() -> None:
    character = ordinary(["eye/wide/both"])
    one = character.add("びっくり", EYE, measured(wide(), RIGHT))

    decided = _decided(character)

    assert decided["eye/wide/right"] == one
    assert "eye/wide/both" not in decided


@pytest.mark.parametrize(
    "nothing",
    [Evidence(), Evidence(picture=NO_CHANGE), measured(closed(), pixels=(2, 2))],
)
def test_what_changes_nothing_that_shows_is_not_annotated(nothing: Evidence) -> None:
    character = ordinary(["mouth/a"])
    dead = character.add("あ", MOUTH, nothing)

    decision = decide(character.morphs, character.evidence)

    assert "mouth/a" not in decision.annotation
    assert decision.rejected[dead] == ("it changes nothing that shows",)


def test_of_two_with_one_name_the_one_that_does_it_plays() -> None:
    character = ordinary(["eye/closed/both", *WINKS])
    character.add("まばたき", EYE, measured(brow(0.01)))
    true = character.add("まばたき", EYE, measured(closed()))

    assert _decided(character)["eye/closed/both"] == true
    assert _by_names(character)["eye/closed/both"] != true


def test_what_is_odd_beside_both_sides_is_dropped_and_its_fellow_stays() -> None:
    character = ordinary(["eyebrow/raised/left"])
    odd = character.add("上左", EYEBROW, measured(brow(0.015, 0.03), LEFT))

    decision = decide(character.morphs, character.evidence)

    assert "eyebrow/raised/left" not in decision.annotation
    assert "eyebrow/raised/right" in decision.annotation
    assert odd in decision.rejected


def _with_brows(names: tuple[str, str, str], shape: Shape) -> tuple[Invented, list[int]]:
    """A character with a lone 上 and, after it, morphs of that shape for both sides, the left and the right."""
    character = ordinary(RAISED)
    character.add("上", EYEBROW, measured(brow(0.04)))
    moving = zip(names, (BOTH, LEFT, RIGHT), strict=True)
    return character, [character.add(name, None, measured(shape, sides)) for name, sides in moving]


@pytest.mark.parametrize(
    "names",
    [
        ("browOuterUp", "browOuterUpLeft", "browOuterUpRight"),
        ("browOuterUp", "browOuterUpRight", "browOuterUpLeft"),
        ("眉上", "左眉上", "右眉上"),
    ],
)
def test_of_two_wholes_the_one_whose_halves_are_there_plays_and_so_do_they(names: tuple[str, str, str]) -> None:
    character, of_a_set = _with_brows(names, OUTER_UP)

    decision = decide(character.morphs, character.evidence)

    assert [decision.annotation[target].index for target in RAISED] == of_a_set
    assert f"morphs {of_a_set[1]} and {of_a_set[2]} are its halves" in _reasons(decision, RAISED[0])
    lone = of_a_set[0] - 1
    assert decision.rejected[lone][0].startswith(f"{RAISED[0]}: morph {of_a_set[0]} goes before it, since morphs")
    assert _by_names(character)[RAISED[0]] == lone


def test_three_whose_names_tell_no_sides_apart_are_no_set() -> None:
    character, _ = _with_brows(("眉上左", "眉上", "右眉上"), OUTER_UP)

    assert {target: index for target, index in _decided(character).items() if target in RAISED} == {
        RAISED[0]: len(character.morphs) - 4
    }


def test_a_set_that_agrees_in_another_movement_than_its_names_plays_nothing() -> None:
    character = ordinary(ANGRY)
    for name, sides in (("怒り", BOTH), ("怒り左", LEFT), ("怒り右", RIGHT)):
        character.add(name, EYEBROW, measured(brow(0.02), sides))

    assert not set(ANGRY) & set(_decided(character))
    assert set(ANGRY) <= set(_by_names(character))


def test_a_name_given_to_hundreds_of_morphs_costs_by_the_morphs_and_not_by_their_pairs() -> None:
    character = ordinary(RAISED)
    for name, sides in (("眉上", BOTH), ("眉上左", LEFT)):
        for _ in range(300):
            character.add(name, EYEBROW, measured(brow(0.03, -0.01), sides))

    with patch("farm.morphs.decision.half", wraps=half) as compared:
        _decided(character)

    assert compared.call_count < 10 * len(character.morphs)


def test_names_that_nobody_has_seen_are_found_by_what_they_do() -> None:
    character = ordinary()
    strange = Invented(
        [replace(morph, name=f"動作{i:c}", panel=None) for i, morph in enumerate(character.morphs, 97)],
        character.evidence,
    )

    decision = decide(strange.morphs, strange.evidence)

    true = {target: index for index, target in enumerate(ORDINARY)}
    assert {target: morph.index for target, morph in decision.annotation.items()}.items() <= true.items()
    assert {"eyebrow/raised/left", "eyebrow/lowered/right", "eyebrow/angry/both"} <= set(decision.annotation)
    chosen = {(morph.index, target) for target, morph in decision.annotation.items()}
    assert all(each.confidence >= STRICT for each in decision.proposals if (each.morph, each.target) in chosen)
    assert not _by_names(strange)


@pytest.mark.parametrize("seed", range(8))
def test_names_shuffled_within_eyes_and_brows_mislead_nobody(seed: int) -> None:
    character = ordinary()
    morphs = list(character.morphs)
    for panel in (EYE, EYEBROW):
        places = [index for index, morph in enumerate(morphs) if morph.panel is panel]
        for place, other in zip(places, np.random.default_rng(seed).permutation(places), strict=True):
            morphs[place] = replace(morphs[place], name=character.morphs[other].name)

    decided = decide(morphs, character.evidence).annotation

    true = {target: index for index, target in enumerate(ORDINARY)}
    assert {target: morph.index for target, morph in decided.items()}.items() <= true.items()
    assert len(decided) >= 12


@pytest.mark.parametrize(("one", "other"), [("あ", "お"), ("え", "お")])
def test_vowels_whose_names_are_exchanged_play_nothing(one: str, other: str) -> None:
    character = ordinary()
    exchanged = character.renamed(lambda name: {one: other, other: one}.get(name, name))
    places = {index for index, morph in enumerate(exchanged.morphs) if morph.name in (one, other)}

    assert not places & set(_decided(exchanged).values())
    assert places <= set(_by_names(exchanged).values())


def test_vowels_whose_names_are_all_mixed_up_play_nothing() -> None:
    character = ordinary()
    mixed = character.renamed(lambda name: dict(zip("あいうえお", "うえいおあ", strict=True)).get(name, name))

    assert not any(target.startswith("mouth/") for target in _decided(mixed))


def test_a_fringe_over_one_eye_makes_no_side() -> None:
    character = ordinary(["eye/closed/both"])
    blink = character.add("まばたき", EYE, measured(closed(), pixels=(300, 0)))

    assert _decided(character)["eye/closed/both"] == blink


def test_a_texture_that_swaps_is_of_the_side_whose_pixels_change() -> None:
    character = ordinary(["eye/closed/right"])
    swap = Evidence(picture=PictureChange(count=240, picture_left=240, picture_right=0))
    texture = character.add("まばたき左", EYE, swap, kind="material")

    assert _decided(character)["eye/closed/right"] == texture


def test_without_evidence_the_name_counts_and_a_side_in_it_for_less() -> None:
    character = ordinary()

    measured_ones, named = (decide(character.morphs, evidence) for evidence in (character.evidence, {}))

    assert named.annotation["eyebrow/raised/left"] == measured_ones.annotation["eyebrow/raised/left"]
    sure, guessed = (
        next(each.confidence for each in decision.proposals if each.target == "eyebrow/raised/left")
        for decision in (measured_ones, named)
    )
    assert LEAST < guessed < 0.9 < sure


def test_one_morph_plays_one_target_and_the_best_proposal_is_the_chosen_one() -> None:
    character = ordinary()
    decision = decide(character.morphs, character.evidence)

    indices = [morph.index for morph in decision.annotation.values()]
    assert len(indices) == len(set(indices))
    first: dict[str, Proposal] = {}
    for proposal in decision.proposals:
        first.setdefault(proposal.target, proposal)
    assert all(first[target].morph == morph.index for target, morph in decision.annotation.items())
    assert all(0 <= proposal.confidence <= 1 and proposal.reasons for proposal in decision.proposals)
    assert all(first[target].confidence >= LEAST for target in decision.annotation)


def test_headings_and_characters_without_morphs_are_decided_too() -> None:
    assert decide([], {}) == Decision({}, (), {}, {})
    heading = SourceMorph("まばたき", "group", EYE, moved=0)
    assert decide([heading], {}).rejected == {0: ("it moves nothing",)}
