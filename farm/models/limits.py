"""How much a model may list, whatever its format: what it holds is shown whole, and every batch keeps some of it."""

from farm.errors import ModelFormatError
from farm.models.description import Character

MAX_LISTED = 10_000
"""Morphs, materials and bones, each: far more than any model has, and few enough to be shown whole."""
MAX_NAME = 1000
"""Characters of the name of anything in a file."""


def check_listed(character: Character) -> None:
    """Raise ModelFormatError for a model that lists more than anybody draws."""
    for what, listed in (("morphs", character.morphs), ("materials", character.materials), ("bones", character.bones)):
        if len(listed) > MAX_LISTED:
            raise ModelFormatError(
                f"The model lists {len(listed)} {what}, over the limit of {MAX_LISTED}. Remove the unused ones in an editor."
            )


def check_names(character: Character) -> None:
    """Raise ModelFormatError for a name that is longer than any that people give: jobs, events and pages carry them."""
    named = (
        ("model", (character.name, character.name_en)),
        ("bone", (bone.name for bone in character.bones)),
        ("morph", (morph.name for morph in character.morphs)),
        ("material", (material.name for material in character.materials)),
        ("texture", character.textures),
    )
    for what, names in named:
        longest = max(map(len, names), default=0)
        if longest > MAX_NAME:
            raise ModelFormatError(
                f"A {what} has a name of {longest} characters, over the limit of {MAX_NAME}. Shorten it in the file."
            )
