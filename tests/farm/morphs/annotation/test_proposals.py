"""What plays a target where nobody says otherwise: the vocabulary's proposals."""

import pytest

from farm.morphs.annotation import (
    annotate,
    read_table,
    sampled_targets,
)
from tests.farm.morphs.annotation.model import MODEL, MOUTH, PROPOSED, morph_of, ref_to


def test_without_a_table_the_vocabulary_decides() -> None:
    assert annotate(MODEL) == PROPOSED


def test_the_result_stands_in_the_vocabulary_s_order_whatever_the_model_s() -> None:
    assert list(annotate(reversed(MODEL))) == list(PROPOSED)


def test_of_equally_good_morphs_the_earlier_one_plays_the_target() -> None:
    assert annotate([morph_of("まばたき"), morph_of("ﾏﾊﾞﾀｷ"), morph_of("まば たき")]) == {
        "eye/closed/both": ref_to(0, "まばたき")
    }


@pytest.mark.parametrize("first", [0, 1])
def test_a_better_name_wins_in_either_order(first: int) -> None:
    pair = [morph_of("ウィンク"), morph_of("ウィンク２")]

    assert annotate([pair[first], pair[1 - first]]) == {"eye/closed/left": ref_to(1 - first, "ウィンク２")}


def test_a_morph_that_moves_nothing_plays_nothing() -> None:
    heading = morph_of("まばたき", moved=0)

    assert annotate([heading, morph_of("blink")]) == {"eye/closed/both": ref_to(1, "blink")}
    assert annotate([heading], read_table("source_morph,target\nまばたき,eye/closed/both\n")) == {}


def test_only_the_23_count_as_sampled() -> None:
    found = annotate([morph_of("まばたき"), morph_of("笑い"), morph_of("あ", MOUTH)])

    assert [target.name for target in sampled_targets(found)] == ["eye/closed/both", "mouth/a"]
    assert found["eye/happy"] == ref_to(1, "笑い")
