"""Candidates: the semantics that each morph of a character might play, by its name, its traits and its picture."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace

from farm.morphs.agreement import Half, half
from farm.morphs.annotation import SourceMorph
from farm.morphs.appearance import shown
from farm.morphs.evidence import Evidence, FaceLook
from farm.morphs.naming import CLOSED, Naming, Promise, part_of, semantic_of
from farm.morphs.reasons import TRAITS_IN_WORDS, effect, taken_as
from farm.morphs.scoring import PROMISED, Score, Weights
from farm.morphs.traits import (
    LEAST_PIXELS,
    PARTS,
    Face,
    moved_side,
    share_near,
    side_at,
    sides,
    smiles,
    traits,
    traits_by_side,
)
from farm.morphs.vocabulary import Side

AHEAD = 0.05
"""By so much a morph whose name stands for the target goes before one that is found by its evidence alone: a whole face's
expression may close the eyes as well as a blink does."""
FARTHEST = 0.35
"""Of the way from mouth to eyes: what moves further from a part than this does not move that part. The farthest proper
morph among 37 characters is at 0.25."""
HALF = 0.5
"""Of its squared movement: a morph that does so much nearer than that is of the part all the same, for whoever says so: a
mouth that opens wide takes the chin along, and its middle may be below the lips."""


@dataclass(slots=True)
class MorphCandidate:
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


def candidates_of(
    index: int, morph: SourceMorph, name: Naming, evidence: Evidence | None, face: Face, fitted: Weights
) -> tuple[list[MorphCandidate], str]:
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
    sides_of = {part: side_at(part, evidence, face) or side for part in PARTS}
    found = []
    far = ""
    for semantic in fitted.names:
        part = part_of(semantic)
        of_part = measured[part]
        here = sides_of[part]
        promise = name.promise(semantic)
        if abs(of_part["place"]) > FARTHEST:
            far = f"what it moves is not the {part_of(semantic)}" if promise in PROMISED else far
            continue
        score = fitted.score(semantic, promise, of_part)
        reasons = (taken_as(morph.name, name, here), effect(semantic, of_part), _fit(promise, score))
        told = tuple(filter(None, reasons))
        candidate = MorphCandidate(index, _target(semantic, here), promise, score, of_part, told, name.usual_side)
        if semantic == CLOSED and smiles(evidence):
            candidate.against.append("it closes in a smile (^)")
        if here is Side.BOTH and _lopsided(part, evidence, face, fitted):
            candidate.against.append("its sides move differently")
        found.append(candidate)
    return found, far


def _lopsided(part: str, evidence: Evidence, face: Face, fitted: Weights) -> bool:
    """Whether one side moves as no half of the other does. Mouths are one thing."""
    by_side = traits_by_side(part, evidence, face) if part != "mouth" else []
    if len(by_side) < 2:
        return False
    left, right = by_side
    return half(part, left, right, fitted) is Half.ODD


def _by_name(
    index: int, morph: SourceMorph, name: Naming, fitted: Weights, seen: Side | None, *reasons: str
) -> list[MorphCandidate]:
    """What a morph might play by its name, on the side that was `seen`, or else on the one that it names."""
    if name.loose:
        return []  # without a movement nobody knows what it means
    side = seen or name.usual_side
    guessed = seen is None and side is not Side.BOTH
    found = []
    for semantic, promise in name.promises.items():
        score = fitted.by_name(semantic, promise, guessed)
        told = (f"named {morph.name}", *reasons)
        found.append(MorphCandidate(index, _target(semantic, side), promise, score, {}, told, name.usual_side))
    return found


def _compare_with_picture(candidate: MorphCandidate, side: Side, looks: FaceLook) -> None:
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


def parts_near(evidence: Evidence | None, found: Iterable[MorphCandidate], face: Face) -> Collection[str] | None:
    """The parts at which a morph changes something; None where nobody knows."""
    if evidence is None:
        return None
    if sides(evidence):
        taken = {part_of(candidate.target) for candidate in found if candidate.measured}
        return taken | {part for part in PARTS if share_near(part, evidence, face, FARTHEST) >= HALF}
    return evidence.picture.looks.parts if evidence.picture is not None and evidence.picture.looks is not None else None
