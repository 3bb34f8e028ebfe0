"""More characters on which names alone go wrong: smiles that are called blinks, names in any language, understudies."""

import pytest

from farm.morphs.annotation import annotate
from farm.morphs.decision import MOST_UNDERSTUDIES, STRICT, decide
from farm.morphs.panels import Panel
from tests.farm.morphs.invented import (
    BOTH,
    LEFT,
    ORDINARY,
    RIGHT,
    Invented,
    Shape,
    brow,
    closed,
    comic,
    lips,
    measured,
    mixed,
    ordinary,
    small_iris,
    smiling,
    wide,
)

EYE, EYEBROW = Panel.EYE, Panel.EYEBROW
BLINK = "eye/closed/both"
WINKS = ("eye/closed/left", "eye/closed/right")
SHAPES: dict[str, tuple[str, str, Shape]] = {
    "closed": ("eye/closed", "まばたき", closed()),
    "half": ("eye/half_closed", "じと目", closed(0.45)),
    "wide": ("eye/wide", "びっくり", wide()),
    "up": ("eyebrow/raised", "眉上", brow(0.04)),
    "down": ("eyebrow/lowered", "眉下", brow(-0.035)),
    "angry": ("eyebrow/angry", "怒り眉", brow(-0.015, 0.05)),
}
BESIDES: dict[str, Shape] = {
    "smile": smiling(), "iris": small_iris(), "comic": comic(), "smirk": lips(0.01, 0.012), "a": lips(0.07, 0.004)
}  # fmt: skip
BROWS = tuple(target for target in ORDINARY if target.startswith("eyebrow/"))


def decided(character: Invented) -> dict[str, int]:
    return {target: morph.index for target, morph in decide(character.morphs, character.evidence).annotation.items()}


def by_names(character: Invented) -> dict[str, int]:
    return {target: morph.index for target, morph in annotate(character.morphs).items()}


def test_a_blink_that_smiles_plays_nothing_where_the_winks_are_plain_and_these_stay() -> None:
    character = ordinary([BLINK])
    smile = character.add("まばたき", EYE, measured(smiling()))

    decision = decide(character.morphs, character.evidence)

    assert BLINK not in decision.annotation
    assert set(WINKS) <= set(decision.annotation)
    assert f"{BLINK}: it closes less far than morph 0 does: in a smile (^)" in decision.rejected[smile][0]
    assert by_names(character)[BLINK] == smile


@pytest.mark.parametrize("first", ["smile", "blink"])
def test_a_blink_and_a_smile_that_have_each_others_names_are_told_apart(first: str) -> None:
    character = ordinary([BLINK, *WINKS])
    called = {"smile": ("まばたき", smiling()), "blink": ("笑い", closed())}
    order = sorted(called, key=lambda what: what != first)
    places = {what: character.add(called[what][0], EYE, measured(called[what][1])) for what in order}

    decision = decide(character.morphs, character.evidence)

    assert decision.annotation[BLINK].index == places["blink"]
    assert "in a smile (^)" in decision.rejected[places["smile"]][0]
    assert by_names(character)[BLINK] == places["smile"]


@pytest.mark.parametrize(
    "names",
    [
        ("眉毛抬高", "眉毛抬高_1", "眉毛抬高_2", "皱眉"),
        ("눈썹올림", "눈썹올림_가", "눈썹올림_나", "눈썹내림"),
        ("Shape_07", "Shape_08", "Shape_09", "Shape_10"),
        ("zorblax", "qwix", "vrnm", "ploo"),
    ],
    ids=["Chinese", "Korean", "English", "invented"],
)
def test_a_brow_is_found_by_what_it_does_whatever_language_names_it(names: tuple[str, ...]) -> None:
    character = ordinary(BROWS)
    shapes = ((brow(0.04), BOTH), (brow(0.04), RIGHT), (brow(0.04), LEFT), (brow(-0.035), BOTH))
    both, right, left, lowered = (
        character.add(name, None, measured(shape, sides)) for name, (shape, sides) in zip(names, shapes, strict=True)
    )

    decision = decide(character.morphs, character.evidence)

    found = {target: ref.index for target, ref in decision.annotation.items() if target.startswith("eyebrow/")}
    assert found == {
        "eyebrow/raised/both": both,
        "eyebrow/raised/left": left,
        "eyebrow/raised/right": right,
        "eyebrow/lowered/both": lowered,
    }
    assert all(each.confidence >= STRICT for each in decision.proposals if found.get(each.target) == each.morph)
    assert not {both, right, left, lowered} & set(by_names(character).values())


def test_what_no_name_stands_for_is_asked_for_more_than_what_is_named() -> None:
    # GIVEN brows that rise a little, by what others of the character do: it is doubtful whether they are raised
    def character(name: str) -> tuple[Invented, int]:
        found = ordinary(BROWS)
        found.add("下", EYEBROW, measured(brow(-0.035)))
        return found, found.add(name, EYEBROW, measured(brow(0.02, 0.01)))

    (named, known), (strange, unknown) = character("上"), character("動作")
    doubtful = next(each for each in decide(strange.morphs, strange.evidence).proposals if each.morph == unknown)

    assert (doubtful.target, doubtful.opposed) == ("eyebrow/raised/both", False)
    assert 0.3 < doubtful.confidence < STRICT
    assert decided(named)["eyebrow/raised/both"] == known
    assert "eyebrow/raised/both" not in decided(strange)


def test_whoever_else_fits_stands_by_in_order_and_no_more_than_some() -> None:
    # GIVEN a plain blink, a better named one, one that smiles, one that is no eye at all, and a crowd
    character = ordinary([BLINK])
    second = character.add("まばたき２", EYE, measured(closed()))
    first = character.add("まばたき", EYE, measured(closed()))
    character.add("まばたき", EYE, measured(smiling()))
    character.add("まばたき", EYE, measured(brow(0.01)))

    def standing_by() -> list[int]:
        return [each.morph for each in decide(character.morphs, character.evidence).understudies[BLINK]]

    assert decided(character)[BLINK] == first
    assert standing_by() == [second]
    crowd = [character.add("まばたき", EYE, measured(closed())) for _ in range(9)]
    assert standing_by() == crowd[:MOST_UNDERSTUDIES]
    assert not {index for target, index in decided(character).items() if target != BLINK} & set(standing_by())


def test_a_comic_eye_that_is_called_half_closed_stands_by_for_nobody() -> None:
    character = ordinary()
    comical = character.add("なごみ", EYE, measured(comic()))

    found = decide(character.morphs, character.evidence)

    assert comical not in {each.morph for each in found.understudies.get("eye/half_closed/both", ())}


@pytest.mark.parametrize("main", SHAPES)
def test_a_side_is_that_of_the_part_whatever_else_moves_elsewhere(main: str) -> None:
    # GIVEN one that moves one side of its part, and something else on the other side or on both
    semantic, name, shape = SHAPES[main]
    others = {what: each for what, (_, _, each) in SHAPES.items()} | BESIDES
    found: list[str] = []
    for side, own, opposite in ((LEFT, "left", "right"), (RIGHT, "right", "left")):
        for what, beside in others.items():
            for where in (LEFT, RIGHT, BOTH):
                if what == main and where != side:
                    continue  # then it moves both
                character = ordinary([target for target in ORDINARY if target.startswith(semantic)])
                evidence = mixed((shape, side), (beside, where))
                panel = EYE if semantic.startswith("eye/") else EYEBROW
                morph = character.add(name + {"left": "右", "right": "左"}[own], panel, evidence)

                played = [target for target, index in decided(character).items() if index == morph]

                truly = {f"{semantic}/{own}"}
                if what in SHAPES:
                    truly.add(f"{SHAPES[what][0]}/{'both' if where == BOTH else 'left' if where == LEFT else 'right'}")
                assert set(played) <= truly, (what, where, opposite)
                found += played
    assert f"{semantic}/left" in found
    assert f"{semantic}/right" in found


def test_what_moves_its_sides_differently_is_no_morph_of_both() -> None:
    character = ordinary([BLINK])
    uneven = character.add("まばたき", EYE, mixed((closed(), LEFT), (closed(0.45), RIGHT)))

    decision = decide(character.morphs, character.evidence)

    assert uneven not in {ref.index for ref in decision.annotation.values()}
    assert "its sides move differently" in decision.rejected[uneven][0]
    assert by_names(character)[BLINK] == uneven


@pytest.mark.parametrize("panel", [None, Panel.OTHER])
def test_up_and_down_are_brows_in_no_panel_too_where_they_move_brows(panel: Panel | None) -> None:
    character = ordinary(BROWS)
    names = {"上": brow(0.02, 0.01), "下": brow(-0.035), "怒り": brow(-0.015, 0.05)}
    places = {name: character.add(name, panel, measured(shape)) for name, shape in names.items()}

    found = {target: index for target, index in decided(character).items() if target.startswith("eyebrow/")}

    assert found == {
        "eyebrow/raised/both": places["上"],
        "eyebrow/lowered/both": places["下"],
        "eyebrow/angry/both": places["怒り"],
    }


@pytest.mark.parametrize("eyes", [True, False])
@pytest.mark.parametrize("panel", [None, Panel.OTHER])
def test_up_and_down_that_move_the_gaze_or_were_not_measured_are_no_brows(panel: Panel | None, eyes: bool) -> None:
    # GIVEN a character without brows, and perhaps without any eye whose place is known
    character = ordinary([*BROWS, *([target for target in ORDINARY if target.startswith("eye/")] if not eyes else [])])
    gaze = [(places, moves * 0 + (0, 0, up)) for up in (0.03, -0.03) for places, moves in small_iris()]
    morphs = [character.add(name, panel, measured([shape])) for name, shape in zip(("上", "下"), gaze, strict=True)]
    morphs += [character.add(name, panel, None) for name in ("上", "怒り")]

    assert not set(morphs) & set(decided(character).values())
