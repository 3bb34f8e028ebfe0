"""VRMA as files have it: samplers, turned nodes, expressions, the gaze, and what is no VRMA."""

from random import Random
from typing import Any

import numpy as np
import pytest

from farm.errors import MotionFormatError, MotionTruncatedError
from farm.models.posing.turns import matrix_of
from farm.motion.channels import Cubic, Even, Step
from farm.motion.description import Motion
from farm.motion.reading import read_motion
from farm.motion.vrma import EXTENSION
from farm.motion.vrma_writer import BodyNode, Curve, ExpressionCurve, vrma_bytes, vrma_draft
from tests.farm.motion import made_motions
from tests.farm.motion.made_motions import turn

_HIPS = [BodyNode("hips", None, (0.0, 1.0, 0.0), bone="hips")]


def _read(data: bytes) -> Motion:
    return read_motion(".vrma", data)


def test_turns_are_away_from_rest_and_about_the_models_axes_however_nodes_are_turned() -> None:
    """What a node's world rotation becomes is worked out by multiplying the matrices of all nodes, at rest and posed."""
    # GIVEN a skeleton of nodes that are turned at random, all of which turn
    dice = Random(5)
    nodes = made_motions.skeleton(dice)
    turns = {place: made_motions.random_turn(dice) for place, node in enumerate(nodes) if node.bone}
    curves = [Curve(place, "rotation", [0.0], [way]) for place, way in turns.items()]

    # WHEN it is read
    motion = _read(vrma_bytes(nodes, curves))

    # THEN the turns of all bones above each other give how far the node has turned against the world
    def world(place: int | None, posed: bool) -> np.ndarray:
        if place is None:
            return np.eye(3)
        own = turns[place] if posed and place in turns else nodes[place].rotation
        return np.asarray(world(nodes[place].parent, posed) @ matrix_of(own))

    own = {track.name: track.turns.values[0] for track in motion.bones if track.turns is not None}
    assert set(own) == {node.bone for node in nodes if node.bone}
    for place in range(len(nodes)):
        total, walk = np.eye(3), nodes[place]
        while True:
            if walk.bone:
                total = matrix_of(tuple(own[walk.bone])) @ total
            if walk.parent is None:
                break
            walk = nodes[walk.parent]
        np.testing.assert_allclose(total, world(place, True) @ world(place, False).T, atol=1e-5)


def test_the_hips_move_in_the_models_axes_below_whatever_node() -> None:
    above = BodyNode("root", None, (5.0, 0.0, 0.0), turn((0, 1, 0), 90))
    hips = BodyNode("hips", 0, (0.0, 1.0, 0.0), bone="hips")

    motion = _read(vrma_bytes([above, hips], [Curve(1, "translation", [0.0, 1.0], [(0, 1, 0), (1, 1.5, 0)])]))

    assert motion.hips_height == pytest.approx(1.0)
    assert motion.bones[0].moves is not None
    # A quarter circle about y brings x to -z.
    np.testing.assert_allclose(motion.bones[0].moves.values, np.array([[0, 0, 0], [0, 0.5, -1]]), atol=1e-6)


def test_places_of_other_bones_than_the_hips_are_no_part_of_it() -> None:
    spine = BodyNode("spine", 0, (0.0, 0.1, 0.0), bone="spine")

    motion = _read(vrma_bytes([*_HIPS, spine], [Curve(1, "translation", [0.0], [(1, 1, 1)])]))

    assert not motion.bones


@pytest.mark.parametrize(("kind", "between"), [("LINEAR", Even), ("STEP", Step), ("CUBICSPLINE", Cubic)])
def test_each_interpolation_is_read(kind: str, between: type) -> None:
    rows: list[Any] = [(0, 0, 0, 1), turn((1, 0, 0), 60)]
    if kind == "CUBICSPLINE":
        rows = [part for row in rows for part in ((0.5, 0, 0, 0), row, (0, 0.25, 0, 0))]

    (track,) = _read(vrma_bytes(_HIPS, [Curve(0, "rotation", [0.0, 2.0], rows, kind)])).bones

    assert track.turns is not None
    assert isinstance(track.turns.between, between)
    np.testing.assert_allclose(track.turns.values, [(0, 0, 0, 1), turn((1, 0, 0), 60)], atol=1e-6)
    if isinstance(track.turns.between, Cubic):
        np.testing.assert_allclose(track.turns.between.arriving, [(0.5, 0, 0, 0)] * 2)
        np.testing.assert_allclose(track.turns.between.leaving, [(0, 0.25, 0, 0)] * 2)


def test_expressions_are_the_x_of_their_nodes_and_a_preset_goes_before_a_custom_one() -> None:
    played = [
        ExpressionCurve("blink", [0.0, 1.0], [0.0, 1.0]),
        ExpressionCurve("blink", [0.0], [0.5], preset=False),
        ExpressionCurve("きつね耳", [0.5], [0.25], preset=False),
        ExpressionCurve("lookUp", [0.0], [1.0]),
    ]

    motion = _read(vrma_bytes(_HIPS, [], played))

    assert {track.name: track.weights.values.tolist() for track in motion.morphs} == {
        "blink": [[0.0], [1.0]],
        "きつね耳": [[0.25]],
    }


def test_eyes_are_not_moved_as_bones_and_the_gaze_is_kept() -> None:
    nodes = [*_HIPS, BodyNode("eye", 0, (0, 0, 0), bone="leftEye"), BodyNode("gaze", None, (0, 0, 0))]
    draft = vrma_draft(nodes, [Curve(place, "rotation", [0.0], [turn((0, 1, 0), 20)]) for place in (1, 2)])
    draft.content["extensions"][EXTENSION]["lookAt"] = {"node": 2}

    motion = _read(draft.to_bytes())

    assert not motion.bones
    assert motion.look is not None
    np.testing.assert_allclose(motion.look.values, [turn((0, 1, 0), 20)], atol=1e-6)


def test_keys_out_of_order_are_sorted_and_those_outside_a_day_left_out() -> None:
    moves = [(0, float(y), 0) for y in range(1, 6)]

    motion = _read(vrma_bytes(_HIPS, [Curve(0, "translation", [2.0, 1.0, 1.0, -1.0, 1e5], moves)]))

    assert motion.bones[0].moves is not None
    np.testing.assert_allclose(motion.bones[0].moves.times, [1, 2])
    np.testing.assert_allclose(motion.bones[0].moves.values[:, 1], [2, 0])
    assert len(motion.warnings) == 2


def test_of_several_animations_the_first_counts() -> None:
    draft = vrma_draft(_HIPS, [Curve(0, "rotation", [0.0], [turn((1, 0, 0), 30)])])
    draft.content["animations"].append({"samplers": [], "channels": []})

    motion = _read(draft.to_bytes())

    assert len(motion.bones) == 1
    assert dict(motion.skipped) == {"animation": 1}


def test_a_file_without_the_extension_is_told_apart_from_a_broken_one() -> None:
    draft = vrma_draft(_HIPS, [])
    del draft.content["extensions"]

    with pytest.raises(MotionFormatError, match="no VRM animation in it"):
        _read(draft.to_bytes())


def test_what_is_wrong_with_the_container_is_said_of_a_vrma() -> None:
    data = made_motions.walk()

    with pytest.raises(MotionFormatError, match="not a VRMA file") as refused:
        _read(b"PMX " + data[4:])
    assert ".vrma" in str(refused.value)
    with pytest.raises(MotionTruncatedError, match="The VRMA file is cut off"):
        _read(data[: len(data) // 2])
    draft = vrma_draft(_HIPS, [Curve(0, "rotation", [0.0], [turn((1, 0, 0), 30)])])
    draft.content["accessors"][0]["bufferView"] = 99
    with pytest.raises(MotionFormatError, match="The VRMA refers to a buffer view"):
        _read(draft.to_bytes())


def test_samplers_that_share_their_numbers_cannot_multiply_them() -> None:
    """A thousand expressions that name one node with many keys would be gigabytes from a small file."""
    count = 100_000
    draft = vrma_draft(
        _HIPS, [Curve(0, "translation", [number / 100 for number in range(count)], np.zeros((count, 3)))]
    )
    named = {f"x{number}": {"node": 0} for number in range(1000)}
    draft.content["extensions"][EXTENSION]["expressions"] = {"custom": named}

    with pytest.raises(MotionFormatError, match="more than 2000000 keys"):
        _read(draft.to_bytes())


def test_a_sampler_of_another_width_or_count_is_refused() -> None:
    draft = vrma_draft(_HIPS, [Curve(0, "rotation", [0.0, 1.0], [turn((1, 0, 0), 30)])])
    with pytest.raises(MotionFormatError, match="accessor"):
        _read(draft.to_bytes())
    draft = vrma_draft(_HIPS, [Curve(0, "rotation", [0.0], [(0, 0, 1)])])
    with pytest.raises(MotionFormatError, match="does not fit"):
        _read(draft.to_bytes())
