"""SDEF and QDEF against a second writing of their formulas, in plain quaternion arithmetic, vertex by vertex."""

from dataclasses import replace
from math import acos, cos, radians, sin

import numpy as np
import pytest

from farm.models.description import Spherical
from farm.models.mmd.pmx import read_pmx
from farm.models.mmd.pmx_writer import Layout, pmx_bytes
from farm.models.posing.bends import Balls, Duals
from farm.models.posing.morphs import Vector
from farm.models.posing.skeleton import Joint, Skeleton, Skin
from farm.models.posing.turns import NO_TURN, Turn, between_turns, quaternions
from tests.farm.models.made_files import differences, small_character

NECK, HEAD = 0, 1


def about(axis: Vector, degrees: float) -> Turn:
    x, y, z = np.array(axis) / np.linalg.norm(axis) * sin(radians(degrees) / 2)
    return (float(x), float(y), float(z), cos(radians(degrees) / 2))


def times(a: Turn, b: Turn) -> Turn:
    av, bv = np.array(a[:3]), np.array(b[:3])
    x, y, z = a[3] * bv + b[3] * av + np.cross(av, bv)
    return (float(x), float(y), float(z), float(a[3] * b[3] - av @ bv))


def rotated(turn: Turn, vector: np.ndarray) -> np.ndarray:
    x, y, z, w = turn
    return np.array(times(times(turn, (*vector.tolist(), 0.0)), (-x, -y, -z, w))[:3])


def slerp(a: Turn, b: Turn, share: float) -> Turn:
    cosine = sum(x * y for x, y in zip(a, b, strict=True))
    b = b if cosine >= 0 else (-b[0], -b[1], -b[2], -b[3])
    angle = acos(min(1.0, abs(cosine)))
    if angle < 1e-9:
        return a
    mixed = [(sin((1 - share) * angle) * x + sin(share * angle) * y) / sin(angle) for x, y in zip(a, b, strict=True)]
    return (mixed[0], mixed[1], mixed[2], mixed[3])


def by_the_formula(
    vertex: np.ndarray,
    weights: np.ndarray,
    points: np.ndarray,
    frames: tuple[tuple[Turn, np.ndarray], tuple[Turn, np.ndarray]],
) -> np.ndarray:
    """MikuMikuDance's SDEF of one vertex; a frame turns and then moves."""
    centre, r0, r1 = points
    mean = weights[0] * r0 + weights[1] * r1
    ends = [(centre + (centre + r - mean)) / 2 for r in (r0, r1)]
    result = rotated(slerp(frames[0][0], frames[1][0], float(weights[1])), vertex - centre)
    for weight, end, (turn, move) in zip(weights, ends, frames, strict=True):
        result = result + weight * (rotated(turn, end) + move)
    return result


@pytest.mark.parametrize(
    ("neck", "head"),
    [
        (about((1, 0, 0), 20), about((0, 0, 1), 35)),
        (NO_TURN, about((0, 1, 1), 80)),
        (about((1, 2, 3), 170), about((3, -1, 2), 150)),
    ],
)
def test_a_bent_joint_is_bent_as_the_formula_says(neck: Turn, head: Turn) -> None:
    # GIVEN vertices about a joint of two bones
    random = np.random.default_rng(1)
    count = 40
    rest = random.normal(size=(count, 3)).astype(np.float32)
    first = random.uniform(0.05, 0.95, count)
    shares = np.column_stack([first, 1 - first]).astype(np.float32)
    points = random.normal(size=(3, count, 3)).astype(np.float32)
    joints = np.tile(np.array([NECK, HEAD], np.int32), (count, 1))
    skeleton = Skeleton([Joint(NECK, -1, (0.0, 0.0, 0.0)), Joint(HEAD, NECK, (0.0, 0.5, 1.0))], followers=[], neck=NECK)
    skin = Skin(joints, shares, rest, bends=[Balls(np.arange(count, dtype=np.int32), joints, shares, points)])

    # WHEN both bones turn
    positions = rest.copy()
    skin.take(positions, skeleton.pose({HEAD: ((0.1, 0.0, 0.0), head)}, neck))

    # THEN every vertex is where the formula has it
    place = np.array([0.0, 0.5, 1.0])
    both = times(neck, head)
    moved = rotated(neck, place + [0.1, 0.0, 0.0]) - rotated(both, place)
    frames = (neck, np.zeros(3)), (both, moved)
    expected = [by_the_formula(rest[i], shares[i], points[:, i], frames) for i in range(count)]
    np.testing.assert_allclose(positions, expected, atol=2e-5)
    # and not where the linear blend would have it
    linear = rest.copy()
    Skin(joints, shares, rest).take(linear, skeleton.pose({HEAD: ((0.1, 0.0, 0.0), head)}, neck))
    assert np.abs(linear - positions).max() > 0.01


def test_where_both_bones_turn_alike_it_is_the_linear_blend() -> None:
    random = np.random.default_rng(2)
    rest = random.normal(size=(8, 3)).astype(np.float32)
    shares = np.tile(np.array([0.25, 0.75], np.float32), (8, 1))
    joints = np.tile(np.array([NECK, HEAD], np.int32), (8, 1))
    points = random.normal(size=(3, 8, 3)).astype(np.float32)
    skeleton = Skeleton([Joint(NECK, -1, (0.0, 0.0, 0.0)), Joint(HEAD, NECK, (0.0, 0.0, 1.0))], [], NECK)
    frames = skeleton.pose({HEAD: ((0.5, 0.0, 0.0), NO_TURN)}, about((0, 0, 1), 30))

    balls, linear = rest.copy(), rest.copy()
    Skin(joints, shares, rest, bends=[Balls(np.arange(8, dtype=np.int32), joints, shares, points)]).take(balls, frames)
    Skin(joints, shares, rest).take(linear, frames)

    np.testing.assert_array_equal(balls, linear)


def test_turns_between_turns_go_the_short_way_round() -> None:
    axis = (0.0, 0.0, 1.0)
    first, second = (np.array([about(axis, degrees)]) for degrees in (-170, 170))

    middle = between_turns(first, second, np.array([0.5]))

    np.testing.assert_allclose(np.abs(middle), [[0, 0, 1, 0]], atol=1e-9)
    np.testing.assert_allclose(between_turns(first, first, np.array([0.3])), first, atol=1e-9)


def test_half_circles_have_quaternions_too() -> None:
    half = np.array([np.diag([1.0, -1.0, -1.0]), np.diag([-1.0, 1.0, -1.0]), np.diag([-1.0, -1.0, 1.0]), np.eye(3)])

    np.testing.assert_allclose(np.abs(quaternions(half)), np.eye(4), atol=1e-12)


def test_a_pmx_file_says_what_sdef_moves_and_where_second_textures_lie() -> None:
    points = np.arange(18, dtype=np.float32).reshape(3, 2, 3)
    layers = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    made = replace(
        small_character(),
        bone_indices=np.tile(np.array([1, 2, -1, -1], np.int32), (3, 1)),
        bone_weights=np.tile(np.array([0.25, 0.75, 0, 0], np.float32), (3, 1)),
        spherical=Spherical(np.array([0, 2], np.int32), *points),
        more_uvs=layers,
    )

    assert differences(read_pmx(pmx_bytes(made, Layout(deform=3, additional_uvs=2))), made) == []


def by_dual_quaternions(vertex: np.ndarray, weights: np.ndarray, frames: list[tuple[Turn, np.ndarray]]) -> np.ndarray:
    """Kavan's blend of one vertex; a frame turns and then moves. The first has the largest weight."""
    real, dual = np.zeros(4), np.zeros(4)
    for weight, (turn, move) in zip(weights, frames, strict=True):
        x, y, z = (move / 2).tolist()
        sign = 1.0 if np.dot(turn, frames[0][0]) >= 0 else -1.0
        real += weight * sign * np.array(turn)
        dual += weight * sign * np.array(times((x, y, z, 0.0), turn))
    length = np.linalg.norm(real)
    q = (real / length).tolist()
    moved = times((dual / length).tolist(), (-q[0], -q[1], -q[2], q[3]))
    return np.asarray(rotated(tuple(q), vertex) + 2 * np.array(moved[:3]))


@pytest.mark.parametrize("degrees", [40.0, 175.0, -175.0])
def test_qdef_blends_movements_and_keeps_a_joint_as_thick_as_it_is(degrees: float) -> None:
    # GIVEN a ring about a joint that two bones and what stands still hold
    angles = np.linspace(0, 2 * np.pi, 12, endpoint=False)
    rest = np.column_stack([np.cos(angles), np.sin(angles), np.zeros(12)]).astype(np.float32)
    joints = np.tile(np.array([NECK, HEAD, -1, -1], np.int32), (12, 1))
    shares = np.tile(np.array([0.5, 0.3, 0.2, 0.0], np.float32), (12, 1))
    skeleton = Skeleton([Joint(NECK, -1, (0.0, 0.0, 0.0)), Joint(HEAD, NECK, (0.0, 0.0, 0.0))], [], NECK)
    neck, head = about((0, 0, 1), degrees), about((1, 0, 0), 50)

    # WHEN the bones turn
    positions = rest.copy()
    skin = Skin(joints, shares, rest, bends=[Duals(np.arange(12, dtype=np.int32), joints, shares)])
    skin.take(positions, skeleton.pose({HEAD: ((0.0, 0.25, 0.0), head)}, neck))

    # THEN every vertex is where the formula has it
    frames = [(neck, np.zeros(3)), (times(neck, head), rotated(neck, np.array([0, 0.25, 0]))), (NO_TURN, np.zeros(3))]
    expected = [by_dual_quaternions(vertex, shares[0, :3], frames) for vertex in rest]
    np.testing.assert_allclose(positions, expected, atol=2e-6)
    # and the ring is as large as it was, which the linear blend makes smaller
    linear = rest.copy()
    Skin(joints, shares, rest).take(linear, skeleton.pose({HEAD: ((0.0, 0.25, 0.0), head)}, neck))
    across, thinned = (np.linalg.norm(points[0] - points[6]) for points in (positions, linear))
    assert across == pytest.approx(2.0, abs=1e-5)
    assert thinned < 1.95


def test_a_pmx_file_says_what_qdef_moves() -> None:
    made = replace(
        small_character(),
        format="PMX 2.1",
        bone_indices=np.tile(np.array([1, 2, 0, -1], np.int32), (3, 1)),
        bone_weights=np.tile(np.array([0.25, 0.5, 0.25, 0], np.float32), (3, 1)),
        dual=np.arange(3, dtype=np.int32),
    )

    assert differences(read_pmx(pmx_bytes(made, Layout(version=2.1, deform=4))), made) == []
