"""What the page for annotation asks of a farm, as it goes over HTTP: short forms for a hundred thousand morphs."""

from typing import Any

from pydantic import BaseModel, Field

from api.annotation_schemas import RecordView

type MorphRow = tuple[int, int, int, float | None]
type JudgementRow = tuple[bool, str | None, str | None, dict[str, str], list[str] | None, dict[str, str]]


class DigestedModelView(BaseModel):
    """A model of a collection, in short."""

    id: str
    name: str
    morphs: list[MorphRow] = Field(
        description="Of each: its index in the file, the number of its row in the table, that of its judgement, and how "
        "sure its proposal is"
    )
    names: dict[int, str] = Field(
        description="By the index: how the file writes a name, where that is not as the row has it"
    )
    record: RecordView | None = Field(description="What people have said of it; null: nothing")


class DigestPage(BaseModel):
    """Models of a collection, sorted by id."""

    models: list[DigestedModelView]
    judgements: dict[int, JudgementRow] = Field(
        description="What the evidence lets the morphs of this page play, by number: whether they show, what side they move, "
        "what is proposed, what they are named for and do not do, with the reason, and at which of eye, eyebrow and mouth "
        "they change anything (null: not known), and where the side that they move there is another, that side by part"
    )
    next: str | None = Field(description="`after` for the next page; null: there is no more")
    edition: str = Field(description="The rows are numbered as in the table of this edition")


class PicturesView(BaseModel):
    """How far the pictures of a collection are."""

    models: int
    missing: int = Field(description="Models without pictures")
    batch: str | None = Field(description="What draws them, or did last")
    ended: bool = Field(description="Whether nothing is drawn at the moment")
    images_done: int
    images_total: int
    eta_seconds: float | None


class InspectionView(BaseModel):
    """The pictures of a model: what each morph changes, and where in the sprite its pixels are."""

    id: str
    version: str = Field(description="Of what drew them")
    src: str = Field(description="The sprite's address")
    size: int = Field(description="Pixels a side of the neutral picture, at the sprite's top left")
    head: tuple[int, int, int, int]
    sprite: tuple[int, int]
    left_out: int = Field(description="Morphs that were not drawn because the model has too many")
    unusable: list[str] = Field(description="Why the model would not be rendered; empty when it shows a face")
    morphs: list[dict[str, Any]] = Field(description="Those that were drawn, in the file's order")
