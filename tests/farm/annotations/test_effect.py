"""What comes of proposals, verdicts on names and a model's record together, and what of it counts."""

import pytest

from farm.annotations.effect import Effect, Origin, effect
from farm.annotations.groups import GroupState, GroupVerdict
from farm.annotations.verdicts import (
    NOTHING_SAID,
    AnnotationRecord,
    Saying,
    VerdictStatus,
    checked,
    with_verdicts,
)
from farm.errors import MappingError
from farm.models.inventory import MorphEntry, MorphEvidence
from farm.morphs.annotation import SourceMorph
from farm.morphs.panels import Panel
from farm.morphs.refs import Annotation, MorphRef
from farm.morphs.vocabulary import Side
from farm.spec import AnnotationRule

PROPOSALS, CONFIRMED = AnnotationRule.PROPOSALS, AnnotationRule.CONFIRMED
SAYING = Saying(who="alice", when="2026-01-02T03:04:05+00:00", why="seen")
MODEL = "a" * 64
NAMES = ("まばたき", "ウィンク", "ウィンク2", "あ", "い", "見出し")
PROPOSED = {0: "eye/closed/both", 1: "eye/closed/right", 3: "mouth/a"}
"""The second is named as the left eye's and was seen to close the right one."""


RIGHT = MorphEvidence(side=Side.RIGHT, vertices=9, left_share=0.0)


def morphs(sure: float = 1.0) -> list[MorphEntry]:
    return [
        MorphEntry(
            index=index, name=name, kind="vertex", panel="eye" if index < 3 else "mouth", moved=0 if name == "見出し" else 9,
            proposal=PROPOSED.get(index), confidence=sure, evidence=RIGHT if index == 1 else None,
        )
        for index, name in enumerate(NAMES)
    ]  # fmt: skip


def ref(index: int) -> MorphRef:
    return MorphRef(index=index, name=NAMES[index])


def proposals() -> Annotation:
    return {target: ref(index) for index, target in PROPOSED.items()}


def group(*said: tuple[str, str, str | None], when: str = SAYING.when, exceptions: tuple[str, ...] = ()) -> GroupState:
    """What stands after an entry that says these (name, panel, target)."""
    verdicts = [
        GroupVerdict(
            **{**SAYING.model_dump(), "when": when},
            name=name,
            panel=panel,
            target=target,
            exceptions=exceptions,
            version=0,
        )
        for name, panel, target in said
    ]
    state = GroupState()
    return state.followed_by([state.next_entry(verdicts, SAYING)])


def record(said: dict[str, tuple[VerdictStatus, MorphRef | None]]) -> AnnotationRecord:
    return with_verdicts(NOTHING_SAID, said, SAYING)


def found(
    groups: dict[str, GroupState] | None = None, person: AnnotationRecord = NOTHING_SAID, sure: float = 1.0
) -> Effect:
    return effect(MODEL, morphs(sure), proposals(), groups or {}, person)


def played(made: Effect, rule: AnnotationRule = PROPOSALS, least: float = 0.0) -> dict[str, int]:
    return {target: morph.index for target, morph in made.annotation(rule, least).items()}


def test_without_a_word_the_proposals_play_and_nothing_is_confirmed() -> None:
    made = found()

    assert played(made) == {"eye/closed/both": 0, "eye/closed/right": 1, "mouth/a": 3}
    assert played(made, CONFIRMED) == {}
    assert (made.provenance.record, made.provenance.groups) == (0, {})


def test_proposals_below_the_least_confidence_do_not_count_but_a_persons_word_does() -> None:
    made = found(person=record({"mouth/a": (VerdictStatus.PROPOSED, ref(3))}), sure=0.6)

    assert played(made, PROPOSALS, 0.6) == {"eye/closed/both": 0, "eye/closed/right": 1, "mouth/a": 3}
    assert played(made, PROPOSALS, 0.61) == {"mouth/a": 3}


def test_a_verdict_on_a_name_replaces_what_its_morph_was_proposed_for() -> None:
    made = found({"spring": group(("あ", "mouth", "mouth/o"), ("い", "mouth", "mouth/a"))})

    assert played(made) == {"eye/closed/both": 0, "eye/closed/right": 1, "mouth/a": 4, "mouth/o": 3}
    assert made.targets["mouth/o"].origin is Origin.GROUP
    assert made.provenance.groups == {"spring": 1}
    assert played(made, CONFIRMED) == {}, "nobody has looked at this model"


def test_a_verdict_that_nothing_is_played_holds_for_the_morphs_of_the_name() -> None:
    assert "mouth/a" not in found({"spring": group(("あ", "mouth", None))}).targets


@pytest.mark.parametrize("name", ["ウィンク", "見出し"])
def test_the_evidence_stops_a_verdict_on_a_name(name: str) -> None:
    panel = "eye" if name == "ウィンク" else "mouth"

    made = found({"spring": group((name, panel, "eye/closed/left"))})

    assert played(made) == played(found()), "it closes the right eye, or moves nothing"


def test_a_named_exception_and_another_panel_are_left_alone() -> None:
    excepted = found({"spring": group(("い", "mouth", "mouth/i"), exceptions=(MODEL,))})
    elsewhere = found({"spring": group(("い", "eye", "mouth/i"))})

    assert played(excepted) == played(elsewhere) == played(found())
    assert elsewhere.provenance.groups == {}, "no verdict bears on the model"


def test_of_two_collections_the_youngest_verdict_holds() -> None:
    groups = {
        "autumn": group(("い", "mouth", "mouth/u"), when="2026-03-01T00:00:00+00:00"),
        "winter": group(("い", "mouth", "mouth/i"), when="2026-02-01T00:00:00+00:00"),
    }

    assert played(found(groups))["mouth/u"] == 4


def test_of_two_morphs_that_are_to_play_a_target_the_proposed_one_goes_first() -> None:
    said = group(("い", "mouth", "mouth/a"), ("あ", "mouth", "mouth/a"))

    assert played(found({"spring": said}))["mouth/a"] == 3


def test_the_record_has_the_last_word() -> None:
    said: dict[str, tuple[VerdictStatus, MorphRef | None]] = {
        "eye/closed/left": (VerdictStatus.CHANGED, ref(1)),
        "eye/closed/both": (VerdictStatus.REJECTED, ref(0)),
        "mouth/a": (VerdictStatus.CONFIRMED, ref(3)),
    }

    made = found({"spring": group(("あ", "mouth", None))}, record(said))

    assert played(made) == played(made, CONFIRMED) == {"eye/closed/left": 1, "mouth/a": 3}, (
        "and 1 plays no right eye more"
    )
    assert made.targets["eye/closed/both"].status is VerdictStatus.REJECTED


SOURCE = [SourceMorph(m.name, m.kind, Panel.EYE, m.moved) for m in morphs()]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"nose/long": (VerdictStatus.REJECTED, None)}, "no target morph"),
        ({"mouth/a": (VerdictStatus.CONFIRMED, MorphRef(index=0, name="あ"))}, "is 'まばたき', not 'あ'"),
        ({"mouth/a": (VerdictStatus.CONFIRMED, MorphRef(index=99, name="あ"))}, "no morph 99"),
        ({"mouth/a": (VerdictStatus.CONFIRMED, MorphRef(index=5, name="見出し"))}, "moves nothing"),
        ({"mouth/a": (VerdictStatus.CHANGED, None)}, "no morph is named"),
        ({name: (VerdictStatus.CONFIRMED, ref(3)) for name in ("mouth/a", "mouth/e")}, "one without the other"),
    ],
)
def test_what_a_model_cannot_do_is_refused(said: dict[str, tuple[VerdictStatus, MorphRef | None]], words: str) -> None:
    with pytest.raises(MappingError, match=words):
        checked(said, SOURCE)


def test_a_bare_name_gets_its_index_and_a_rejected_morph_may_play_elsewhere() -> None:
    bare = MorphRef.model_validate("あ")
    said = {"mouth/a": (VerdictStatus.CONFIRMED, bare), "mouth/e": (VerdictStatus.REJECTED, ref(3))}

    assert checked(said, SOURCE)["mouth/a"] == (VerdictStatus.CONFIRMED, ref(3))
