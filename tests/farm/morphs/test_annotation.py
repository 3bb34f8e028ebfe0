"""Annotation: the vocabulary's proposals, and the table with which a person corrects them."""

import csv
import io
import json
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from farm.errors import MappingError
from farm.morphs import annotation
from farm.morphs.annotation import (
    COLUMNS,
    SourceMorph,
    annotate,
    check_annotation,
    read_table,
    resolve,
    sampled_targets,
    table_csv,
)
from farm.morphs.panels import Panel
from farm.morphs.refs import BARE, MorphRef, packed, unpacked

EYE, EYEBROW, MOUTH = Panel.EYE, Panel.EYEBROW, Panel.MOUTH


def _morph(name: str, panel: Panel | None = EYE, moved: int = 10, kind: str = "vertex") -> SourceMorph:
    return SourceMorph(name, kind, panel, moved)


def _ref(index: int, name: str) -> MorphRef:
    return MorphRef(index=index, name=name)


MODEL = [
    _morph("まばたき"),
    _morph("ウィンク"),
    _morph("ウィンク２"),
    _morph("上", EYEBROW),
    _morph("上", Panel.OTHER),
    _morph("あ", MOUTH),
    _morph("照れ", Panel.OTHER, kind="material"),
]
PROPOSED = {
    "eye/closed/both": _ref(0, "まばたき"),
    "eye/closed/left": _ref(2, "ウィンク２"),
    "eyebrow/raised/both": _ref(3, "上"),
    "mouth/a": _ref(5, "あ"),
}


def test_without_a_table_the_vocabulary_decides() -> None:
    assert annotate(MODEL) == PROPOSED


def test_the_result_stands_in_the_vocabulary_s_order_whatever_the_model_s() -> None:
    assert list(annotate(reversed(MODEL))) == list(PROPOSED)


def test_of_equally_good_morphs_the_earlier_one_plays_the_target() -> None:
    assert annotate([_morph("まばたき"), _morph("ﾏﾊﾞﾀｷ"), _morph("まば たき")]) == {
        "eye/closed/both": _ref(0, "まばたき")
    }


@pytest.mark.parametrize("first", [0, 1])
def test_a_better_name_wins_in_either_order(first: int) -> None:
    pair = [_morph("ウィンク"), _morph("ウィンク２")]

    assert annotate([pair[first], pair[1 - first]]) == {"eye/closed/left": _ref(1 - first, "ウィンク２")}


def test_a_morph_that_moves_nothing_plays_nothing() -> None:
    heading = _morph("まばたき", moved=0)

    assert annotate([heading, _morph("blink")]) == {"eye/closed/both": _ref(1, "blink")}
    assert annotate([heading], read_table("source_morph,target\nまばたき,eye/closed/both\n")) == {}


def test_only_the_23_count_as_sampled() -> None:
    found = annotate([_morph("まばたき"), _morph("笑い"), _morph("あ", MOUTH)])

    assert [target.name for target in sampled_targets(found)] == ["eye/closed/both", "mouth/a"]
    assert found["eye/happy"] == _ref(1, "笑い")


def test_a_table_read_unedited_gives_the_proposals() -> None:
    assert annotate(MODEL, read_table(table_csv([MODEL]))) == PROPOSED


@given(
    st.lists(
        st.builds(
            _morph,
            st.sampled_from(["まばたき", "ｳｨﾝｸ２", "上", "怒り", "あ", "blink", "a", "é;,\"'"])
            | st.text(st.characters(exclude_categories=["Cs"]), max_size=6),
            st.sampled_from([*Panel, None]),
            st.just(1),
        ),
        max_size=12,
    )
)
def test_any_table_survives_csv(morphs: list[SourceMorph]) -> None:
    text = table_csv([morphs])

    assert annotate(morphs, read_table(text)) == annotate(morphs)
    assert annotate(morphs, read_table("\ufeff" + text.replace("\n", "\r\n"))) == annotate(morphs)


def test_the_table_has_a_row_for_each_name_and_panel_with_its_count() -> None:
    rows = list(csv.DictReader(io.StringIO(table_csv([MODEL, MODEL[:1], [_morph("まばたき", kind="group")]]))))

    assert tuple(rows[0]) == COLUMNS
    by_name = {(row["source_morph"], row["panel"]): row for row in rows}
    assert len(rows) == len(MODEL)
    blink = by_name["まばたき", "eye"]
    assert (blink["types"], blink["models"], blink["target"]) == ("group+vertex", "3", "eye/closed/both")
    assert by_name["上", "other"]["target"] == ""
    assert by_name["照れ", "other"]["types"] == "material"


def test_a_name_that_a_model_has_twice_counts_one_model() -> None:
    rows = list(csv.DictReader(io.StringIO(table_csv([[_morph("あ"), _morph("ｱ"), _morph("ア")]]))))

    assert [(row["source_morph"], row["models"]) for row in rows] == [("あ", "1"), ("ア", "1")]


def test_mapped_rows_stand_first_and_frequent_unknown_ones_before_rare() -> None:
    rare, often = _morph("謎1"), _morph("謎2")

    rows = [row["source_morph"] for row in csv.DictReader(io.StringIO(table_csv([[rare, often, *MODEL], [often]])))]

    assert rows[:3] == ["まばたき", "ウィンク２", "ウィンク"]
    assert rows.index("謎2") < rows.index("謎1")
    assert rows.index("あ") < rows.index("謎2")


def test_an_empty_target_rejects_the_name() -> None:
    table = read_table("source_morph,panel,target\nウィンク２,eye,\n")

    assert annotate(MODEL, table) == PROPOSED | {"eye/closed/left": _ref(1, "ウィンク")}


def test_a_morph_moves_to_another_target() -> None:
    table = read_table("source_morph,target\n照れ,eye/wide/both\nウィンク,eye/closed/right\n")

    expected = PROPOSED | {"eye/wide/both": _ref(6, "照れ"), "eye/closed/right": _ref(1, "ウィンク")}
    assert annotate(MODEL, table) == expected


@pytest.mark.parametrize("names", [("あ", "照れ"), ("照れ", "あ")])
def test_of_two_rows_for_one_target_the_first_wins(names: tuple[str, str]) -> None:
    table = read_table("source_morph,target\n" + "".join(f"{name},mouth/a\n" for name in names))

    assert annotate(MODEL, table)["mouth/a"] == {"あ": _ref(5, "あ"), "照れ": _ref(6, "照れ")}[names[0]]


def test_a_row_outranks_every_proposal() -> None:
    table = read_table("source_morph,target\n照れ,mouth/a\n")

    assert annotate(MODEL, table)["mouth/a"] == _ref(6, "照れ")


def test_a_row_for_a_panel_decides_before_a_row_for_any_panel() -> None:
    table = read_table("source_morph,panel,target\n上,*,\n上,other,eye/wide/both\n")

    assert annotate(MODEL, table) == {
        "eye/closed/both": _ref(0, "まばたき"),
        "eye/closed/left": _ref(2, "ウィンク２"),
        "eye/wide/both": _ref(4, "上"),
        "mouth/a": _ref(5, "あ"),
    }


@pytest.mark.parametrize("panel", ["", "  ", "*", " * "])
def test_an_empty_panel_and_a_star_mean_any(panel: str) -> None:
    table = read_table(f"source_morph,panel,target\n照れ,{panel},eye/happy\n")

    assert annotate(MODEL, table)["eye/happy"] == _ref(6, "照れ")


def test_a_row_for_one_model_s_morph_decides_there_alone() -> None:
    table = read_table(
        "source_morph,panel,model,morph,target\n"
        "ウィンク２,eye,,,eye/closed/left\n"
        "ウィンク２,eye,AB,2,eye/closed/right\n"
        "あ,mouth,ab,5,\n"
        "まばたき,eye,ab,4,\n"  # morph 4 has another name: the row is of another file
    )

    assert annotate(MODEL, table) == PROPOSED
    assert annotate(MODEL, table.of("cd")) == PROPOSED
    swapped = PROPOSED | {"eye/closed/right": _ref(2, "ウィンク２")}
    del swapped["eye/closed/left"], swapped["mouth/a"]
    assert annotate(MODEL, table.of("ab")) == swapped | {"eye/closed/left": _ref(1, "ウィンク")}


def test_a_mark_against_formulas_is_no_part_of_a_name() -> None:
    table = read_table("source_morph,target\n'=_=,eye/closed/both\n'あ,mouth/a\n")

    assert annotate([_morph("=_="), _morph("'あ")], table) == {
        "eye/closed/both": _ref(0, "=_="),
        "mouth/a": _ref(1, "'あ"),
    }


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("あ,,ab,,mouth/a", "Line 2: a row for one model needs the morph's index"),
        ("あ,,ab,x,mouth/a", "Line 2: a row for one model needs the morph's index"),
        ("あ,,ab,1,mouth/a\nあ,,AB,1,", "Line 3: morph 1 of the model stands twice"),
    ],
)
def test_a_row_for_one_model_needs_its_morph_once(row: str, message: str) -> None:
    with pytest.raises(MappingError, match=message):
        read_table(f"source_morph,panel,model,morph,target\n{row}\n")


def test_rows_compare_names_as_the_vocabulary_does() -> None:
    table = read_table("source_morph,target\n ｳｨﾝｸ2 ,eye/wide/left\n")

    assert annotate(MODEL, table)["eye/wide/left"] == _ref(2, "ウィンク２")


@pytest.mark.parametrize(
    "text",
    [
        "source_morph,panel,target\nあ,mouth,mouth/u\n",
        "\ufeffsource_morph,panel,target\nあ,mouth,mouth/u\n",
        "source_morph;panel;target\nあ;mouth;mouth/u\n",
        "\ufeffsource_morph;panel;types;models;target\r\nあ;Mouth;vertex;1; mouth/u \r\n",
        "source_morph,panel,target\rあ,mouth,mouth/u\r",
        'target,source_morph\n"mouth/u","あ"\n',
        "source_morph,panel,target\nあ,mouth,mouth/u",
        "source_morph,panel,target,notes\nあ,mouth,mouth/u,\n,,,\n\nい,mouth\n",
    ],
)
def test_a_table_is_read_as_spreadsheets_save_it(text: str) -> None:
    assert annotate([_morph("あ", MOUTH)], read_table(text)) == {"mouth/u": _ref(0, "あ")}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "needs the columns source_morph and target, and has none"),
        ("name,target\nあ,mouth/a\n", "has name, target"),
        ("source_morph,target\nあ,mouth/a\nい,mouth/x\n", "Line 3: 'mouth/x' is no target morph"),
        ("source_morph,target\n\n\nあ,mouth/x\n", "Line 4: 'mouth/x' is no target morph"),
        ('source_morph,notes,target\nあ,"two\nlines",mouth/a\nい,,mouth/x\n', "Line 4: 'mouth/x'"),
        ("source_morph,panel,target\nあ,lips,mouth/a\n", "Line 2: 'lips' is no panel"),
        ("source_morph,target\nあ,mouth/a\nｱ,mouth/u\nア,mouth/u\n", r"Line 4: 'ア' \(\*\) stands twice"),
        ("source_morph,panel,target\nあ,eye,\nあ,EYE,mouth/a\n", r"Line 3: 'あ' \(eye\) stands twice"),
        ("source_morph,target\n" + "x" * 200_000 + ",\n", "Line 2: this is no CSV"),
        ("x" * 200_000, "Line 1: this is no CSV"),
    ],
)
def test_a_mistake_in_the_table_is_refused_with_its_line(text: str, message: str) -> None:
    with pytest.raises(MappingError, match=message):
        read_table(text)


def test_an_endless_table_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(annotation, "MAX_ROWS", 3)

    with pytest.raises(MappingError, match="over 3"):
        read_table("source_morph,target\na,\nb,\nc,\nd,\n")


@given(st.text(max_size=60))
def test_any_text_is_a_table_or_a_mistake_in_one(text: str) -> None:
    for whole in (text, "source_morph,target\n" + text, 'source_morph;panel;target\n"' + text):
        with suppress(MappingError):
            read_table(whole)


def test_of_morphs_with_one_name_the_one_that_moves_something_plays() -> None:
    twice = [_morph("まばたき", moved=0), _morph("あ", MOUTH), _morph("まばたき"), _morph("まばたき")]
    table = read_table("source_morph,target\nまばたき,eye/closed/both\n")

    expected = {"eye/closed/both": _ref(2, "まばたき"), "mouth/a": _ref(1, "あ")}
    assert annotate(twice) == annotate(twice, table) == expected


def test_of_morphs_with_one_name_in_two_panels_the_panel_decides() -> None:
    for order in (1, -1):
        morphs = [_morph("上", MOUTH), _morph("上", EYEBROW)][::order]
        eyebrow = _ref([1, 0][(1 - order) // 2], "上")

        assert annotate(morphs) == {"eyebrow/raised/both": eyebrow}
        mouth = read_table("source_morph,panel,target\n上,mouth,mouth/u\n")
        assert annotate(morphs, mouth) == {"eyebrow/raised/both": eyebrow, "mouth/u": _ref(1 - eyebrow.index, "上")}


def test_of_one_name_in_two_panels_the_earlier_morph_plays_with_the_table_and_without() -> None:
    for order in (1, -1):
        morphs = [_morph("まばたき"), _morph("まばたき", Panel.OTHER)][::order]

        expected = {"eye/closed/both": _ref(0, "まばたき")}
        assert annotate(morphs) == annotate(morphs, read_table(table_csv([morphs]))) == expected


def test_an_annotation_by_hand_must_name_what_exists() -> None:
    check_annotation({"eye/happy": _ref(6, "照れ")}, MODEL)
    with pytest.raises(MappingError, match="'eye/sad' is no target morph"):
        check_annotation({"eye/sad": _ref(6, "照れ")}, MODEL)
    with pytest.raises(MappingError, match=r"no morph 7 \('照れ'\) to play 'eye/happy': it has 7, counted from 0"):
        check_annotation({"eye/happy": _ref(7, "照れ")}, MODEL)
    with pytest.raises(MappingError, match="Morph 5 of the model is 'あ', not '照れ'"):
        check_annotation({"eye/happy": _ref(5, "照れ")}, MODEL)


def test_a_name_that_nobody_resolved_is_no_morph() -> None:
    with pytest.raises(MappingError, match="no morph -1"):
        check_annotation({"eye/happy": _ref(BARE, "照れ")}, MODEL)


def test_a_bare_name_means_the_first_morph_of_it_that_moves_something() -> None:
    twice = [_morph("照れ", moved=0), _morph("照れ"), _morph("照れ")]

    assert resolve({"eye/happy": _ref(BARE, "照れ")}, twice) == {"eye/happy": _ref(1, "照れ")}
    with pytest.raises(MappingError, match="no morph '笑い' that moves something, to play 'eye/happy'"):
        resolve({"eye/happy": _ref(BARE, "笑い")}, twice)
    with pytest.raises(MappingError, match="no morph '照れ' that moves something"):
        resolve({"eye/happy": _ref(BARE, "照れ")}, twice[:1])


def test_a_bare_name_in_two_panels_is_the_one_that_stands_for_the_target_there() -> None:
    morphs = [_morph("上", MOUTH), _morph("上", EYEBROW)]

    found = resolve({"eyebrow/raised/both": _ref(BARE, "上"), "mouth/u": _ref(BARE, "上")}, morphs)

    assert found == {"eyebrow/raised/both": _ref(1, "上"), "mouth/u": _ref(0, "上")}


def test_what_has_an_index_is_left_as_it_is_and_checked() -> None:
    assert resolve(PROPOSED, MODEL) == PROPOSED
    with pytest.raises(MappingError, match="Morph 0 of the model is 'まばたき', not 'あ'"):
        resolve(PROPOSED | {"mouth/a": _ref(0, "あ")}, MODEL)


def test_a_reference_has_one_form_as_json_and_is_a_key() -> None:
    assert _ref(3, "まばたき").model_dump_json() == '{"index":3,"name":"まばたき"}'
    assert {_ref(3, "あ"): 1}[_ref(3, "あ")] == 1
    assert _ref(3, "あ") != _ref(4, "あ")
    assert list(annotate(MODEL)) == list(unpacked(json.loads(json.dumps(packed(annotate(MODEL))))))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ({"index": 3, "name": "あ"}, _ref(3, "あ")),
        ([3, "あ"], _ref(3, "あ")),
        ("あ", _ref(BARE, "あ")),
        ("3", _ref(BARE, "3")),
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
