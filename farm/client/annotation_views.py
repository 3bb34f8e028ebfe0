"""What the API answers about annotations, as typed values. Fields that a later farm adds are passed over."""

from pydantic import BaseModel, ConfigDict

from farm.annotations.effect import Origin
from farm.annotations.verdicts import VerdictStatus
from farm.morphs.refs import MorphRef


class _View(BaseModel):
    model_config = ConfigDict(extra="ignore", frozen=True)


class VerdictView(_View):
    """What a person has said of one target of one model."""

    status: VerdictStatus
    morph: MorphRef | None
    who: str
    when: str
    """ISO 8601."""
    why: str


class RecordView(_View):
    """One version of all that people have said of a model."""

    version: int
    """0: nobody has said anything."""
    verdicts: dict[str, VerdictView]
    idle: tuple[MorphRef, ...] = ()
    """Morphs that a person has looked at and that play nothing."""
    who: str
    when: str | None
    why: str
    restores: int | None
    """The version that an undo has brought back."""


class PlayingView(_View):
    """How a target stands when record, group and proposals are put together."""

    morph: MorphRef | None
    status: VerdictStatus
    origin: Origin
    confidence: float


class RuleView(_View):
    """What the paper's rule makes of an annotation."""

    target_morphs: int
    samples: int


class RulesView(_View):
    """The rule for each way to count."""

    proposals: RuleView
    confirmed: RuleView


class AnnotationView(_View):
    """A model's annotation."""

    model: str
    record: RecordView
    targets: dict[str, PlayingView]
    rule: RulesView
    pictured: bool = False
    """Whether the proposals are by pictures of the model, as a render's are."""
    before: RulesView | None = None
    """The rule before the change that this is the answer to."""


class CollectionView(_View):
    """A collection and how far it is."""

    name: str
    models: int
    version: int
    names: int
    decided: int
    inspected: int
    unseen: int = 0
    """Models that nobody has drawn yet: their proposals are by the file alone."""


class GroupVerdictView(_View):
    """What a person has said of all morphs of a name."""

    target: str | None
    who: str
    when: str
    why: str


class RowView(_View):
    """All morphs of one name in one panel of a collection."""

    id: str
    name: str
    reading: str = ""
    """How a Japanese name is read, in Latin letters."""
    panel: str
    kinds: tuple[str, ...]
    models: int
    proposal: str | None
    proposals: dict[str, int]
    verdict: GroupVerdictView | None
    version: int
    exceptions: tuple[str, ...]
    exceptions_total: int
