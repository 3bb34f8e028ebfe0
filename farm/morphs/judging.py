"""What became of every source morph of a model: the decision, told morph by morph, and the targets beyond the 23."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from farm.morphs.annotation import SourceMorph
from farm.morphs.decision import MOST_UNDERSTUDIES, Proposal, decide
from farm.morphs.evidence import Evidence
from farm.morphs.naming import naming, semantic_of
from farm.morphs.traits import moved_side
from farm.morphs.vocabulary import Side, on_side, recognise

BY_NAME = 0.93
"""The confidence of a name that nothing was compared with: of what names alone say of 37 characters so much is right."""
DOUBTED = 0.2
"""The least confidence at which a morph plays a target because a person says that its name stands for it."""


@dataclass(frozen=True, slots=True)
class MorphDecision:
    """What one morph plays, and why."""

    target: str | None = None
    confidence: float | None = None
    """In [0, 1]; None without a target."""
    reasons: tuple[str, ...] = ()
    """In words: for the target, or, without one, against what the name stands for."""
    denied: Mapping[str, str] = field(default_factory=dict)
    """Semantics that it is named for and does not do, with the reason."""
    parts: tuple[str, ...] | None = None
    """Of eyes, brows and mouth those near which it moves something; None where no movement was measured."""
    sides: Mapping[str, Side] = field(default_factory=dict)
    """By part the side that it moves there, where that is not the side that it moves most."""


@dataclass(frozen=True, slots=True)
class Judged:
    """What was decided of one model."""

    morphs: list[MorphDecision]
    """In the file's order; no two have one target."""
    understudies: Mapping[str, tuple[Proposal, ...]]
    """By target that something plays: who else fits and plays nothing, the best first."""


def judge(morphs: Sequence[SourceMorph], evidence: Mapping[int, Evidence]) -> Judged:
    """What was decided of one model's `morphs`, all of them and in the file's order.

    `evidence` is by index; a morph without is judged by its name.
    """
    decision = decide(morphs, evidence)
    played = {ref.index: target for target, ref in decision.annotation.items()}
    chosen = {
        proposal.morph: proposal for proposal in decision.proposals if played.get(proposal.morph) == proposal.target
    }
    ranked = _beyond(morphs, evidence, played)
    beyond = {first: target for target, (first, *_) in ranked.items()}
    able: dict[int, set[str]] = defaultdict(set)
    for proposal in decision.proposals:
        if proposal.confidence >= DOUBTED and not proposal.opposed:
            able[proposal.morph].add(semantic_of(proposal.target))
    decided = []
    for index in range(len(morphs)):
        why = decision.rejected.get(index, ())
        parts, sides = decision.parts.get(index), decision.sides.get(index, {})
        denied = {} if not why else dict.fromkeys(sorted(_promised(morphs[index]) - able[index]), "; ".join(why))
        if index in chosen:
            best = chosen[index]
            decided.append(MorphDecision(best.target, best.confidence, best.reasons, denied, parts, sides))
        elif index in beyond:
            decided.append(MorphDecision(beyond[index], BY_NAME, (*why, "by its name"), denied, parts, sides))
        else:
            decided.append(MorphDecision(None, None, why, denied, parts, sides))
    others = {
        target: tuple(Proposal(index, target, BY_NAME, ("by its name",)) for index in named[:MOST_UNDERSTUDIES])
        for target, (_, *named) in ranked.items()
        if named
    }
    return Judged(decided, {**decision.understudies, **others})


def _promised(morph: SourceMorph) -> set[str]:
    return set(naming(morph.name, morph.panel).promises)


def _beyond(
    morphs: Sequence[SourceMorph], evidence: Mapping[int, Evidence], played: Mapping[int, str]
) -> dict[str, list[int]]:
    """Targets of the extended vocabulary to morphs, by name, on the side that moves: the best name first."""
    named = []
    for index, morph in enumerate(morphs):
        found = recognise(morph.name, morph.panel)
        if found is None or found[0].sampled or not morph.moved or index in played:
            continue
        side = moved_side(evidence[index]) if index in evidence else Side.BOTH
        if side is None:
            continue
        target = on_side(found[0].name, side) if index in evidence else found[0].name
        named.append((found[1], index, target))
    ranked: dict[str, list[int]] = defaultdict(list)
    for _, index, target in sorted(named):
        ranked[target].append(index)
    return ranked
