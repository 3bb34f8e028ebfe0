"""What the evidence lets a morph play when a person says that its name stands for a target."""

import pytest

from farm.morphs.judgement import Judgement, let_pass, may_play
from farm.morphs.vocabulary import Side

LEFT_EYE = Judgement(shows=True, side=Side.LEFT, target="eye/closed/left", parts=("eye",), denied={})


def test_what_was_not_measured_is_believed() -> None:
    textures = Judgement(shows=True, side=None, target=None, parts=None, denied={})

    for judgement in (None, textures):
        assert let_pass("mouth/a", judgement) == ("mouth/a", "")


@pytest.mark.parametrize(("said", "part"), [("mouth/a", "mouth"), ("eyebrow/raised/left", "brows")])
def test_a_morph_of_another_part_plays_nothing(said: str, part: str) -> None:
    assert let_pass(said, LEFT_EYE) == (None, f"what it moves is not the {part}")
    assert not may_play(said, LEFT_EYE)


def test_of_its_own_part_it_plays_the_side_that_it_moves() -> None:
    assert let_pass("eye/wide/right", LEFT_EYE) == ("eye/wide/left", "it moves the character's left")
    assert may_play("eye/wide/left", LEFT_EYE)


def test_where_targets_beyond_the_23_move_is_not_known() -> None:
    assert may_play("mouth/cheeks_puffed", LEFT_EYE)
    assert may_play("face/joy", LEFT_EYE)


def test_what_changes_nothing_and_what_is_denied_plays_nothing() -> None:
    nothing = Judgement(shows=False, side=None, target=None, parts=None, denied={})
    smiling = Judgement(shows=True, side=Side.BOTH, target=None, parts=("eye",), denied={"eye/closed": "it smiles"})

    assert let_pass("eye/closed/both", nothing) == (None, "it changes nothing that shows")
    assert let_pass("eye/closed/both", smiling) == (None, "it smiles")


def test_a_side_is_that_of_the_part_that_is_spoken_of() -> None:
    # GIVEN what slopes the left brow and shuts the right eye
    sides = {"eyebrow": Side.LEFT}
    apart = Judgement(True, Side.RIGHT, target=None, parts=("eye", "eyebrow"), denied={}, sides=sides)

    assert let_pass("eyebrow/angry/both", apart) == ("eyebrow/angry/left", "it moves the character's left")
    assert let_pass("eyebrow/angry/right", apart)[0] == "eyebrow/angry/left"
    assert may_play("eye/closed/right", apart)
