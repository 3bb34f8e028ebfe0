"""What of a space a model can play, by what: own morphs, halves, pairs, names that evidence places, bones."""

import pytest

from farm.morphs.annotation import SourceMorph
from farm.morphs.combinations import half_number
from farm.morphs.judgement import Judgement
from farm.morphs.refs import MorphRef
from farm.morphs.vocabulary import Side
from farm.spaces.casting import Played, cast, every_way, named_morphs
from farm.spaces.space import DEFAULT, space_named, space_names

FACE = space_named("face-45")


def _ref(index: int) -> MorphRef:
    return MorphRef(index=index, name=f"m{index}")


def _morph(name: str, side: Side | None, parts: tuple[str, ...] | None = ("eye",), shows: bool = True) -> SourceMorph:
    return SourceMorph(name, "vertex", None, 9, Judgement(shows, side, None, parts, {}))


def test_a_side_plays_by_its_own_morph_and_else_by_half_of_that_of_both() -> None:
    found = cast(FACE, {"eye/closed/both": _ref(1), "eye/closed/left": _ref(2), "eye/happy": _ref(3)}, {})

    assert found["eye/wink/both"] == Played(of=(_ref(1),))
    assert found["eye/wink/left"] == Played(of=(_ref(2),))
    assert found["eye/wink/right"] == Played(of=(_ref(1),), half=Side.RIGHT)
    assert found["eye/happy_wink/both"] == Played(of=(_ref(3),))
    assert found["eye/happy_wink/left"] == Played(of=(_ref(3),), half=Side.LEFT)
    assert found["eye/happy_wink/left"].numbers("eye/happy_wink/left", FACE) == (half_number(3, Side.LEFT),)


def test_both_sides_play_by_the_two_and_one_alone_plays_its_side_alone() -> None:
    pair = cast(FACE, {"eye/wide/left": _ref(1), "eye/wide/right": _ref(2)}, {})
    alone = cast(FACE, {"eye/wide/right": _ref(2)}, {})

    assert pair["eye/surprised/both"] == Played(of=(_ref(1), _ref(2)))
    assert {key for key in alone if key.startswith("eye/")} == {"eye/surprised/right"}
    mask = dict(zip(FACE.entries, FACE.mask(alone), strict=True))
    assert (mask["eye_surprised_left"], mask["eye_surprised_right"]) == (False, True)


def test_what_shows_nothing_gives_way_to_the_next_way() -> None:
    played = ("mouth/corner_raised", "mouth/smile/both", "eye/look_up/both", "eye/look_down/both")
    annotation = {target: _ref(index) for index, target in enumerate(played, 1)}
    bones = FACE.movement_of["iris_rotation/x"]

    all_show = cast(FACE, annotation, {})
    some = cast(FACE, annotation, {}, [1, bones])

    assert all_show["mouth/raised_corner/both"].of == (_ref(1),)
    assert some["mouth/raised_corner/both"].of == (_ref(2),)
    assert all_show["iris_rotation/x"] == Played(moves=True)
    assert some["iris_rotation/x"] == Played(of=(_ref(4),), against=(_ref(3),))
    # Downwards is positive: up plays by the other, at a weight above 0.
    assert some["iris_rotation/x"].weights("iris_rotation/x", FACE, 0.5) == {4: 0.5}
    assert some["iris_rotation/x"].weights("iris_rotation/x", FACE, -0.25) == {3: 0.25}
    assert all_show["iris_rotation/x"].weights("iris_rotation/x", FACE, -0.25) == {bones: -0.25}


def test_one_direction_alone_is_no_gaze() -> None:
    found = cast(FACE, {"eye/look_up/both": _ref(3)}, {}, list(FACE.movements))

    assert "iris_rotation/x" not in found


@pytest.mark.parametrize(
    ("morph", "key"),
    [
        (_morph("なごみ", Side.BOTH), "eye/relaxed/both"),
        (_morph("なごみ左", Side.RIGHT), "eye/relaxed/right"),  # sides lie: what moves decides
        (_morph("なごみ", None), "eye/relaxed/both"),
        (_morph("なごみ", Side.BOTH, ("mouth",)), None),
        (_morph("なごみ", Side.BOTH, shows=False), None),
        (_morph("にっこり", Side.BOTH), None),
    ],
)
def test_names_say_what_and_evidence_says_where(morph: SourceMorph, key: str | None) -> None:
    found = named_morphs(FACE, [morph], {})

    assert found == ({} if key is None else {key: MorphRef(index=0, name=morph.name)})
    if key == "eye/relaxed/both":
        assert cast(FACE, {}, found)["eye/relaxed/left"] == Played(of=(found[key],), half=Side.LEFT)


def test_a_morph_that_plays_a_target_is_left_to_that() -> None:
    morph = _morph("なごみ", Side.BOTH)

    assert named_morphs(FACE, [morph], {"eye/half_closed/both": MorphRef(index=0, name="なごみ")}) == {}


@pytest.mark.parametrize("name", space_names())
def test_a_model_with_everything_plays_every_entry(name: str) -> None:
    space = space_named(name)
    everything = {target: _ref(place) for place, target in enumerate(sorted(space.targets))}
    named = {"eye/relaxed/both": _ref(900)}

    assert all(space.mask(cast(space, everything, named)))
    assert len(every_way(space, everything, named)) >= len(space.keys)


def test_a_model_with_nothing_still_turns_its_head() -> None:
    mask = dict(zip(FACE.entries, FACE.mask(cast(FACE, {}, {}, list(FACE.movements))), strict=True))

    assert {entry for entry, can in mask.items() if can} == {"head_x", "head_y", "neck_z"}
    assert sum(space_named(DEFAULT).mask(())) == 3
