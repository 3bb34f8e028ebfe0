"""What morphs are measured to do, against sums made here from the characters' own numbers."""

import time
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from farm.models.description import BoneMorph, Character, Expression, GroupMorph, MaterialMorph, Morph, VertexMorph
from farm.models.files import find_models
from farm.models.mmd.pmx_writer import pmx_bytes
from farm.models.movement import measure
from farm.models.package import read_character
from farm.models.vrm.writer import vrm_bytes
from farm.morphs.evidence import Evidence, SideMovement
from farm.morphs.panels import Panel
from tests.farm.models import made_files as made
from tests.support.characters import mascot

CLOSE = 0.002
"""Head heights; values are rounded to a tenth of a thousandth, and files keep 32 bits."""


@cache
def nagi() -> Character:
    return mascot("nagi")


def numbered(character: Character) -> dict[str, int]:
    return {morph.name: index for index, morph in enumerate(character.morphs)}


def vertex(name: str) -> VertexMorph:
    morph = nagi().morphs[numbered(nagi())[name]]
    assert isinstance(morph, VertexMorph)
    return morph


def group(name: str, parts: dict[int, float], *, flip: bool = False) -> GroupMorph:
    weights = np.array(list(parts.values()), np.float32)
    return GroupMorph(name, "", Panel.EYE, np.array(list(parts), np.int32), weights, flip)


def measured(*morphs: Morph) -> list[Evidence | None]:
    """The evidence of `morphs` on nagi, None for those that have none."""
    found = measure(replace(nagi(), morphs=morphs))
    return [found.get(index) for index in range(len(morphs))]


def values(side: SideMovement | None) -> list[float]:
    assert side is not None
    return [*side.centre, *side.move, side.up_min, side.up_max, side.outer_minus_inner]


def same(one: Evidence | None, other: Evidence | None) -> None:
    """Both move the same, on the same sides."""
    assert one is not None
    assert other is not None
    for a, b in ((one.left, other.left), (one.right, other.right)):
        assert (a is None) == (b is None)
        if a is not None and b is not None:
            assert values(a) == pytest.approx(values(b), abs=CLOSE)
            assert a.energy == pytest.approx(b.energy, rel=0.02, abs=CLOSE)


def test_the_measures_are_what_their_names_say() -> None:
    # GIVEN five vertices at the left eye that rise by a line of their distance from the middle, and one at the right
    character = nagi()
    neck = np.array(next(bone.position for bone in character.bones if bone.name == "首"), np.float32)
    whole = measure(replace(character, morphs=(vertex("ウィンク２"),)))[0]
    assert whole.left is not None
    height = _height(character, whole)
    chosen = vertex("ウィンク２").vertices[:5]
    places = (character.positions[chosen] - neck) / height
    rises = 0.01 + 0.1 * np.abs(places[:, 0])
    offsets = np.zeros((5, 3), np.float32)
    offsets[:, 1] = rises * height

    found = measure(replace(character, morphs=(VertexMorph("m", "", Panel.EYE, chosen, offsets),)))[0]

    assert found.right is None
    assert found.left is not None
    assert found.left.vertices == len(found.points) == 5
    assert found.left.energy == pytest.approx((rises**2).sum(), abs=1e-4)
    assert found.left.centre[0] == pytest.approx(np.average(places[:, 0], weights=rises), abs=1e-3)
    assert found.left.centre[2] == pytest.approx(np.average(places[:, 1], weights=rises), abs=1e-3)
    assert found.left.move == pytest.approx((0, 0, np.average(rises, weights=rises)), abs=1e-3)
    assert (found.left.up_min, found.left.up_max) == pytest.approx((rises.min(), rises.max()), abs=1e-3)
    assert found.left.outer_minus_inner == pytest.approx(np.ptp(rises), abs=1e-3)
    assert [point[5] for point in found.points] == sorted((point[5] for point in found.points), reverse=True)


def _height(character: Character, whole: Evidence) -> float:
    """Units in a head's height, from a morph whose movement is known in both."""
    offsets = vertex("ウィンク２").offsets
    assert whole.left is not None
    return float(np.abs(offsets[:, 1]).max() / max(-whole.left.up_min, whole.left.up_max))


def test_a_wink_moves_its_own_side_and_a_blink_both() -> None:
    left, right, both = measured(vertex("ウィンク２"), vertex("ｳｨﾝｸ２右"), group("まばたき", {0: 1.0, 1: 1.0}))

    assert left is not None
    assert right is not None
    assert both is not None
    assert left.right is None
    assert right.left is None
    same(Evidence(left=left.left, right=right.right), both)


def test_a_group_is_the_weighted_sum_of_what_it_drives_however_deep() -> None:
    halved = replace(vertex("あ"), offsets=vertex("あ").offsets * np.float32(0.5))
    found = measured(vertex("あ"), group("half", {0: 0.5}), group("deep", {1: 1.0}), halved)

    same(found[1], found[3])
    same(found[2], found[3])


def test_a_flip_is_measured_by_what_it_shows_at_full_weight() -> None:
    found = measured(vertex("あ"), vertex("い"), group("flip", {0: 1.0, 1: 1.0}, flip=True))

    same(found[2], found[1])


def test_groups_in_a_circle_are_cut() -> None:
    found = measured(vertex("あ"), group("a", {2: 1.0, 0: 1.0}), group("b", {1: 1.0}))

    same(found[1], found[0])


def test_a_bone_moves_what_hangs_on_it_and_on_the_bones_below() -> None:
    # GIVEN the left lid on a bone of its own, below another
    character = nagi()
    lid = vertex("ウィンク２").vertices
    count = len(character.bones)
    head = next(index for index, bone in enumerate(character.bones) if bone.name == "頭")
    upper = replace(character.bones[head], name="瞼親", name_en="", parent=head)
    lower = replace(upper, name="瞼", parent=count)
    bones, weights = character.bone_indices.copy(), character.bone_weights.copy()
    bones[lid], weights[lid] = -1, 0
    bones[lid, 0], weights[lid, 0] = count + 1, 1
    down = np.array([[0, -0.2, 0]], np.float32)

    def moving(bone: int) -> BoneMorph:
        still = np.array([[0, 0, 0, 1]], np.float32)
        return BoneMorph("閉じ", "", Panel.EYE, np.array([bone], np.int32), down, still)

    alike = VertexMorph("as", "", Panel.EYE, lid, np.repeat(down, len(lid), axis=0))
    rigged = replace(
        character,
        bones=(*character.bones, upper, lower),
        bone_indices=bones,
        bone_weights=weights,
        morphs=(moving(count), moving(count + 1), alike),
    )

    for data, suffix in ((None, ""), (pmx_bytes(rigged), ".pmx")):
        found = measure(rigged if data is None else read_character(suffix, data))
        same(found[0], found[2])
        same(found[1], found[2])
        assert found[0].right is None


def test_a_vrm_s_expressions_are_measured_as_the_same_morphs_of_a_pmx() -> None:
    pmx = read_character(".pmx", pmx_bytes(nagi()))
    vrm = read_character(".vrm", vrm_bytes(nagi()))
    by_name = numbered(pmx)
    of_pmx, of_vrm = measure(pmx), measure(vrm)
    pairs = {"blink": "まばたき", "blinkLeft": "ウィンク２", "blinkRight": "ｳｨﾝｸ２右", "aa": "あ"}

    expressions = {m.name: index for index, m in enumerate(vrm.morphs) if isinstance(m, Expression)}
    assert expressions.keys() >= pairs.keys()
    for name, source in pairs.items():
        same(of_vrm[expressions[name]], of_pmx[by_name[source]])


def test_what_moves_hair_and_body_or_nothing_drawn_is_no_movement_of_the_face() -> None:
    character = nagi()
    neck = next(bone.position for bone in character.bones if bone.name == "首")
    below = np.flatnonzero(character.positions[:, 1] < neck[1] - 1).astype(np.int32)
    assert len(below)
    body = VertexMorph("胸", "", Panel.OTHER, below, np.ones((len(below), 3), np.float32))
    both = VertexMorph(
        "照れ", "", Panel.OTHER, np.concatenate([below, vertex("あ").vertices]),
        np.concatenate([body.offsets, vertex("あ").offsets]),
    )  # fmt: skip
    undrawn = replace(character, triangles=character.triangles[:0], materials=())

    found = measured(body, both, vertex("あ"), MaterialMorph("色", "", Panel.OTHER, ()))

    assert found[0] == Evidence()
    same(found[1], found[2])
    assert found[3] is None
    assert measure(replace(undrawn, morphs=(vertex("あ"),))) == {0: Evidence()}


def test_a_file_of_300_000_morphs_is_measured_in_bounded_time() -> None:
    small = made.small_character()
    one = small.morphs[0]
    many = replace(small, morphs=(one,) * 300_000)
    everything = group("all", dict.fromkeys(range(300), 1.0))
    groups = replace(nagi(), morphs=(vertex("あ"),) * 300 + (everything,) * 5000)

    begin = time.process_time()
    found = [measure(many), measure(groups)]

    assert time.process_time() - begin < 60
    assert all(0 < len(each) <= 10_000 for each in found)


def test_real_characters_are_measured_in_little_time(real_models: Path) -> None:
    for path in find_models(real_models):
        character = read_character(path.suffix, path.read_bytes())
        begin = time.process_time()
        found = measure(character)
        spent = time.process_time() - begin

        assert spent < 0.5 + 0.02 * len(character.morphs), path
        assert measure(character) == found
