"""How much a model may list, whatever its format: what it holds is shown whole, and every batch keeps some of it."""

from farm.errors import ModelFormatError
from farm.models.description import Character

MAX_LISTED = 10_000
"""Morphs, materials and bones, each: far more than any model has, and few enough to be shown whole."""
MAX_NAME = 1000
"""Characters of the name of one."""


def check_listed(character: Character) -> None:
    """Raise ModelFormatError for a model that lists more than anybody draws."""
    for what, listed in (("morphs", character.morphs), ("materials", character.materials), ("bones", character.bones)):
        if len(listed) > MAX_LISTED:
            raise ModelFormatError(
                f"The model lists {len(listed)} {what}, over the limit of {MAX_LISTED}. Remove the unused ones in an editor."
            )
        if any(len(entry.name) > MAX_NAME for entry in listed):
            raise ModelFormatError(
                f"The model has {what} with names of more than {MAX_NAME} characters. Shorten them in an editor."
            )
