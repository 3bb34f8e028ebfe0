"""What people say of a model's targets and of a collection's names: the records, and how they change. No I/O."""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from farm.errors import MappingError, StaleVersionError
from farm.morphs.annotation import SourceMorph, resolve
from farm.morphs.refs import MorphRef
from farm.morphs.vocabulary import all_targets

MAX_TARGETS = 1000
"""In one record; the vocabulary is far smaller."""
MAX_IDLE = 10_000
"""Morphs in one record that play nothing."""
_SHOWN = 5
"""Changes that a sentence tells of."""


class VerdictStatus(StrEnum):
    """How a target of one model stands."""

    PROPOSED = "proposed"
    """A proposal, of the farm or of a person, that nobody has looked at."""
    CONFIRMED = "confirmed"
    """A person has looked: the proposed morph plays the target."""
    CHANGED = "changed"
    """A person has looked: another morph plays it."""
    REJECTED = "rejected"
    """A person has looked: nothing plays it."""


class Saying(BaseModel):
    """Who says something, when (ISO 8601, UTC) and why."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    who: str
    when: str
    why: str = ""


class Verdict(Saying):
    """What a person says of one target of one model."""

    morph: MorphRef | None
    """What plays it; of a rejected one: what was rejected, if that is known."""
    status: VerdictStatus

    @property
    def played(self) -> MorphRef | None:
        """What plays the target."""
        return None if self.status is VerdictStatus.REJECTED else self.morph

    @property
    def told(self) -> str:
        """The verdict in words."""
        morph = f"'{self.morph.name}'" if self.morph else "no morph"
        return f"{morph}, {self.status}"


class AnnotationRecord(Saying):
    """One version of all that people say of a model."""

    version: int
    verdicts: Annotated[dict[str, Verdict], Field(max_length=MAX_TARGETS)]
    """By target name. What is missing is left to the group's verdicts and the proposals."""
    idle: Annotated[tuple[MorphRef, ...], Field(max_length=MAX_IDLE)] = ()
    """Morphs that a person has looked at and that play nothing, by index; whatever is proposed for them."""
    restores: int | None = None
    """The version whose verdicts an undo has brought back."""

    @property
    def origin(self) -> int:
        """The version that these verdicts are first from."""
        return self.version if self.restores is None else self.restores


NOTHING_SAID = AnnotationRecord(version=0, verdicts={}, who="", when="")
"""The record of a model that nobody has inspected."""


def with_verdicts(
    before: AnnotationRecord,
    said: Mapping[str, tuple[VerdictStatus, MorphRef | None]],
    saying: Saying,
    idle: Sequence[MorphRef] = (),
) -> AnnotationRecord:
    """The next version, in which `said` and `idle` are all that stands. Verdicts that stay the same stay whose they were."""
    verdicts = {}
    for target in all_targets():
        if target not in said:
            continue
        status, morph = said[target]
        old = before.verdicts.get(target)
        same = old is not None and (old.status, old.morph) == (status, morph)
        verdicts[target] = old if old and same else Verdict(**saying.model_dump(), morph=morph, status=status)
    return AnnotationRecord(**saying.model_dump(), version=before.version + 1, verdicts=verdicts, idle=tuple(idle))


def checked(
    said: Mapping[str, tuple[VerdictStatus, MorphRef | None]], morphs: Sequence[SourceMorph]
) -> dict[str, tuple[VerdictStatus, MorphRef | None]]:
    """`said` with an index for every bare name. Raises MappingError for what the model's `morphs` do not allow."""
    found = resolve({target: morph for target, (_, morph) in said.items() if morph is not None}, morphs)
    if unknown := said.keys() - all_targets().keys():
        raise MappingError(f"'{min(unknown)}' is no target morph; the known ones are {', '.join(all_targets())}.")
    playing: dict[int, str] = {}
    for target, (status, _) in said.items():
        morph = found.get(target)
        if status in (VerdictStatus.CONFIRMED, VerdictStatus.CHANGED) and morph is None:
            raise MappingError(
                f"'{target}' is {status}, and no morph is named to play it. Name one, or reject the target."
            )
        if morph is None or status is VerdictStatus.REJECTED:
            continue
        if not morphs[morph.index].moved:
            raise MappingError(f"Morph {morph.index} ('{morph.name}') moves nothing, so it cannot play '{target}'.")
        if other := playing.get(morph.index):
            raise MappingError(
                f"Morph {morph.index} ('{morph.name}') is to play '{other}' and '{target}': a picture could not show one "
                "without the other. Leave one of them out."
            )
        playing[morph.index] = target
    return {target: (status, found.get(target)) for target, (status, _) in said.items()}


def checked_idle(
    idle: Sequence[MorphRef],
    said: Mapping[str, tuple[VerdictStatus, MorphRef | None]],
    morphs: Sequence[SourceMorph],
) -> tuple[MorphRef, ...]:
    """`idle` by index, each once. Raises MappingError for what the model lacks, and for what `said`, checked, lets play."""
    found = {}
    for ref in idle:
        if ref.index >= len(morphs) or ref.index < 0 or morphs[ref.index].name != ref.name:
            raise MappingError(
                f"The model has no morph {ref.index} of the name '{ref.name[:80]}', so nothing can be said of it; its "
                "inventory lists what it has."
            )
        found[ref.index] = ref
    for target, (status, morph) in said.items():
        if morph is not None and status is not VerdictStatus.REJECTED and morph.index in found:
            raise MappingError(
                f"Morph {morph.index} ('{morph.name}') is to play '{target}' and nothing; say one of them."
            )
    return tuple(found[index] for index in sorted(found))


def changes(before: AnnotationRecord, after: AnnotationRecord) -> list[str]:
    """Who changed what, a phrase for each target."""
    told = []
    for target in all_targets():
        old, new = before.verdicts.get(target), after.verdicts.get(target)
        if new is not None and new != old:
            told.append(f"{new.who} set {target} to {new.told} ({new.when})")
        elif new is None and old is not None:
            told.append(f"{after.who} took back what was said of {target} ({after.when})")
    for ref in after.idle:
        if ref not in before.idle:
            told.append(f"{after.who} let '{ref.name}' play nothing ({after.when})")
    for ref in before.idle:
        if ref not in after.idle:
            told.append(f"{after.who} took back that '{ref.name}' plays nothing ({after.when})")
    return told


def stale(seen: int, now: int, told: Sequence[str], where: str) -> StaleVersionError:
    """The error for a change of version `seen` when `now` stands."""
    if seen > now:
        story = "There is no such version yet."
    else:
        more = f", and {len(told) - _SHOWN} more changes" if len(told) > _SHOWN else ""
        story = (
            "Since then: " + "; ".join(told[:_SHOWN]) + more + "."
            if told
            else "Since then it was changed and changed back."
        )
    return StaleVersionError(
        f"You changed version {seen} of {where}, and version {now} stands. {story} Nothing was written: read it again and "
        "say what you still want."
    )
