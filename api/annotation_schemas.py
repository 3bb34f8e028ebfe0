"""What people say of annotations, as it goes over HTTP."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import Header, Path
from pydantic import BaseModel, ConfigDict, Field, StrictBool

from api.schemas import ModelId, WholeNumber
from farm.annotations.collections import MAX_MODELS
from farm.annotations.effect import Origin
from farm.annotations.verdicts import MAX_IDLE, VerdictStatus
from farm.morphs.refs import MorphRef
from farm.morphs.vocabulary import all_targets

MAX_WHY = 500
MAX_EXCEPTIONS = 1000
"""Shown of a row; their number is told beside."""
COLLECTION_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$"
_WHY = r"^[^\x00]*$"

type CollectionPath = Annotated[str, Path(pattern=COLLECTION_NAME, description="A collection's name")]
type IfMatch = Annotated[str, Header(max_length=200, description="The `ETag` of what is changed; `*`: whatever stands")]
type RowPath = Annotated[str, Path(pattern="^[0-9a-f]{16}$", description="A row's id")]
type Why = Annotated[str, Field(max_length=MAX_WHY, pattern=_WHY, description="The reason, for whoever reads it later")]
type TargetName = Annotated[str, Field(json_schema_extra={"enum": list(all_targets())})]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VerdictRequest(_Request):
    """What is to be said of one target."""

    status: VerdictStatus
    morph: MorphRef | None = Field(
        None,
        description="What plays it, by index and name or by a bare name; null: nothing. Of a rejected one: what was",
    )


class RecordRequest(_Request):
    """All that is to be said of a model. What is left out is left to the groups' verdicts and the proposals."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "example": {
                "verdicts": {
                    "mouth/a": {"status": "confirmed", "morph": {"index": 3, "name": "あ"}},
                    "eye/wide/both": {"status": "rejected"},
                },
                "why": "びっくり only shrinks the iris",
            }
        },
    )

    verdicts: dict[str, VerdictRequest] = Field(max_length=1000)
    idle: list[MorphRef] = Field(
        [], max_length=MAX_IDLE, description="Morphs, by index and name, that were looked at and play nothing"
    )
    why: Why = ""


class Reason(_Request):
    """Why something is taken back."""

    why: Why = ""


class VerdictView(BaseModel):
    """What a person has said of one target."""

    status: VerdictStatus
    morph: MorphRef | None
    who: str
    when: datetime
    why: str


class RecordView(BaseModel):
    """One version of what people say of a model."""

    version: int = Field(description="0: nobody has said anything")
    verdicts: dict[str, VerdictView]
    idle: list[MorphRef] = Field(description="Morphs that were looked at and play nothing")
    who: str
    when: datetime | None
    why: str
    restores: int | None = Field(description="The version that an undo has brought back")


class PlayingView(BaseModel):
    """How a target stands when everything is put together."""

    morph: MorphRef | None
    status: VerdictStatus
    origin: Origin
    confidence: float = Field(description="Of a proposal, in [0, 1]; 1 for a person's word")
    who: str = Field(description="Empty for a proposal of the farm")
    when: datetime | None
    why: str


class RuleView(BaseModel):
    """What the paper's rule makes of an annotation: more than five target morphs give 100 samples, otherwise 20."""

    target_morphs: int = Field(description="How many of the 23 are annotated")
    samples: int


class RulesView(BaseModel):
    """The rule for each way to count."""

    proposals: RuleView = Field(description="When proposals count")
    confirmed: RuleView = Field(description="When only confirmed ones do")


class AnnotationView(BaseModel):
    """A model's annotation: what people say, and what comes of it."""

    model: str
    record: RecordView
    targets: dict[str, PlayingView]
    rule: RulesView
    pictured: bool = Field(
        description="Whether the proposals are by pictures of the model, as a render's are; false: it is not drawn yet"
    )


class SavedView(AnnotationView):
    """A model's annotation after a change, and the rule before it."""

    saved: bool = Field(description="False: it was only asked what the change would do")
    before: RulesView


class HistoryPage(BaseModel):
    """Versions of a record, youngest first."""

    versions: list[RecordView]
    next: int | None = Field(description="`before` for the next page; null: there is no more")


class CollectionRequest(_Request):
    """Models to be annotated together."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"example": {"name": "spring", "models": ["0" * 64, "1" * 64]}}
    )

    name: str = Field(pattern=COLLECTION_NAME)
    models: list[ModelId] = Field(min_length=1, max_length=MAX_MODELS)


class CollectionView(BaseModel):
    """A collection and how far its group annotation is."""

    name: str
    models: int
    who: str
    when: datetime
    version: int = Field(description="How many changes its verdicts have had")
    names: int = Field(description="Rows of its table")
    decided: int = Field(description="Rows that somebody has decided")
    inspected: int = Field(description="Models of which somebody has said something by themselves")
    unseen: int = Field(
        description="Models that nobody has drawn yet: their proposals are by the file alone, and a render may find otherwise"
    )


class CollectionsAnswer(BaseModel):
    """All collections, by name."""

    collections: list[CollectionView]


class GroupVerdictView(BaseModel):
    """What a person has said of all morphs of a name."""

    target: str | None = Field(description="What they play; null: nothing")
    who: str
    when: datetime
    why: str


class RowView(BaseModel):
    """All morphs of one name in one panel of a collection."""

    id: str
    name: str
    reading: str = Field(description="How a Japanese name is read, in Latin letters")
    panel: str
    kinds: list[str]
    models: int
    proposal: str | None = Field(description="What most models' morphs of this name are proposed for")
    proposals: dict[str, int] = Field(description="Target to the models in which one is proposed for it")
    verdict: GroupVerdictView | None
    version: int = Field(description="Of the verdict; 0: there was none. Its `ETag`, and `If-Match` of a change")
    exceptions: list[str] = Field(
        description=f"Models for which the verdict does not hold, {MAX_EXCEPTIONS} at most: named, or found by evidence"
    )
    exceptions_total: int


class TablePage(BaseModel):
    """Rows, those that most models have first."""

    rows: list[RowView]
    next: str | None = Field(description="`after` for the next page; null: there is no more")
    version: int = Field(description="How many changes the verdicts have had; `since`, to ask for later ones")
    edition: str = Field(description="Stands for the collection's rows in their order")


class NextAnswer(BaseModel):
    """The next row that nobody has decided."""

    row: RowView | None = Field(description="Null: all behind `after` are decided")
    decided: int
    names: int


class GroupVerdictRequest(_Request):
    """What is to be said of all morphs of a name."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={"example": {"target": "mouth/a", "exceptions": [], "why": "the open mouth in all of them"}},
    )

    target: TargetName | None = Field(description="What they play; null: nothing")
    exceptions: list[ModelId] = Field([], max_length=MAX_MODELS, description="Models for which it does not hold")
    decided: StrictBool = Field(True, description="False: the name is open again, whatever else is said")
    why: Why = ""


class NamedVerdictRequest(_Request):
    """A verdict of a list, on the row of a name and a panel."""

    source_morph: str = Field(min_length=1, max_length=1000, pattern=_WHY)
    panel: str = Field("*", max_length=20)
    target: TargetName | None
    exceptions: list[ModelId] = Field([], max_length=MAX_MODELS)
    version: WholeNumber | None = Field(None, ge=0, lt=10**8, description="Of the verdict that was seen; null: of any")


class VerdictsRequest(_Request):
    """Verdicts on many names at once: all stand, or none."""

    verdicts: list[NamedVerdictRequest] = Field(min_length=1, max_length=5000)
    why: Why = ""


class ChangedAnswer(BaseModel):
    """What became of many verdicts."""

    changed: int
    unchanged: int
    unknown: int = Field(description="Verdicts on names that the collection lacks; they were left out")
    collection: CollectionView


class GroupChangeView(BaseModel):
    """One change of a collection's verdicts."""

    version: int
    who: str
    when: datetime
    why: str
    verdicts: list[dict[str, Any]]


class GroupHistoryPage(BaseModel):
    """Changes of a collection's verdicts, youngest first."""

    changes: list[GroupChangeView]
    next: int | None = Field(description="`before` for the next page; null: there is no more")
