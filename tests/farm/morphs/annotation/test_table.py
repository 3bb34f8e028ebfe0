"""The table of a collection's morphs: written, edited, read as any spreadsheet saves it, refused by its line."""

import csv
import io
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.errors import MappingError
from farm.morphs import annotation
from farm.morphs.annotation import (
    COLUMNS,
    SourceMorph,
    annotate,
    read_table,
    table_csv,
)
from farm.morphs.panels import Panel
from tests.farm.morphs.annotation.model import MODEL, MOUTH, PROPOSED, morph_of, ref_to


def test_a_table_read_unedited_gives_the_proposals() -> None:
    assert annotate(MODEL, read_table(table_csv([MODEL]))) == PROPOSED


@given(
    st.lists(
        st.builds(
            morph_of,
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
    rows = list(csv.DictReader(io.StringIO(table_csv([MODEL, MODEL[:1], [morph_of("まばたき", kind="group")]]))))

    assert tuple(rows[0]) == COLUMNS
    by_name = {(row["source_morph"], row["panel"]): row for row in rows}
    assert len(rows) == len(MODEL)
    blink = by_name["まばたき", "eye"]
    assert (blink["types"], blink["models"], blink["target"]) == ("group+vertex", "3", "eye/closed/both")
    assert by_name["上", "other"]["target"] == ""
    assert by_name["照れ", "other"]["types"] == "material"


def test_a_name_that_a_model_has_twice_counts_one_model() -> None:
    rows = list(csv.DictReader(io.StringIO(table_csv([[morph_of("あ"), morph_of("ｱ"), morph_of("ア")]]))))

    assert [(row["source_morph"], row["models"]) for row in rows] == [("あ", "1"), ("ア", "1")]


def test_mapped_rows_stand_first_and_frequent_unknown_ones_before_rare() -> None:
    rare, often = morph_of("謎1"), morph_of("謎2")

    rows = [row["source_morph"] for row in csv.DictReader(io.StringIO(table_csv([[rare, often, *MODEL], [often]])))]

    assert rows[:3] == ["まばたき", "ウィンク２", "ウィンク"]
    assert rows.index("謎2") < rows.index("謎1")
    assert rows.index("あ") < rows.index("謎2")


def test_an_empty_target_rejects_the_name() -> None:
    table = read_table("source_morph,panel,target\nウィンク２,eye,\n")

    assert annotate(MODEL, table) == PROPOSED | {"eye/closed/left": ref_to(1, "ウィンク")}


def test_a_morph_moves_to_another_target() -> None:
    table = read_table("source_morph,target\n照れ,eye/wide/both\nウィンク,eye/closed/right\n")

    expected = PROPOSED | {"eye/wide/both": ref_to(6, "照れ"), "eye/closed/right": ref_to(1, "ウィンク")}
    assert annotate(MODEL, table) == expected


@pytest.mark.parametrize("names", [("あ", "照れ"), ("照れ", "あ")])
def test_of_two_rows_for_one_target_the_first_wins(names: tuple[str, str]) -> None:
    table = read_table("source_morph,target\n" + "".join(f"{name},mouth/a\n" for name in names))

    assert annotate(MODEL, table)["mouth/a"] == {"あ": ref_to(5, "あ"), "照れ": ref_to(6, "照れ")}[names[0]]


def test_a_row_outranks_every_proposal() -> None:
    table = read_table("source_morph,target\n照れ,mouth/a\n")

    assert annotate(MODEL, table)["mouth/a"] == ref_to(6, "照れ")


def test_a_row_for_a_panel_decides_before_a_row_for_any_panel() -> None:
    table = read_table("source_morph,panel,target\n上,*,\n上,other,eye/wide/both\n")

    assert annotate(MODEL, table) == {
        "eye/closed/both": ref_to(0, "まばたき"),
        "eye/closed/left": ref_to(2, "ウィンク２"),
        "eye/wide/both": ref_to(4, "上"),
        "mouth/a": ref_to(5, "あ"),
    }


@pytest.mark.parametrize("panel", ["", "  ", "*", " * "])
def test_an_empty_panel_and_a_star_mean_any(panel: str) -> None:
    table = read_table(f"source_morph,panel,target\n照れ,{panel},eye/happy\n")

    assert annotate(MODEL, table)["eye/happy"] == ref_to(6, "照れ")


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
    swapped = PROPOSED | {"eye/closed/right": ref_to(2, "ウィンク２")}
    del swapped["eye/closed/left"], swapped["mouth/a"]
    assert annotate(MODEL, table.of("ab")) == swapped | {"eye/closed/left": ref_to(1, "ウィンク")}


def test_a_mark_against_formulas_is_no_part_of_a_name() -> None:
    table = read_table("source_morph,target\n'=_=,eye/closed/both\n'あ,mouth/a\n")

    assert annotate([morph_of("=_="), morph_of("'あ")], table) == {
        "eye/closed/both": ref_to(0, "=_="),
        "mouth/a": ref_to(1, "'あ"),
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

    assert annotate(MODEL, table)["eye/wide/left"] == ref_to(2, "ウィンク２")


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
    assert annotate([morph_of("あ", MOUTH)], read_table(text)) == {"mouth/u": ref_to(0, "あ")}


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
