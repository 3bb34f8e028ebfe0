"""References to source morphs: by index, since one file in thirteen gives a name twice, and by name, for people."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, model_validator

BARE = -1
"""The index of a reference that was given by its name alone, until `farm.morphs.annotation.resolve` finds the morph."""


class MorphRef(BaseModel):
    """A source morph of one model. Read from JSON as an object, as `packed` writes it, or as a bare name."""

    model_config = ConfigDict(frozen=True)

    index: int = Field(ge=BARE)
    """Place in the file's list of morphs, from 0; for a VRM among its expressions, as the inventory lists them."""
    name: str

    @model_validator(mode="before")
    @classmethod
    def _read(cls, given: Any) -> Any:
        match given:
            case str():
                return {"index": BARE, "name": given}
            case [index, name]:
                return {"index": index, "name": name}
            case _:
                return given


type Annotation = dict[str, MorphRef]
"""Target name to the source morph that plays it in one model."""


def packed(annotation: Mapping[str, MorphRef]) -> dict[str, tuple[int, str]]:
    """`annotation` in little JSON, for what is kept by the million: target name to index and name."""
    return {target: (morph.index, morph.name) for target, morph in annotation.items()}


def unpacked(kept: Mapping[str, Any]) -> Annotation:
    """The inverse of `packed`; of what earlier versions kept, names alone, the references are bare."""
    return {target: MorphRef.model_validate(morph) for target, morph in kept.items()}
