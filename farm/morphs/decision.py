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
from farm.morphs.appearance import shown
from farm.morphs.evidence import EVIDENCE_VERSION, Evidence, FaceLook
from farm.morphs.naming import Naming, Promise, naming, part_of, semantic_of
from farm.morphs.reasons import TRAITS_IN_WORDS, effect, taken_as
from farm.morphs.refs import Annotation, MorphRef
from farm.morphs.scoring import PROMISED, Score, Weights, weights, weights_version
from farm.morphs.traits import LEAST_PIXELS, PARTS, Face, face_of, moved_side, sides, traits
from farm.morphs.vocabulary import Side, all_targets, target_morphs, vocabulary_version

DECISION_VERSION = f"4-{EVIDENCE_VERSION}-{weights_version()}-{vocabulary_version()}"
"""Changes whenever the same morphs and evidence may be decided otherwise."""
LEAST = 0.3
"""The least confidence of a morph with a name for its target. Low, since a name and a fitting side are much: of those between
this and 0.5 none was wrong on characters left out, also with weights fitted on half of them."""
STRICT = 0.9
"""The least confidence of a morph that is found by its evidence alone."""
AHEAD = 0.05
"""By so much a morph whose name stands for the target goes before one that is found by its evidence alone: a whole face's
expression may close the eyes as well as a blink does."""
MOST_OF_A_NAME = 20
"""So many morphs with a name for a target, the best, are looked through for sets: a file may give one name to thousands."""
SHOWN = 0.05
"""The least confidence of a runner-up that is told of."""
FARTHEST = 0.35
"""Of the way from mouth to eyes: what moves further from a part than this does not move that part. The farthest proper
morph among 37 characters is at 0.25."""


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


@dataclass(slots=True)
class _Candidate:
    """A morph that might play a semantic, while it is decided."""

    index: int
    target: str
    promise: Promise
    score: Score
    measured: Mapping[str, float]
    reasons: tuple[str, ...]
    named_side: Side
    """The side that most mean by its name."""
    against: list[str] = field(default_factory=list)
    preferred: bool = False
    """Whether it is of a set, as its last reason says: half of the morph that plays both sides, or both with halves."""

    @property
    def order(self) -> tuple[bool, float, int]:
        ahead = AHEAD if self.promise in PROMISED else 0.0
        return (not self.preferred, -self.score.confidence - ahead, self.index)


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
    names = [naming(morph.name, morph.panel) for morph in morphs]
    face = face_of(names, evidence)
    rejected: dict[int, tuple[str, ...]] = {}
    candidates: list[_Candidate] = []
    parts: dict[int, tuple[str, ...]] = {}
    for index, (morph, name) in enumerate(zip(morphs, names, strict=True)):
        found, why = _candidates(index, morph, name, evidence.get(index), face, fitted)
        candidates += found
        near = _near(evidence.get(index), found)
        if near is not None:
            parts[index] = tuple(part for part in PARTS if part in near)
        if why and name.promises:
            rejected[index] = (why,)
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
    )


def _near(evidence: Evidence | None, found: Iterable[_Candidate]) -> Collection[str] | None:
    """The parts at which a morph changes something; None where nobody knows."""
    if evidence is None:
        return None
    if sides(evidence):
        return {part_of(candidate.target) for candidate in found if candidate.measured}
    return evidence.picture.looks.parts if evidence.picture is not None and evidence.picture.looks is not None else None


def _candidates(
    index: int, morph: SourceMorph, name: Naming, evidence: Evidence | None, face: Face, fitted: Weights
) -> tuple[list[_Candidate], str]:
    """What a morph might play; and, when that is nothing at all, why."""
    if not morph.moved:
        return [], "it moves nothing"
    if evidence is None:
        return _by_name(index, morph, name, fitted, None, "nothing was measured: by its name alone"), ""
    side = moved_side(evidence)
    if side is None or (evidence.picture is not None and evidence.picture.count < LEAST_PIXELS):
        return [], "it changes nothing that shows"
    measured = {part: traits(part, evidence, face) for part in PARTS}
    if not any(measured.values()):
        assert evidence.picture is not None
        change = f"changes {evidence.picture.count} pixels and moves no vertex: by its name and the picture"
        found = _by_name(index, morph, name, fitted, side, change, taken_as(morph.name, name, side))
        if evidence.picture.looks is not None:
            for candidate in found:
                _compare_with_picture(candidate, side, evidence.picture.looks)
        return found, ""
    found = []
    far = ""
    for semantic in fitted.names:
        of_part = measured[part_of(semantic)]
        promise = name.promise(semantic)
        if abs(of_part["place"]) > FARTHEST:
            far = f"what it moves is not the {part_of(semantic)}" if promise in PROMISED else far
            continue
        score = fitted.score(semantic, promise, of_part)
        reasons = (taken_as(morph.name, name, side), effect(semantic, of_part), _fit(promise, score))
        told = tuple(filter(None, reasons))
        found.append(_Candidate(index, _target(semantic, side), promise, score, of_part, told, name.usual_side))
    return found, far


def _by_name(
    index: int, morph: SourceMorph, name: Naming, fitted: Weights, seen: Side | None, *reasons: str
) -> list[_Candidate]:
    """What a morph might play by its name, on the side that was `seen`, or else on the one that it names."""
    side = seen or name.usual_side
    guessed = seen is None and side is not Side.BOTH
    found = []
    for semantic, promise in name.promises.items():
        score = fitted.by_name(semantic, promise, guessed)
        told = (f"named {morph.name}", *reasons)
        found.append(_Candidate(index, _target(semantic, side), promise, score, {}, told, name.usual_side))
    return found


def _compare_with_picture(candidate: _Candidate, side: Side, looks: FaceLook) -> None:
    seen = shown(semantic_of(candidate.target), side, looks)
    if seen.fits is False:
        candidate.against.append(seen.told)
    elif seen.fits:
        candidate.reasons = (*candidate.reasons, seen.told)
        candidate.score = replace(candidate.score, confidence=(1 + candidate.score.confidence) / 2)


def _fit(promise: Promise, score: Score) -> str:
    against = min(score.shares, key=lambda trait: score.shares[trait], default="")
    doubt = f"; against it speaks {TRAITS_IN_WORDS[against]}" if against and score.shares[against] < -1 else ""
    return f"{_PROMISES[promise]}{doubt}"


_PROMISES = {
    Promise.NAMED: "its name is one for this",
    Promise.VARIANT: "its name is a form of one for this",
    Promise.AKIN: "its name sometimes means this",
    Promise.UNKNOWN: "its name says nothing: by what it moves",
    Promise.OTHER: "its name is for something else: by what it moves",
    Promise.ELSEWHERE: "it stands in another panel: by what it moves",
}


def _target(semantic: str, side: Side | None) -> str:
    return semantic if part_of(semantic) == "mouth" else f"{semantic}/{side or Side.BOTH}"


def _choose(candidates: Iterable[_Candidate], least: float, fitted: Weights) -> dict[str, _Candidate]:
    """One candidate for each target that has one good enough, and one target for each morph: both sides first."""
    chosen: dict[str, _Candidate] = {}
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


def _prefer_sets(wholes: Iterable[_Candidate], one_sided: Iterable[_Candidate], least: float, fitted: Weights) -> None:
    """Prefer, of each semantic, the best whole that has both its halves: three that agree go before one that stands alone.

    Each of the three has a name for the semantic and is good enough by itself, since a set may agree in being something else.
    """
    named: dict[str, list[_Candidate]] = defaultdict(list)
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
    whole: _Candidate, left: Iterable[_Candidate], right: Iterable[_Candidate], fitted: Weights
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


def _compare(candidate: _Candidate, whole: _Candidate, fitted: Weights) -> None:
    match half(part_of(candidate.target), candidate.measured, whole.measured, fitted):
        case Half.ODD:
            candidate.against.append(f"it moves its side otherwise than morph {whole.index}, which plays both sides")
        case Half.ALIKE:
            candidate.preferred = True
            candidate.reasons = (*candidate.reasons, f"it is the half of morph {whole.index}, which plays both sides")
            candidate.score = replace(
                candidate.score, confidence=max(candidate.score.confidence, whole.score.confidence)
            )


def _drop_contradicted(chosen: dict[str, _Candidate]) -> None:
    vowels = {target: each for target, each in chosen.items() if part_of(target) == "mouth" and each.measured}
    for vowel, why in contradicted({target[-1]: each.measured for target, each in vowels.items()}).items():
        chosen.pop(f"mouth/{vowel}").against.append(why)


def _assign(candidates: Iterable[_Candidate], chosen: dict[str, _Candidate], least: float) -> None:
    played = {candidate.index for candidate in chosen.values()}
    for candidate in sorted(candidates, key=lambda candidate: candidate.order):
        if candidate.target in chosen or candidate.index in played or not _is_good(candidate, least):
            continue
        chosen[candidate.target] = candidate
        played.add(candidate.index)


def _is_good(candidate: _Candidate, least: float) -> bool:
    asked = least if candidate.promise in PROMISED or candidate.preferred else max(least, STRICT)
    return not candidate.against and candidate.score.confidence >= asked


def _why_not(candidate: _Candidate, chosen: Mapping[str, _Candidate], least: float) -> str:
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


def _proposals(candidates: Iterable[_Candidate], chosen: Mapping[str, _Candidate]) -> Iterable[Proposal]:
    by_target: dict[str, list[_Candidate]] = {target.name: [] for target in target_morphs()}
    for candidate in candidates:
        if candidate is chosen.get(candidate.target) or candidate.score.confidence >= SHOWN:
            by_target[candidate.target].append(candidate)
    for target, found in by_target.items():
        found.sort(
            key=lambda candidate: (candidate is not chosen.get(target), bool(candidate.against), candidate.order)
        )
        for candidate in found:
            reasons = (*candidate.reasons, *candidate.against)
            confidence = round(candidate.score.confidence, 4)
            yield Proposal(candidate.index, target, confidence, reasons, opposed=bool(candidate.against))
