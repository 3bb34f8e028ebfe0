"""Labels that are true whatever kind of morph moves the face: bones, groups of groups, flips, expressions of many binds."""

from collections.abc import Mapping
from dataclasses import replace
from functools import cache

import numpy as np
import pytest

from farm.models.description import BoneMorph, Character, Expression, GroupMorph, Morph, VertexMorph
from farm.models.inventory import Inventory, of_character
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from farm.models.vrm.writer import vrm_bytes
from farm.morphs.annotation import apply_table, read_table
from farm.morphs.panels import Panel
from tests.support.characters import mascot

LEFT, RIGHT, SMILE = "ウィンク２", "ｳｨﾝｸ２右", "ウィンク右"
"""nagi's plain winks, and one that smiles, by whose eye they close."""


@cache
def nagi() -> Character:
    return mascot("nagi")


def place(name: str) -> int:
    return next(index for index, morph in enumerate(nagi().morphs) if morph.name == name)


def shape(name: str) -> VertexMorph:
    morph = nagi().morphs[place(name)]
    assert isinstance(morph, VertexMorph)
    return morph


def decided(character: Character) -> Inventory:
    """As its file is read."""
    return of_character(read_character(".pmx", pmx_bytes(character)), {}, [])


def with_morphs(*added: Morph, without: tuple[str, ...] = ()) -> Inventory:
    """nagi with these morphs behind her own, of which some have a name that says nothing, and move nothing by themselves."""
    own = (
        replace(morph, name=f"部品{index}") if morph.name in without else morph
        for index, morph in enumerate(nagi().morphs)
    )
    return decided(replace(nagi(), morphs=(*own, *added)))


def plays(held: Inventory, name: str) -> str | None:
    """What the last morph of this name plays."""
    return [morph.proposal for morph in held.morphs if morph.name == name][-1]


def rigged(hung: Mapping[str, np.ndarray]) -> tuple[Character, dict[str, int]]:
    """nagi without morphs, these vertices hung on bones of their own below her head; bones by those names."""
    character = nagi()
    head = next(index for index, bone in enumerate(character.bones) if bone.name == "頭")
    bones, weights = character.bone_indices.copy(), character.bone_weights.copy()
    added = {name: len(character.bones) + number for number, name in enumerate(hung)}
    for name, vertices in hung.items():
        bones[vertices], weights[vertices] = -1, 0
        bones[vertices, 0], weights[vertices, 0] = added[name], 1
    joints = tuple(replace(character.bones[head], name=name, name_en="", parent=head) for name in hung)
    return (
        replace(character, bones=(*character.bones, *joints), bone_indices=bones, bone_weights=weights, morphs=()),
        added,
    )


def lowered(name: str, panel: Panel, bone: int, way: float) -> BoneMorph:
    """A morph that lowers a bone, in the model's units."""
    down, still = np.array([[0, -way, 0]], np.float32), np.array([[0, 0, 0, 1]], np.float32)
    return BoneMorph(name, "", panel, np.array([bone], np.int32), down, still)


def sinking(name: str) -> tuple[np.ndarray, float]:
    """The vertices that a morph lowers by half its way and more, and that way."""
    morph = shape(name)
    fall = -morph.offsets[:, 1]
    return morph.vertices[fall > fall.max() / 2], float(fall.max())


def test_a_bone_that_opens_the_jaw_is_a_mouth_and_nothing_else_whatever_it_is_called() -> None:
    jaw, way = sinking("あ")
    character, bones = rigged({"顎": jaw})

    for name, panel, expected in (
        ("あ", Panel.MOUTH, "mouth/a"),
        ("まばたき", Panel.EYE, None),
        ("怒り", Panel.EYEBROW, None),
        ("ウィンク", Panel.OTHER, None),
    ):
        held = decided(replace(character, morphs=(lowered(name, panel, bones["顎"], way),)))
        assert plays(held, name) == expected, name
        assert held.morphs[0].kind == "bone"


def test_bones_of_lids_are_of_the_side_that_they_close_whatever_they_are_called() -> None:
    lids = {name: sinking(name) for name in (LEFT, RIGHT)}
    character, bones = rigged({name: vertices for name, (vertices, _) in lids.items()})
    way = lids[LEFT][1]
    held = decided(
        replace(
            character,
            morphs=(
                lowered("まばたき右", Panel.EYE, bones[LEFT], way),
                lowered("まばたき左", Panel.EYE, bones[RIGHT], way),
            ),
        )
    )

    assert (plays(held, "まばたき右"), plays(held, "まばたき左")) == ("eye/closed/left", "eye/closed/right")


def group(name: str, *of: tuple[int, float], flip: bool = False) -> GroupMorph:
    indices, weights = zip(*of, strict=True)
    return GroupMorph(name, "", Panel.EYE, np.array(indices, np.int32), np.array(weights, np.float32), flip)


@pytest.mark.parametrize("flip", [False, True])
def test_groups_of_groups_are_of_the_side_that_they_move_at_last(flip: bool) -> None:
    own = len(nagi().morphs)
    held = with_morphs(
        group("外", (place(RIGHT), 1.0), flip=flip),
        group("中", (own, 1.0)),
        group("まばたき左", (own + 1, 1.0)),
        group("ウィンク右", (own + 4, 1.0)),
        group("内", (place(LEFT), 1.0)),
        without=(LEFT, RIGHT, "まばたき", "ウィンク", "ウィンク右"),
    )

    of_side = {ref.index: target for target, ref in held.annotation.items() if target.startswith("eye/closed/")}
    assert {own, own + 1, own + 2, place(RIGHT)} & {
        index for index, target in of_side.items() if target.endswith("right")
    }
    assert not {own, own + 1, own + 2, place(RIGHT)} & {
        i for i, target in of_side.items() if not target.endswith("right")
    }
    said = {morph.name: morph.judgement().side for morph in held.morphs[own:]}
    assert (said["まばたき左"], said["ウィンク右"]) == ("right", "left")


def test_a_group_of_a_wink_and_a_mouth_is_no_wink_s_name_for_the_mouth() -> None:
    held = with_morphs(group("い", (place("上"), 1.0)), without=("い",))

    assert plays(held, "い") is None
    assert "mouth/i" not in held.annotation


def test_a_group_that_slopes_one_brow_and_shuts_the_other_eye_is_of_the_brow_s_side() -> None:
    both = group("怒り眉右", (place("怒り左"), 1.0), (place(RIGHT), 1.0))
    held = with_morphs(both, without=("怒り", "怒り左", "怒り右"))

    assert plays(held, "怒り眉右") == "eyebrow/angry/left"
    evidence = held.morphs[-1].evidence
    assert evidence is not None
    assert (evidence.side, evidence.sides) == ("right", {"eyebrow": "left"})
    annotation, overruled = apply_table(
        held.source_morphs(), read_table("source_morph,target\n怒り眉右,eyebrow/angry/right\n")
    )
    assert annotation["eyebrow/angry/left"].name == "怒り眉右"
    assert [one.plays for one in overruled] == ["eyebrow/angry/left"]
    again = Inventory.model_validate_json(held.model_dump_json())
    assert again.morphs[-1].judgement() == held.morphs[-1].judgement()


@pytest.mark.parametrize(
    ("binds", "expected"),
    [
        ({LEFT: 1.0, RIGHT: 1.0}, "eye/closed/both"),
        ({RIGHT: 1.0}, "eye/closed/right"),
        ({RIGHT: 1.0, LEFT: 0.02}, "eye/closed/right"),
        ({RIGHT: 1.0, "上右": 0.3}, "eye/closed/right"),
        ({SMILE: 1.0}, None),
        ({"あ": 1.0}, None),
        ({"上": 1.0}, "eyebrow/raised/both"),
    ],
    ids=["both winks", "the other wink", "the other wink and a trace", "wink and brow", "smile", "mouth", "brow"],
)
def test_an_expression_is_what_its_binds_do_together(binds: dict[str, float], expected: str | None) -> None:
    """`binds`: nagi's morphs and their weights, as binds of an expression that is called blinkLeft, her only one for eyes."""
    character = read_character(".vrm", vrm_bytes(nagi()))
    targets = {target.name: index for index, target in enumerate(character.targets)}
    assert binds.keys() <= targets.keys()
    called = Expression("blinkLeft", tuple((targets[name], weight) for name, weight in binds.items()))
    mouths = tuple(m for m in character.morphs if m.name in ("aa", "ih", "ou", "ee", "oh"))

    held = of_character(replace(character, morphs=(*mouths, called)), {}, [])

    assert plays(held, "blinkLeft") == expected
    assert not {target for target in held.annotation if target.startswith("eye/closed")} - {expected}


@pytest.mark.parametrize(
    ("called", "of", "panel"),
    [
        ("あ", "まばたき", Panel.MOUTH),
        ("あ", "上", Panel.MOUTH),
        ("まばたき", "あ", Panel.EYE),
        ("まばたき", "い", Panel.EYE),
        ("怒り", "お", Panel.EYEBROW),
        ("下", "まばたき", Panel.EYEBROW),
        ("びっくり", "上", Panel.EYE),
    ],
)
@pytest.mark.parametrize(
    "others", [(), ("い", "う", "え"), ("じと目", "上左")], ids=["alone", "with vowels", "with eye and brow"]
)
def test_the_only_morph_of_a_part_by_its_name_does_not_say_where_that_part_is(
    called: str, of: str, panel: Panel, others: tuple[str, ...]
) -> None:
    kept = [morph for morph in nagi().morphs if morph.name in others and morph.name not in (called, of)]
    one = nagi().morphs[place(of)]
    shapes = [m for m in nagi().morphs if isinstance(one, GroupMorph) and place(m.name) in one.morphs.tolist()]
    if isinstance(one, GroupMorph):
        called_one: Morph = GroupMorph(called, "", panel, np.arange(len(shapes), dtype=np.int32), one.weights)
    else:
        called_one = replace(shape(of), name=called, panel=panel)
    parts = [replace(m, name=f"部品{number}") for number, m in enumerate(shapes)]

    held = decided(replace(nagi(), morphs=(*parts, *kept, called_one)))

    part = {Panel.MOUTH: "mouth", Panel.EYE: "eye", Panel.EYEBROW: "eyebrow"}[panel]
    assert not (plays(held, called) or "").startswith(f"{part}/"), held.morphs[-1].reasons
