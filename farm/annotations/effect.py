"""What plays which target of a model, when proposals, the verdicts on its collections and its own record are put together.
No I/O.

The record says most, then the verdicts on names, then the proposals. A verdict on a name holds for the models that the
evidence lets pass: where the farm has found the morph of that name to be another side's, or to move nothing, the model is an
exception, and is decided by looking.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from farm.annotations.groups import GroupState, GroupVerdict, RowKey
from farm.annotations.verdicts import AnnotationRecord, Saying, VerdictStatus
from farm.models.inventory import MorphEntry
from farm.morphs.judgement import may_play
from farm.morphs.names import normalise
from farm.morphs.provenance import Provenance
from farm.morphs.refs import Annotation, MorphRef
from farm.morphs.vocabulary import all_targets
from farm.spec import AnnotationRule


class Origin(StrEnum):
    """Whose word it is."""

    PROPOSAL = "proposal"
    """The farm's, by name and evidence."""
    GROUP = "group"
    """A person's, of all morphs of that name in a collection."""
    PERSON = "person"
    """A person's, of this model."""


@dataclass(frozen=True, slots=True)
class Playing:
    """How one target of a model stands."""

    morph: MorphRef | None
    """What plays it; None: nothing does."""
    status: VerdictStatus
    origin: Origin
    confidence: float
    """In [0, 1]; 1 for the word of a person."""
    said: Saying | None = None
    """None for a proposal of the farm."""

    def counts(self, rule: AnnotationRule, least_confidence: float) -> bool:
        """Whether the morph is drawn under this rule."""
        if self.morph is None:
            return False
        looked_at = self.status in (VerdictStatus.CONFIRMED, VerdictStatus.CHANGED)
        return looked_at or (rule is AnnotationRule.PROPOSALS and self.confidence >= least_confidence)


@dataclass(frozen=True, slots=True)
class Effect:
    """How all targets of a model stand, in the vocabulary's order; of one that is missing nobody says anything."""

    targets: Mapping[str, Playing]
    provenance: Provenance
    pictured: bool = False
    """Whether the proposals in it are by pictures of all morphs; otherwise a render, which draws them, may find that some
    show nothing, and others play."""

    def annotation(self, rule: AnnotationRule, least_confidence: float) -> Annotation:
        """What is drawn under this rule."""
        return {
            target: playing.morph
            for target, playing in self.targets.items()
            if playing.morph is not None and playing.counts(rule, least_confidence)
        }


def _confidence(entry: MorphEntry) -> float:
    """How sure the farm is of what it proposes for a morph; 1 where it does not say."""
    return 1.0 if entry.confidence is None else entry.confidence


def row_of(entry: MorphEntry) -> RowKey:
    """The row of a group's table that a morph belongs to."""
    return normalise(entry.name), entry.panel


def effect(
    model: str,
    morphs: Sequence[MorphEntry],
    proposals: Annotation,
    groups: Mapping[str, GroupState],
    record: AnnotationRecord,
) -> Effect:
    """How the targets of `model` stand. `morphs` are its own in the file's order, `groups` what stands in its collections.

    Where collections say different things of a name, the youngest verdict holds.
    """
    targets = {
        target: Playing(ref, VerdictStatus.PROPOSED, Origin.PROPOSAL, _confidence(morphs[ref.index]))
        for target, ref in proposals.items()
    }
    versions = _play_groups(model, morphs, groups, targets)
    _play_record(record, targets)
    return Effect(
        {target: targets[target] for target in all_targets() if target in targets},
        Provenance(record=record.version, groups=versions),
    )


def _play_groups(
    model: str, morphs: Sequence[MorphEntry], groups: Mapping[str, GroupState], targets: dict[str, Playing]
) -> dict[str, int]:
    """Put verdicts on names into `targets`; collection to the version of its youngest verdict that bears on the model."""
    versions: dict[str, int] = {}
    claims: dict[str, tuple[bool, Playing]] = {}
    for entry in morphs:
        said = _youngest(groups, row_of(entry))
        if said is None:
            continue
        collection, verdict = said
        versions[collection] = max(versions.get(collection, 0), verdict.version)
        passes = verdict.target is None or may_play(verdict.target, entry.judgement())
        if model in verdict.exceptions or not passes:
            continue
        ref = MorphRef(index=entry.index, name=entry.name)
        proposed = targets.get(verdict.target) if verdict.target is not None else None
        was_proposed = proposed is not None and proposed.morph == ref
        for target in [target for target, playing in targets.items() if playing.morph == ref]:
            del targets[target]
        if verdict.target is None:
            continue
        # Of several morphs that are to play one target, the one that was proposed for it goes first, then the file's order.
        if verdict.target not in claims or (was_proposed and not claims[verdict.target][0]):
            claims[verdict.target] = was_proposed, Playing(ref, VerdictStatus.PROPOSED, Origin.GROUP, 1.0, verdict)
    targets.update({target: playing for target, (_, playing) in claims.items()})
    return versions


def _youngest(groups: Mapping[str, GroupState], key: RowKey) -> tuple[str, GroupVerdict] | None:
    said = [
        (verdict.when, name, verdict)
        for name, state in groups.items()
        if (verdict := state.of(key)) is not None and verdict.decided
    ]
    if not said:
        return None
    _, name, verdict = max(said, key=lambda item: item[:2])
    return name, verdict


def _play_record(record: AnnotationRecord, targets: dict[str, Playing]) -> None:
    idle = set(record.idle)
    for target in [target for target, playing in targets.items() if playing.morph in idle]:
        del targets[target]
    for target, verdict in record.verdicts.items():
        played = verdict.played
        for other in [name for name, playing in targets.items() if played is not None and playing.morph == played]:
            del targets[other]  # what a person gives to one target plays no other by proposal
        targets[target] = Playing(played, verdict.status, Origin.PERSON, 1.0, verdict)
