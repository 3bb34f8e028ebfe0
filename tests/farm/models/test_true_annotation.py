"""Labels that are true: whatever the names say, who plays a side moves it, and who plays nothing visible plays nothing."""

import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from farm.models.description import Character, Expression, GroupMorph, VertexMorph
from farm.models.files import find_models
from farm.models.inventory import Inventory, of_character
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.package import read_character
from farm.models.vrm.writer import vrm_bytes
from farm.morphs.annotation import apply_table, disagreements, read_table
from farm.morphs.coverage import coverage
from farm.morphs.panels import Panel
from tests.support.characters import mascot

SWAPPED = {
    "ウィンク２": "ｳｨﾝｸ２右", "ウィンク": "ウィンク右", "じと目左": "じと目右",
    "上左": "上右", "下左": "下右", "怒り左": "怒り右",
}  # fmt: skip
PAIRS = SWAPPED | {right: left for left, right in SWAPPED.items()}


@cache
def nagi() -> Character:
    return mascot("nagi")


def offsets(character: Character, index: int) -> np.ndarray:
    """(n, 3) how far a morph moves the vertices, in the file's axes."""
    total = np.zeros(character.positions.shape, np.float64)
    morph = character.morphs[index]
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    match morph:
        case VertexMorph():
            parts.append((morph.vertices, morph.offsets))
        case GroupMorph():
            for child, weight in zip(morph.morphs.tolist(), morph.weights.tolist(), strict=True):
                total += offsets(character, child) * weight
        case Expression():
            parts += [(character.targets[i].vertices, character.targets[i].offsets * w) for i, w in morph.targets]
        case _:
            pass
    for vertices, moves in parts:
        np.add.at(total, vertices, moves)
    return total


def left_share(character: Character, index: int) -> float:
    """The share of a morph's squared movement on the character's left, of the head alone."""
    left = character.positions[:, 0] * character.axes.to_world[0][0] > 0
    energy = (offsets(character, index) ** 2).sum(axis=1)
    return float(energy[left].sum() / energy.sum())


def untrue(character: Character, held: Inventory) -> list[str]:
    """The annotated targets whose morph moves mostly the other side, or one side for both."""
    wrong = []
    for target, morph in held.annotation.items():
        share = left_share(character, morph.index)
        side = target.rpartition("/")[2]
        bad = {"left": share < 0.9, "right": share > 0.1, "both": not 0.2 < share < 0.8}
        if bad.get(side, False):
            wrong.append(f"{target}: {morph.name} ({share:.2f} on the left)")
    return wrong


def as_is(character: Character) -> Character:
    return character


def renamed(names: Mapping[str, str]) -> Callable[[Character], Character]:
    def change(character: Character) -> Character:
        return replace(
            character, morphs=tuple(replace(m, name=names.get(m.name, m.name)) for m in character.morphs)
        )  # fmt: skip

    return change


def shuffled(character: Character) -> Character:
    order = list(range(len(character.morphs)))
    random.Random(4).shuffle(order)
    place = {old: new for new, old in enumerate(order)}
    morphs = [character.morphs[old] for old in order]
    return replace(
        character,
        morphs=tuple(
            replace(m, morphs=np.array([place[i] for i in m.morphs.tolist()], np.int32))
            if isinstance(m, GroupMorph)
            else m
            for m in morphs
        ),
    )


def mirrored(character: Character) -> Character:
    """The same character in a mirror, with the names as they were."""
    mirror = np.array([-1, 1, 1], np.float32)
    return replace(
        character,
        positions=character.positions * mirror,
        normals=character.normals * mirror,
        triangles=np.ascontiguousarray(character.triangles[:, ::-1]),
        bones=tuple(replace(b, position=(-b.position[0], b.position[1], b.position[2])) for b in character.bones),
        morphs=tuple(
            replace(m, offsets=m.offsets * mirror) if isinstance(m, VertexMorph) else m for m in character.morphs
        ),
    )


def one_name(character: Character) -> Character:
    """Both winks have one name, as in 6 of 80 files."""
    return renamed({"ｳｨﾝｸ２右": "ウィンク２"})(character)


CHANGES: dict[str, Callable[[Character], Character]] = {
    "as it is": as_is,
    "names swapped": renamed(PAIRS),
    "mirrored": mirrored,
    "shuffled": shuffled,
    "one name": one_name,
    "swapped and shuffled": lambda character: shuffled(renamed(PAIRS)(character)),
}


@pytest.mark.parametrize("change", CHANGES)
def test_who_plays_a_side_moves_it(change: str) -> None:
    character = read_character(".pmx", pmx_bytes(CHANGES[change](nagi())))
    held = of_character(character, {}, [])

    assert untrue(character, held) == []
    assert {"eye/closed/both", "eye/closed/left", "eye/closed/right"} <= held.annotation.keys()
    assert {"eyebrow/angry/left", "eyebrow/angry/right", "mouth/a"} <= held.annotation.keys()


def test_a_vrm_s_expressions_are_annotated_by_what_they_move() -> None:
    names = {"ウィンク２": "ｳｨﾝｸ２右", "ｳｨﾝｸ２右": "ウィンク２"}
    for change in (as_is, mirrored, renamed(names)):
        character = read_character(".vrm", vrm_bytes(change(nagi())))
        held = of_character(character, {}, [])

        assert untrue(character, held) == []
        assert {"eye/closed/left", "eye/closed/right"} <= held.annotation.keys()


def test_a_wink_that_is_a_group_of_the_other_side_is_that_side_s() -> None:
    left, right = (
        next(i for i, m in enumerate(nagi().morphs) if m.name == name) for name in ("ウィンク２", "ｳｨﾝｸ２右")
    )

    def group(name: str, child: int) -> GroupMorph:
        return GroupMorph(name, "", Panel.EYE, np.array([child], np.int32), np.ones(1, np.float32))

    plain = renamed({"ウィンク２": "部品1", "ｳｨﾝｸ２右": "部品2"})(nagi())
    character = replace(plain, morphs=(*plain.morphs, group("まばたき左", right), group("まばたき右", left)))
    held = of_character(character, {}, [])

    assert untrue(character, held) == []


def test_a_name_that_lies_about_its_part_plays_nothing() -> None:
    # GIVEN an angry brow that is called a blink, and a blink that is called anything
    held = of_character(renamed({"怒り": "まばたき", "まばたき": "部品"})(nagi()), {}, [])
    names = {target: morph.name for target, morph in held.annotation.items()}

    assert names.get("eye/closed/both") != "まばたき"
    said = {(one.morph.name, one.said, one.plays) for one in disagreements(held.source_morphs())}
    assert ("まばたき", "eye/closed/both", None) in said


def only(character: Character, *kept: str, **names: str) -> Character:
    """The character with only these morphs to be seen, under other names; what groups of them are made of stays, unnamed."""
    morphs = [
        replace(m, name=names.get(m.name, m.name)) if m.name in kept else replace(m, name=f"部品{place}")
        for place, m in enumerate(character.morphs)
    ]
    wanted = {place for place, m in enumerate(character.morphs) if m.name in kept}
    for place in list(wanted):
        if isinstance(group := character.morphs[place], GroupMorph):
            wanted |= set(group.morphs.tolist())
    return replace(
        character, morphs=tuple(m if i in wanted else replace(_still(), name=m.name) for i, m in enumerate(morphs))
    )


def _still() -> VertexMorph:
    return VertexMorph("", "", Panel.OTHER, np.zeros(0, np.int32), np.zeros((0, 3), np.float32))


def closed_eyes(held: Inventory) -> dict[str, str]:
    return {target: ref.name for target, ref in held.annotation.items() if target.startswith("eye/closed")}


@pytest.mark.parametrize(
    ("who", "smile", "called"),
    [
        ("nagi", "笑い", "まばたき"),
        ("nagi", "ウィンク", "ウィンク"),
        ("nagi", "ウィンク右", "ｳｨﾝｸ２右"),
        ("nagi", "笑い", "Blink"),
        ("momo", "笑い", "まばたき"),
    ],
)
def test_a_smile_that_is_the_only_closed_eye_is_no_blink(who: str, smile: str, called: str) -> None:
    held = of_character(only(mascot(who), smile, "上", **{smile: called}), {}, [])

    assert closed_eyes(held) == {}
    (entry,) = (each for each in held.morphs if each.name == called)
    assert "eye/closed" in entry.denied
    assert any("in a smile (^)" in reason for reason in entry.reasons)


@pytest.mark.parametrize("blink", ["まばたき", "ウィンク２", "ｳｨﾝｸ２右"])
def test_a_blink_that_is_the_only_closed_eye_plays(blink: str) -> None:
    held = of_character(only(nagi(), blink, "上"), {}, [])

    assert blink in closed_eyes(held).values()


def test_an_expression_and_a_group_that_smile_are_no_blinks_either() -> None:
    smiles = only(nagi(), "笑い", 笑い="まばたき")
    group = GroupMorph("ウィンク", "", Panel.EYE, np.array([nagi_index("笑い")], np.int32), np.ones(1, np.float32))
    plain = only(nagi(), "笑い", 笑い="部品")
    grouped = replace(plain, morphs=(*plain.morphs, group))

    for character in (read_character(".vrm", vrm_bytes(smiles)), grouped):
        assert closed_eyes(of_character(character, {}, [])) == {}


def nagi_index(name: str) -> int:
    return next(place for place, m in enumerate(nagi().morphs) if m.name == name)


def test_no_smile_of_a_real_character_is_a_blink_when_it_stands_alone(real_models: Path) -> None:
    alone = {"smiles": 0, "blinks": 0}
    for name in ("gene/Gene_light.pmx", "uka/MS_Uka.pmx"):
        character = read_character(".pmx", (real_models / name).read_bytes())
        for which, names in (
            ("smiles", ("ウィンク", "ウィンク右")),
            ("blinks", ("まばたき", "ウィンク２", "ｳｨﾝｸ２右")),
        ):
            for one in names:
                held = of_character(only(character, one), {}, [])
                assert (one in closed_eyes(held).values()) == (which == "blinks"), (name, one)
                alone[which] += 1
    for name in ("vrm_godette/Godette_vrm_v4.vrm", "vrm_cool_loops_v0/cool_loops.vrm"):
        held = of_character(read_character(".vrm", (real_models / name).read_bytes()), {}, [])
        assert "eye/closed/both" in held.annotation, name
    assert alone == {"smiles": 4, "blinks": 6}


def test_a_morph_that_moves_nothing_of_the_face_plays_nothing() -> None:
    still = VertexMorph("まばたき", "", Panel.EYE, np.array([0], np.int32), np.array([[0, 1e-5, 0]], np.float32))
    character = replace(nagi(), morphs=(still,))
    held = of_character(character, {}, [])

    assert held.annotation == {}
    assert held.morphs[0].reasons == ["it changes nothing that shows"]
    assert held.morphs[0].evidence is not None
    assert held.morphs[0].evidence.side is None
    table = read_table("source_morph,target\nまばたき,eye/closed/both\n")
    annotation, overruled = apply_table(held.source_morphs(), table)
    assert annotation == {}
    assert [(one.said, one.plays) for one in overruled] == [("eye/closed/both", None)]


def test_a_row_of_a_table_goes_to_the_side_that_moves_in_each_model() -> None:
    table = read_table("source_morph,target\nウィンク２,eye/closed/left\nｳｨﾝｸ２右,eye/closed/right\n")
    for change, names in ((as_is, ("ウィンク２", "ｳｨﾝｸ２右")), (renamed(PAIRS), ("ｳｨﾝｸ２右", "ウィンク２"))):
        held = of_character(change(nagi()), {}, [])
        annotation, overruled = apply_table(held.source_morphs(), table)

        assert (annotation["eye/closed/left"].name, annotation["eye/closed/right"].name) == names
        assert bool(overruled) == (names[0] != "ウィンク２")
        for one in overruled:
            assert one.plays == {"ウィンク２": "eye/closed/right", "ｳｨﾝｸ２右": "eye/closed/left"}[one.morph.name]
            assert one.reason.startswith("it moves the character's")


def test_a_table_that_gives_a_name_to_another_part_is_a_person_s_word() -> None:
    held = of_character(nagi(), {}, [])
    annotation, overruled = apply_table(held.source_morphs(), read_table("source_morph,target\nにやり,mouth/a\n"))

    assert annotation["mouth/a"].name == "にやり"
    assert overruled == ()


def test_a_mouth_that_takes_the_chin_along_is_a_mouth_for_whoever_says_so() -> None:
    # GIVEN an あ that opens wide, under a name that nobody knows, so that no vowel tells where the mouth is but small ones
    names = {"あ": "ぱかっ", "い": "にっ", "う": "むっ", "え": "べっ"}
    held = of_character(renamed(names)(nagi()), {}, [])

    annotation, overruled = apply_table(held.source_morphs(), read_table("source_morph,target\nぱかっ,mouth/a\n"))

    assert annotation["mouth/a"].name == "ぱかっ"
    assert overruled == ()
    assert all("mouth" in (m.evidence.parts or ()) for m in held.morphs if m.panel == "mouth" and m.evidence)
    assert not any("mouth" in (m.evidence.parts or ()) for m in held.morphs if m.panel != "mouth" and m.evidence)


def test_the_report_counts_targets_and_names_what_differs() -> None:
    models = [("plain", of_character(nagi(), {}, [])), ("swapped", of_character(renamed(PAIRS)(nagi()), {}, []))]
    found = coverage((name, held.source_morphs(), held.annotation) for name, held in models)

    assert found.models == 2
    assert found.targets["eye/closed/left"] == found.targets["mouth/a"] == 2
    swapped = {(one.name, one.plays) for one in found.differing if one.model == "swapped"}
    assert {("ウィンク２", "eye/closed/right"), ("ｳｨﾝｸ２右", "eye/closed/left")} <= swapped
    assert not {one.name for one in found.differing if one.model == "plain"} & {"ウィンク２", "ｳｨﾝｸ２右"}
    bare = coverage([("none", [], {})])
    assert (bare.models, len(bare.never), bare.by_count) == (1, 23, {0: 1})


def test_no_real_character_has_its_sides_swapped(real_models: Path) -> None:
    sides = 0
    for path in find_models(real_models):
        character = read_character(path.suffix, path.read_bytes())
        held = of_character(character, {}, [])
        sides += sum(target.endswith(("/left", "/right")) for target in held.annotation)
        wrong = [
            f"{target}: {held.morphs[morph.index].name}"
            for target, morph in held.annotation.items()
            if target.endswith(("/left", "/right"))
            and (evidence := held.morphs[morph.index].evidence) is not None
            and (evidence.left_share > 0.5) != target.endswith("/left")
        ]
        assert wrong == [], path
    assert sides > 20
