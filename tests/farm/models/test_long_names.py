"""Names without measure are refused where they come in: jobs, events and pages would carry them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from farm.errors import ModelFormatError
from farm.models.description import Character
from farm.models.limits import MAX_NAME, check_names
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from tests.support.characters import mascot

LONG = " " * (MAX_NAME + 1)
ENDLESS = " " * 3 * 10**6


def first_of(field: str, name: str) -> Callable[[Character], Character]:
    def change(character: Character) -> Character:
        things: Any = getattr(character, field)
        changed = name if field == "textures" else replace(things[0], name=name)
        return replace(character, **{field: type(things)([changed, *things[1:]])})

    return change


@pytest.mark.parametrize("name", [LONG, ENDLESS])
@pytest.mark.parametrize("field", ["morphs", "bones", "materials", "textures"])
def test_a_name_without_measure_is_refused(field: str, name: str) -> None:
    character = first_of(field, name)(mascot("momo"))

    with pytest.raises(ModelFormatError, match=f"{len(name)} characters, over the limit of {MAX_NAME}"):
        check_names(character)


def test_the_same_by_a_file_and_a_title() -> None:
    character = mascot("momo")

    with pytest.raises(ModelFormatError, match="A morph has a name of 3000000 characters"):
        read_character(".pmx", pmx_bytes(first_of("morphs", ENDLESS)(character)))
    with pytest.raises(ModelFormatError, match="A model has a name of"):
        read_character(".pmx", pmx_bytes(replace(character, name=LONG)))
