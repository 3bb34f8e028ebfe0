"""A collection's verdicts on names, as a story: each entry says something of some names, and adding them up gives what
stands. Every hundredth entry says all that stands, so that no reader has to begin at the first. No I/O.

One entry a change, and not one object a name: a table of thousands of names is read by few requests.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from farm.annotations.verdicts import Saying
from farm.morphs.annotation import COLUMNS
from farm.wording import counted

SNAPSHOT_EVERY = 100
MAX_VERDICTS = 20_000
"""In one entry."""
assert COLUMNS[:2] == ("source_morph", "panel")

type RowKey = tuple[str, str]
"""A normalised name and a panel in lower case, "*" where there is none: a row of a mapping table."""


class GroupVerdict(Saying):
    """What a person says of all morphs of one name in one panel, in all models of a collection."""

    name: str
    """Normalised."""
    panel: str
    target: str | None
    """What they play; None: nothing."""
    decided: bool = True
    """False: a verdict was taken back, and the name is open again."""
    exceptions: tuple[str, ...] = ()
    """Models for which it does not hold."""
    version: int
    """Of the entry that says it."""
    replaces: int = 0
    """The version of the verdict on this name before; 0: there was none."""
    restores: int | None = None
    """The version of the verdict that an undo has brought back; 0: that of before the first."""

    @property
    def key(self) -> RowKey:
        """The row that it is of."""
        return self.name, self.panel

    @property
    def told(self) -> str:
        """The verdict in words."""
        if not self.decided:
            return "open"
        return (self.target or "nothing") + (
            f", but for {counted(len(self.exceptions), 'model')}" if self.exceptions else ""
        )

    def same_as(self, other: "GroupVerdict | None") -> bool:
        """Whether both say the same, whoever said it; a name that nobody has decided is as one that is open again."""
        if other is None or not other.decided or not self.decided:
            return self.decided == (other is not None and other.decided)
        return (self.target, sorted(self.exceptions)) == (other.target, sorted(other.exceptions))


class GroupEntry(Saying):
    """One change of a collection's verdicts."""

    version: int
    verdicts: Annotated[tuple[GroupVerdict, ...], Field(max_length=MAX_VERDICTS)]
    standing: tuple[GroupVerdict, ...] | None = None
    """All that stands with this entry; only in every hundredth."""


class Collection(BaseModel):
    """A named list of models that are annotated together."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    models: tuple[str, ...]
    who: str
    when: str


@dataclass(frozen=True, slots=True)
class GroupState:
    """What stands after some version."""

    version: int = 0
    verdicts: Mapping[RowKey, GroupVerdict] = field(default_factory=dict)

    def of(self, key: RowKey) -> GroupVerdict | None:
        """The youngest verdict on a row, open ones included."""
        return self.verdicts.get(key)

    def followed_by(self, entries: Iterable[GroupEntry]) -> "GroupState":
        """What stands after more entries, oldest first."""
        version, verdicts = self.version, dict(self.verdicts)
        for entry in entries:
            if entry.standing is not None:
                verdicts = {verdict.key: verdict for verdict in entry.standing}
            verdicts.update({verdict.key: verdict for verdict in entry.verdicts})
            version = entry.version
        return GroupState(version, verdicts)

    def next_entry(self, verdicts: Iterable[GroupVerdict], saying: Saying) -> GroupEntry:
        """The entry that says `verdicts`, whose versions are filled in here."""
        number = self.version + 1
        new = tuple(
            verdict.model_copy(
                update={"version": number, "replaces": old.version if (old := self.of(verdict.key)) else 0}
            )
            for verdict in verdicts
        )
        entry = GroupEntry(**saying.model_dump(), version=number, verdicts=new)
        if number % SNAPSHOT_EVERY:
            return entry
        standing = self.followed_by([entry]).verdicts.values()
        return entry.model_copy(update={"standing": tuple(standing)})
