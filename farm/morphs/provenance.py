"""Where an annotation came from, for the manifest: whose word counted beside the proposals, and which version of it."""

from pydantic import BaseModel, ConfigDict, Field


class Provenance(BaseModel):
    """What people had said of a model when its annotation was taken. The defaults say: nothing, all are proposals."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    record: int = 0
    """The version of the model's annotation record; 0: nobody has inspected the model."""
    groups: dict[str, int] = {}
    """Collection to the version of its youngest verdict that bears on the model."""
    table: bool = False
    """Whether the batch brought a mapping table."""
    own: tuple[str, ...] = Field((), exclude_if=lambda found: not found)
    """Of a model with morphs that move no vertex: the targets of which people have spoken for this very model, in its record
    or in a row of the table. No picture overrules them."""


NOBODYS = Provenance()
"""That of an annotation of which nobody has said anything."""
