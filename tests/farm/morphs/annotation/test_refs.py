"""Morphs are named by their index: of one name twice, the one that plays; bare names of old tables; references as JSON."""

import json

import pytest
from pydantic import ValidationError

from farm.errors import MappingError
from farm.morphs.annotation import (
    annotate,
    check_annotation,
    read_table,
    resolve,
    table_csv,
)
from farm.morphs.panels import Panel
from farm.morphs.refs import BARE, MorphRef, packed, unpacked
from tests.farm.morphs.annotation.model import EYEBROW, MODEL, MOUTH, PROPOSED, morph_of, ref_to


def test_of_morphs_with_one_name_the_one_that_moves_something_plays() -> None:
    twice = [morph_of("まばたき", moved=0), morph_of("あ", MOUTH), morph_of("まばたき"), morph_of("まばたき")]
    table = read_table("source_morph,target\nまばたき,eye/closed/both\n")

    expected = {"eye/closed/both": ref_to(2, "まばたき"), "mouth/a": ref_to(1, "あ")}
    assert annotate(twice) == annotate(twice, table) == expected


def test_of_morphs_with_one_name_in_two_panels_the_panel_decides() -> None:
    for order in (1, -1):
        morphs = [morph_of("上", MOUTH), morph_of("上", EYEBROW)][::order]
        eyebrow = ref_to([1, 0][(1 - order) // 2], "上")

        assert annotate(morphs) == {"eyebrow/raised/both": eyebrow}
        mouth = read_table("source_morph,panel,target\n上,mouth,mouth/u\n")
        assert annotate(morphs, mouth) == {"eyebrow/raised/both": eyebrow, "mouth/u": ref_to(1 - eyebrow.index, "上")}


def test_of_one_name_in_two_panels_the_earlier_morph_plays_with_the_table_and_without() -> None:
    for order in (1, -1):
        morphs = [morph_of("まばたき"), morph_of("まばたき", Panel.OTHER)][::order]

        expected = {"eye/closed/both": ref_to(0, "まばたき")}
        assert annotate(morphs) == annotate(morphs, read_table(table_csv([morphs]))) == expected


def test_an_annotation_by_hand_must_name_what_exists() -> None:
    check_annotation({"eye/happy": ref_to(6, "照れ")}, MODEL)
    with pytest.raises(MappingError, match="'eye/sad' is no target morph"):
        check_annotation({"eye/sad": ref_to(6, "照れ")}, MODEL)
    with pytest.raises(MappingError, match=r"no morph 7 \('照れ'\) to play 'eye/happy': it has 7, counted from 0"):
        check_annotation({"eye/happy": ref_to(7, "照れ")}, MODEL)
    with pytest.raises(MappingError, match="Morph 5 of the model is 'あ', not '照れ'"):
        check_annotation({"eye/happy": ref_to(5, "照れ")}, MODEL)


def test_a_name_that_nobody_resolved_is_no_morph() -> None:
    with pytest.raises(MappingError, match="no morph -1"):
        check_annotation({"eye/happy": ref_to(BARE, "照れ")}, MODEL)


def test_a_bare_name_means_the_first_morph_of_it_that_moves_something() -> None:
    twice = [morph_of("照れ", moved=0), morph_of("照れ"), morph_of("照れ")]

    assert resolve({"eye/happy": ref_to(BARE, "照れ")}, twice) == {"eye/happy": ref_to(1, "照れ")}
    with pytest.raises(MappingError, match="no morph '笑い' that moves something, to play 'eye/happy'"):
        resolve({"eye/happy": ref_to(BARE, "笑い")}, twice)
    with pytest.raises(MappingError, match="no morph '照れ' that moves something"):
        resolve({"eye/happy": ref_to(BARE, "照れ")}, twice[:1])


def test_a_bare_name_in_two_panels_is_the_one_that_stands_for_the_target_there() -> None:
    morphs = [morph_of("上", MOUTH), morph_of("上", EYEBROW)]

    found = resolve({"eyebrow/raised/both": ref_to(BARE, "上"), "mouth/u": ref_to(BARE, "上")}, morphs)

    assert found == {"eyebrow/raised/both": ref_to(1, "上"), "mouth/u": ref_to(0, "上")}


def test_what_has_an_index_is_left_as_it_is_and_checked() -> None:
    assert resolve(PROPOSED, MODEL) == PROPOSED
    with pytest.raises(MappingError, match="Morph 0 of the model is 'まばたき', not 'あ'"):
        resolve(PROPOSED | {"mouth/a": ref_to(0, "あ")}, MODEL)


def test_a_reference_has_one_form_as_json_and_is_a_key() -> None:
    assert ref_to(3, "まばたき").model_dump_json() == '{"index":3,"name":"まばたき"}'
    assert {ref_to(3, "あ"): 1}[ref_to(3, "あ")] == 1
    assert ref_to(3, "あ") != ref_to(4, "あ")
    assert list(annotate(MODEL)) == list(unpacked(json.loads(json.dumps(packed(annotate(MODEL))))))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"index": 3, "name": "あ"}, ref_to(3, "あ")),
        ([3, "あ"], ref_to(3, "あ")),
        ("あ", ref_to(BARE, "あ")),
        ("3", ref_to(BARE, "3")),
    ],
)
def test_a_reference_is_read_in_every_form_that_was_ever_kept(given: object, read: MorphRef) -> None:
    assert MorphRef.model_validate_json(json.dumps(given)) == read


@pytest.mark.parametrize(
    "given", [3, None, [3], [3, "あ", 1], ["あ", 3], {"name": "あ"}, {"index": -2, "name": "あ"}, [1.5, "あ"]]
)
def test_anything_else_is_no_reference(given: object) -> None:
    with pytest.raises(ValidationError):
        MorphRef.model_validate_json(json.dumps(given))
