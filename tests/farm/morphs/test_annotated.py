"""The decision on real characters that a person annotated by looking, each by weights that were fitted on the others."""

import tomllib
from pathlib import Path

import pytest

from benchmarks.annotated import Character, characters
from benchmarks.annotation import left_out, tally
from benchmarks.annotation_fit import Sheet, fit, written
from farm.morphs.annotation import annotate
from farm.morphs.decision import decide
from farm.morphs.refs import Annotation
from farm.morphs.scoring import weights, weights_of


@pytest.fixture(scope="module")
def cast(annotated: Path) -> list[Character]:
    return characters(annotated / "characters.json")


def test_on_characters_that_were_left_out_nearly_all_is_right_and_no_side_swapped(cast: list[Character]) -> None:
    fitted = left_out([Sheet(character) for character in cast])

    def decided(character: Character) -> Annotation:
        return decide(character.morphs, character.evidence, fitted=fitted[character.number]).annotation

    found, by_names = tally(cast, decided), tally(cast, lambda character: annotate(character.morphs))

    assert found.precision >= 0.985
    assert found.recall >= 0.96
    assert found.swapped == 0
    assert by_names.swapped > 0
    assert by_names.precision < 0.95


def test_the_weights_of_the_farm_are_those_that_all_characters_give(cast: list[Character]) -> None:
    fitted, own = fit([Sheet(character) for character in cast]), weights()

    assert written(fitted, len(cast)).splitlines()[0].startswith("# How names and traits speak")
    for semantic, names in own.names.items():
        # Digits that were written; linear algebra differs in the last between machines.
        assert fitted.names[semantic] == pytest.approx(names, abs=0.002)
    assert fitted.scales == own.scales


def test_written_weights_are_read_as_they_were(cast: list[Character]) -> None:
    fitted = fit([Sheet(character) for character in cast[:12]])

    assert weights_of(tomllib.loads(written(fitted, 12))) == fitted
