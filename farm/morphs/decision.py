"""The decision: which source morph of a character plays which target morph, by what is measured first, by names second.

What moves says which side a morph is of, always. How well it fits a semantic is a score of name and traits. A morph that
moves one side has to move it as the morph of both sides does; so what is left and what is right follow from what is both.
Of several that are both, the one whose halves are there goes first.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product

from farm.morphs.agreement import Half, contradicted, half
from farm.morphs.annotation import SourceMorph
from farm.morphs.candidates import MorphCandidate, candidates_of, parts_near
from farm.morphs.evidence import EVIDENCE_VERSION, Evidence
from farm.morphs.naming import CLOSED, Promise, is_smile, names_of, part_of, semantic_of
from farm.morphs.refs import Annotation, MorphRef
from farm.morphs.scoring import PROMISED, Weights, weights, weights_version
from farm.morphs.traits import PARTS, face_of, sides_apart
from farm.morphs.vocabulary import Side, all_targets, target_morphs, vocabulary_version

DECISION_VERSION = f"7-{EVIDENCE_VERSION}-{weights_version()}-{vocabulary_version()}"
"""Changes whenever the same morphs and evidence may be decided otherwise."""
LEAST = 0.3
"""The least confidence of a morph with a name for its target. Low, since a name and a fitting side are much: of those between
this and 0.5 none was wrong on characters left out, also with weights fitted on half of them."""
STRICT = 0.9
"""The least confidence of a morph that is found by its evidence alone."""
MOST_OF_A_NAME = 20
"""So many morphs with a name for a target, the best, are looked through for sets: a file may give one name to thousands."""
SHOWN = 0.05
"""The least confidence of a runner-up that is told of."""
LEAST_CLOSING = 0.8
"""Of the way that the farthest closed eye of the character goes: what goes less is no blink. Of 37 characters all proper ones
go over 0.88 of it, a smile 0.4 to 0.83 and seldom more."""
MOST_UNDERSTUDIES = 4
"""So many are remembered of a target: pictures that show nothing of five are those of a file that is made so."""


@dataclass(frozen=True, slots=True)
class Proposal:
    """A morph for a target."""

    morph: int
    """Index in the file's list."""
    target: str
    confidence: float
    """In [0, 1]: how sure it is that the morph plays the target properly."""
    reasons: tuple[str, ...]
    """In words, for people."""
    opposed: bool = False
    """Whether it may not play the target, however sure: another morph of the character speaks against it."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What plays what in one character, and why."""

    annotation: Annotation
    """Target to morph, in the vocabulary's order."""
    proposals: tuple[Proposal, ...]
    """Those chosen and the runners-up, by target in the vocabulary's order, the best first."""
    rejected: dict[int, tuple[str, ...]]
    """By morph: why one that is named for a target plays none."""
    parts: Mapping[int, tuple[str, ...]]
    """By morph that moves something, or whose picture is known: of eyes, brows and mouth those near which it does."""
    sides: Mapping[int, Mapping[str, Side]] = field(default_factory=dict)
    """By morph and part the side that it moves there, where that is not the side that it moves most."""
    understudies: Mapping[str, tuple[Proposal, ...]] = field(default_factory=dict)
    """By target that something plays: who else fits it and plays nothing, the best first. Where pictures show nothing of what
    plays, the next of these does that they show."""


def decide(
    morphs: Sequence[SourceMorph],
    evidence: Mapping[int, Evidence],
    least: float = LEAST,
    fitted: Weights | None = None,
) -> Decision:
    """Decide for one character's `morphs`, all of them and in the file's order.

    `evidence` is by index; a morph without is judged by its name alone, at a lower confidence. Of those that are named for
    their target the best with a confidence of `least` or more plays, of the others one with STRICT or more. `fitted` are
    other weights than the farm's own.
    """
    fitted = fitted or weights()
    names = names_of((morph.name, morph.panel) for morph in morphs)
    face = face_of(names, evidence)
    rejected: dict[int, tuple[str, ...]] = {}
    candidates: list[MorphCandidate] = []
    parts: dict[int, tuple[str, ...]] = {}
    sides: dict[int, Mapping[str, Side]] = {}
    for index, (morph, name) in enumerate(zip(morphs, names, strict=True)):
        found, why = candidates_of(index, morph, name, evidence.get(index), face, fitted)
        candidates += found
        near = parts_near(evidence.get(index), found, face)
        if near is not None:
            parts[index] = tuple(part for part in PARTS if part in near)
            if index in evidence and (others := sides_apart(evidence[index], near, face)):
                sides[index] = others
        if why and name.promises:
            rejected[index] = (why,)
    smiles = {index for index, morph in enumerate(morphs) if is_smile(morph.name, morph.panel)}
    _oppose_smiles(candidates, smiles)
    chosen = _choose(candidates, least, fitted)
    played = {candidate.index for candidate in chosen.values()}
    for candidate in candidates:
        if candidate.promise in PROMISED and candidate.index not in played and _why_not(candidate, chosen, least):
            rejected[candidate.index] = (*rejected.get(candidate.index, ()), _why_not(candidate, chosen, least))
    return Decision(
        annotation={
            target: MorphRef(index=chosen[target].index, name=morphs[chosen[target].index].name)
            for target in all_targets()
            if target in chosen
        },
        proposals=tuple(_proposals(candidates, chosen)),
        rejected=dict(sorted(rejected.items())),
        parts=parts,
        sides=sides,
        understudies=_understudies(candidates, chosen, least),
    )


def _oppose_smiles(candidates: Iterable[MorphCandidate], smiles: Collection[int]) -> None:
    """Speak against what closes the eyes less far than others that are named for it, or for a smile: as a smile (^) does."""
    closing = [each for each in candidates if semantic_of(each.target) == CLOSED and each.measured]
    named = [each for each in closing if each.index in smiles or each.promise in PROMISED]
    farthest = max(named, key=lambda each: each.measured["closing"], default=None)
    for each in closing:
        if farthest is not None and each.measured["closing"] < LEAST_CLOSING * farthest.measured["closing"]:
            each.against.append(
                f"it closes less far than morph {farthest.index} does: in a smile (^), or not all the way"
            )


def _understudies(
    candidates: Iterable[MorphCandidate], chosen: Mapping[str, MorphCandidate], least: float
) -> dict[str, tuple[Proposal, ...]]:
    played = {candidate.index for candidate in chosen.values()}
    ready: dict[str, list[MorphCandidate]] = defaultdict(list)
    for candidate in candidates:
        if candidate.target in chosen and candidate.index not in played and _is_good(candidate, least):
            ready[candidate.target].append(candidate)
    return {
        target: tuple(map(_proposal, sorted(ready[target], key=lambda candidate: candidate.order)[:MOST_UNDERSTUDIES]))
        for target in all_targets()
        if target in ready
    }


def _choose(candidates: Iterable[MorphCandidate], least: float, fitted: Weights) -> dict[str, MorphCandidate]:
    """One candidate for each target that has one good enough, and one target for each morph: both sides first."""
    chosen: dict[str, MorphCandidate] = {}
    one_sided = []
    ranked = []
    for candidate in candidates:
        if candidate.target.endswith((f"/{Side.LEFT}", f"/{Side.RIGHT}")):
            one_sided.append(candidate)
        else:
            ranked.append(candidate)
    _prefer_sets(ranked, one_sided, least, fitted)
    _assign(ranked, chosen, least)
    _drop_contradicted(chosen)
    for candidate in one_sided:
        whole = chosen.get(f"{semantic_of(candidate.target)}/{Side.BOTH}")
        if whole is not None and whole.measured and candidate.measured:
            _compare(candidate, whole, fitted)
    _assign(one_sided, chosen, least)
    return chosen


def _prefer_sets(
    wholes: Iterable[MorphCandidate], one_sided: Iterable[MorphCandidate], least: float, fitted: Weights
) -> None:
    """Prefer, of each semantic, the best whole that has both its halves: three that agree go before one that stands alone.

    Each of the three has a name for the semantic and is good enough by itself, since a set may agree in being something else.
    """
    named: dict[str, list[MorphCandidate]] = defaultdict(list)
    for candidate in sorted((*wholes, *one_sided), key=lambda candidate: candidate.order):
        of_target = named[candidate.target]
        if candidate.promise is Promise.NAMED and candidate.measured and _is_good(candidate, least):
            of_target[:] = [*of_target, candidate][:MOST_OF_A_NAME]
    for semantic in {semantic_of(target): None for target in named}:
        left, right = (named.get(f"{semantic}/{side}", []) for side in (Side.LEFT, Side.RIGHT))
        for whole in named.get(f"{semantic}/{Side.BOTH}", ()):
            if whole.named_side is Side.BOTH and (halves := _halves(whole, left, right, fitted)):
                whole.preferred = True
                whole.reasons = (*whole.reasons, f"morphs {halves[0]} and {halves[1]} are its halves")
                break


def _halves(
    whole: MorphCandidate, left: Iterable[MorphCandidate], right: Iterable[MorphCandidate], fitted: Weights
) -> tuple[int, int] | None:
    """Of `left` and `right` the best that are halves of `whole`.

    Their names tell the sides apart, if rightly or not; names that were shuffled seldom do.
    """
    part = part_of(whole.target)
    alike = (
        [each for each in found if half(part, each.measured, whole.measured, fitted) is Half.ALIKE]
        for found in (left, right)
    )
    apart = {Side.LEFT, Side.RIGHT}
    pairs = ((one.index, other.index) for one, other in product(*alike) if {one.named_side, other.named_side} == apart)
    return next(pairs, None)


def _compare(candidate: MorphCandidate, whole: MorphCandidate, fitted: Weights) -> None:
    match half(part_of(candidate.target), candidate.measured, whole.measured, fitted):
        case Half.ODD:
            candidate.against.insert(0, f"it moves its side otherwise than morph {whole.index}, which plays both sides")
        case Half.ALIKE:
            candidate.preferred = True
            candidate.reasons = (*candidate.reasons, f"it is the half of morph {whole.index}, which plays both sides")
            candidate.score = replace(
                candidate.score, confidence=max(candidate.score.confidence, whole.score.confidence)
            )


def _drop_contradicted(chosen: dict[str, MorphCandidate]) -> None:
    vowels = {target: each for target, each in chosen.items() if part_of(target) == "mouth" and each.measured}
    for vowel, why in contradicted({target[-1]: each.measured for target, each in vowels.items()}).items():
        chosen.pop(f"mouth/{vowel}").against.append(why)


def _assign(candidates: Iterable[MorphCandidate], chosen: dict[str, MorphCandidate], least: float) -> None:
    played = {candidate.index for candidate in chosen.values()}
    for candidate in sorted(candidates, key=lambda candidate: candidate.order):
        if candidate.target in chosen or candidate.index in played or not _is_good(candidate, least):
            continue
        chosen[candidate.target] = candidate
        played.add(candidate.index)


def _is_good(candidate: MorphCandidate, least: float) -> bool:
    asked = least if candidate.promise in PROMISED or candidate.preferred else max(least, STRICT)
    return not candidate.against and candidate.score.confidence >= asked


def _why_not(candidate: MorphCandidate, chosen: Mapping[str, MorphCandidate], least: float) -> str:
    if candidate.against:
        return f"{candidate.target}: {candidate.against[0]}"
    if candidate.score.confidence < least:
        return f"{candidate.target}: {'; '.join(candidate.reasons)}; confidence {candidate.score.confidence:.2f}"
    other = chosen.get(candidate.target)
    if other is None:
        return ""
    if other.preferred and not candidate.preferred:
        return f"{candidate.target}: morph {other.index} goes before it, since {other.reasons[-1]}"
    return f"{candidate.target}: morph {other.index} fits better"


def _proposals(candidates: Iterable[MorphCandidate], chosen: Mapping[str, MorphCandidate]) -> Iterable[Proposal]:
    by_target: dict[str, list[MorphCandidate]] = {target.name: [] for target in target_morphs()}
    for candidate in candidates:
        if candidate is chosen.get(candidate.target) or candidate.score.confidence >= SHOWN:
            by_target[candidate.target].append(candidate)
    for target, found in by_target.items():
        found.sort(
            key=lambda candidate: (candidate is not chosen.get(target), bool(candidate.against), candidate.order)
        )
        yield from map(_proposal, found)


def _proposal(candidate: MorphCandidate) -> Proposal:
    reasons = (*candidate.reasons, *candidate.against)
    confidence = round(candidate.score.confidence, 4)
    return Proposal(candidate.index, candidate.target, confidence, reasons, opposed=bool(candidate.against))
