"""Cells that a spreadsheet would run: defused on the way out, as they were on the way in."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.morphs.annotation import SourceMorph, read_table, table_csv
from farm.morphs.cells import as_written, defused
from farm.morphs.panels import Panel

RUN = tuple("=+-@\t\r\n＝＋－＠")


@given(st.text(alphabet=st.sampled_from("'=+-@\t\r\n＝＠あa "), max_size=6))
def test_any_cell_is_defused_and_comes_back(text: str) -> None:
    cell = defused(text)

    assert not cell.startswith(RUN)
    assert as_written(cell) == text


@pytest.mark.parametrize("text", ["", "まばたき", "'quoted'", "a=b", "''"])
def test_harmless_cells_stay_as_they_are(text: str) -> None:
    assert defused(text) == as_written(text) == text


@pytest.mark.parametrize("name", ["=1+1", "@_@", "-", "+", "＝△＝", "'=x"])
def test_a_mapping_table_finds_the_morph_of_a_hostile_name(name: str) -> None:
    morph = SourceMorph(name, "vertex", Panel.MOUTH, 5)
    text = table_csv([[morph]])
    (line,) = text.splitlines()[1:]

    assert line.startswith("'")
    assert read_table(text.replace(",1,", ",1,mouth/a")).find(0, morph) == (2, "mouth/a")


def test_a_table_that_nobody_defused_is_read_all_the_same() -> None:
    assert read_table("source_morph,target\n=1+1,mouth/a\n").find(0, SourceMorph("=1+1", "vertex", None, 5)) is not None
