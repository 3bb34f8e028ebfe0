"""Poses: the paper's ranges and counts, samples that depend on nothing but their own key, and the rotation."""

import math
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from farm.morphs.vocabulary import Target, all_targets, target_morphs
from farm.poses import (
    LIGHT_RANGE,
    NEUTRAL,
    POSE_SIZE,
    ROTATION_LIMIT,
    Partition,
    Sample,
    draw,
    pose_vector,
    rotation_matrix,
    sample_count,
    uniform,
)

TARGETS = all_targets()
ALL = target_morphs()
MODEL = "3b" * 32
ANGLES = st.floats(-180, 180)

# Written down once; see the test that uses them.
GOLDEN_UNIFORM = [0.6038642289724226, 0.8716043791714357]
GOLDEN_FIRST = Sample(
    index=0,
    weights={"eye/closed/both": 0.070317, "eyebrow/raised/right": 0.520789, "mouth/e": 0.342343},
    rotation=(-1.95468, 5.478642, -8.302123),
    light=0.621386,
)
GOLDEN_OTHER = Sample(
    index=57,
    weights={"eye/half_closed/right": 0.135422, "eyebrow/raised/both": 0.688761},
    rotation=(-3.535387, 16.711567, -13.845124),
    light=0.445259,
)


def _draw_many(count: int, targets: tuple[Target, ...] = ALL, seed: int = 1) -> list[Sample]:
    return [draw(seed, MODEL, index, targets) for index in range(count)]


def _only(**weights: float) -> Sample:
    return Sample(0, {name.replace("__", "/"): weight for name, weight in weights.items()}, (1.0, 2.0, 3.0), 0.5)


def test_the_numbers_of_the_paper() -> None:
    assert (ROTATION_LIMIT, LIGHT_RANGE, POSE_SIZE) == (20.0, (0.3, 0.9), 20)
    assert [partition.value for partition in Partition] == ["frontal", "rotated"]


@pytest.mark.parametrize(("targets", "samples"), [(0, 20), (1, 20), (4, 20), (5, 20), (6, 100), (7, 100), (23, 100)])
def test_more_than_five_targets_get_100_samples_and_others_20(targets: int, samples: int) -> None:
    assert sample_count(ALL[:targets]) == samples


def test_every_sample_lies_within_the_paper_s_ranges() -> None:
    for index, sample in enumerate(_draw_many(500)):
        assert sample.index == index
        assert sorted(TARGETS[name].part for name in sample.weights) == ["eye", "eyebrow", "mouth"]
        assert all(0 <= weight <= 1 for weight in sample.weights.values())
        assert all(-20 <= angle <= 20 for angle in sample.rotation)
        assert 0.3 <= sample.light <= 0.9
        vector = pose_vector(sample, TARGETS, Partition.ROTATED)
        assert len(vector) == 20
        assert all(0 <= value <= 1 for value in vector[:17])
        assert vector[17:] == sample.rotation


def test_a_model_without_target_morphs_still_turns_its_head() -> None:
    sample = draw(1, MODEL, 0, ())

    assert sample.weights == {}
    assert any(sample.rotation)
    assert pose_vector(sample, TARGETS, Partition.FRONTAL) == (0.0,) * 20


def test_only_annotated_targets_are_drawn() -> None:
    some = tuple(TARGETS[name] for name in ("eye/wide/left", "mouth/o"))

    for sample in _draw_many(50, some):
        assert list(sample.weights) == ["eye/wide/left", "mouth/o"]


@pytest.mark.parametrize(
    ("semantic", "left"),
    [
        ("eye/closed", 0),
        ("eye/wide", 2),
        ("eye/half_closed", 4),
        ("eyebrow/raised", 6),
        ("eyebrow/lowered", 8),
        ("eyebrow/angry", 10),
    ],
)
def test_both_left_and_right_set_their_entries(semantic: str, left: int) -> None:
    for side, entries in (("both", {left, left + 1}), ("left", {left}), ("right", {left + 1})):
        vector = pose_vector(Sample(0, {f"{semantic}/{side}": 0.625}, (0, 0, 0), 0.5), TARGETS, Partition.ROTATED)
        assert vector == tuple(0.625 if entry in entries else 0.0 for entry in range(20))


@pytest.mark.parametrize(("vowel", "entry"), [("a", 12), ("e", 13), ("i", 14), ("o", 15), ("u", 16)])
def test_a_mouth_shape_sets_its_one_entry(vowel: str, entry: int) -> None:
    vector = pose_vector(Sample(0, {f"mouth/{vowel}": 0.5}, (0, 0, 0), 0.5), TARGETS, Partition.ROTATED)

    assert vector == tuple(0.5 if place == entry else 0.0 for place in range(20))


def test_the_partitions_share_the_weights_and_only_one_is_turned() -> None:
    sample = _only(eye__closed__both=0.25, mouth__u=1.0)

    frontal, rotated = (pose_vector(sample, TARGETS, partition) for partition in Partition)

    assert frontal == (0.25, 0.25, *(0.0,) * 14, 1.0, 0.0, 0.0, 0.0)
    assert rotated == (*frontal[:17], 1.0, 2.0, 3.0)


def test_the_neutral_face_is_all_zero() -> None:
    assert pose_vector(NEUTRAL, TARGETS, Partition.ROTATED) == (0.0,) * 20
    assert NEUTRAL.light == 0.6


def test_a_sample_alone_is_the_sample_of_a_whole_run() -> None:
    run = _draw_many(100)

    assert draw(1, MODEL, 57, ALL) == run[57]
    assert [draw(1, MODEL, index, ALL) for index in reversed(range(100))] == run[::-1]


def test_another_seed_model_or_index_gives_another_sample() -> None:
    samples = [draw(1, MODEL, 5, ALL), draw(2, MODEL, 5, ALL), draw(1, "4c" * 32, 5, ALL), draw(1, MODEL, 6, ALL)]

    assert len({(sample.rotation, sample.light, tuple(sample.weights.values())) for sample in samples}) == 4


def test_a_part_s_numbers_do_not_depend_on_the_other_parts() -> None:
    """An annotation that gains a mouth keeps its eyes, its rotation and its light."""
    eyes = tuple(target for target in ALL if target.part == "eye")

    for with_eyes, whole in zip(_draw_many(30, eyes), _draw_many(30), strict=True):
        (name,) = with_eyes.weights
        assert whole.weights[name] == with_eyes.weights[name]
        assert (whole.rotation, whole.light) == (with_eyes.rotation, with_eyes.light)


def test_the_drawn_numbers_have_six_decimals_so_that_text_keeps_them() -> None:
    for sample in _draw_many(100):
        for value in (*sample.weights.values(), *sample.rotation, sample.light):
            assert float(f"{value:.6f}") == value
            assert float(np.float32(f"{np.float32(value):.6f}")) == float(np.float32(value))


def test_the_random_scheme_is_the_one_that_earlier_results_were_made_with() -> None:
    """A change here makes every old pose wrong: then RENDERER_VERSION must be raised, and these numbers renewed."""
    assert [uniform(0, "m", 0, "light"), uniform(7, "顔", 99, "rotation/x")] == pytest.approx(GOLDEN_UNIFORM, abs=1e-15)
    assert draw(0, "0" * 64, 0, ALL) == GOLDEN_FIRST
    assert draw(2024, "f" * 64, 57, ALL[:12]) == GOLDEN_OTHER


def test_uniform_numbers_stay_below_one() -> None:
    numbers = [uniform(1, MODEL, index, "x") for index in range(5000)]

    assert 0 <= min(numbers) < 0.001
    assert 0.999 < max(numbers) < 1
    assert len(set(numbers)) == len(numbers)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "m", 2, "p"), (12, "m", 2, "p")),
        ((1, "1", 2, "p"), (11, "", 2, "p")),
        ((1, "m", 22, "p"), (1, "m2", 2, "p")),
    ],
)
def test_neighbouring_arguments_do_not_run_into_each_other(
    one: tuple[int, str, int, str], other: tuple[int, str, int, str]
) -> None:
    assert uniform(*one) != uniform(*other)


def _is_uniform(values: list[float], low: float, high: float) -> None:
    """Ten equal bins by the chi-square test (9 degrees of freedom; 27.9 is the 0.1 % point), for a fixed seed."""
    counts, _ = np.histogram(values, bins=10, range=(low, high))
    expected = len(values) / 10
    assert counts.sum() == len(values)
    assert float(((counts - expected) ** 2 / expected).sum()) < 27.9


def test_weights_angles_and_light_are_uniform() -> None:
    samples = _draw_many(4000)

    for axis in range(3):
        _is_uniform([sample.rotation[axis] for sample in samples], -20, 20)
    for part in ("eye", "eyebrow", "mouth"):
        _is_uniform([weight for s in samples for name, weight in s.weights.items() if TARGETS[name].part == part], 0, 1)
    _is_uniform([sample.light for sample in samples], 0.3, 0.9)


def test_the_numbers_of_one_sample_are_not_correlated() -> None:
    rows = np.array([(*s.rotation, s.light, *s.weights.values()) for s in _draw_many(4000)])

    correlation = np.corrcoef(rows.T) - np.eye(rows.shape[1])

    assert np.abs(correlation).max() < 0.06  # 3.8 standard errors


def test_all_targets_of_a_part_are_drawn_equally_often() -> None:
    counts = Counter(name for sample in _draw_many(4500) for name in sample.weights)

    for part, size in (("eye", 9), ("eyebrow", 9), ("mouth", 5)):
        found = [counts[target.name] for target in ALL if target.part == part]
        expected = 4500 / size
        assert len(found) == size
        assert sum((count - expected) ** 2 / expected for count in found) < 27.9


def _about(axis: tuple[float, float, float], degrees: float) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """Rodrigues' formula, which shares nothing with the product of three fixed matrices under test."""
    x, y, z = axis
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = math.radians(degrees)
    return np.asarray(np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross)


@given(ANGLES, ANGLES, ANGLES)
def test_the_matrix_turns_about_world_x_then_y_then_z(x: float, y: float, z: float) -> None:
    expected = _about((0, 0, 1), z) @ _about((0, 1, 0), y) @ _about((1, 0, 0), x)

    assert np.allclose(rotation_matrix((x, y, z)), expected, atol=1e-12)


@given(ANGLES, ANGLES, ANGLES)
def test_the_matrix_is_a_rotation(x: float, y: float, z: float) -> None:
    matrix = rotation_matrix((x, y, z))

    assert np.allclose(matrix @ matrix.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(matrix) == pytest.approx(1)


def test_positive_angles_turn_as_the_right_hand_says() -> None:
    assert np.allclose(rotation_matrix((90, 0, 0)) @ [0, 1, 0], [0, 0, 1])
    assert np.allclose(rotation_matrix((0, 90, 0)) @ [0, 0, 1], [1, 0, 0])
    assert np.allclose(rotation_matrix((0, 0, 90)) @ [1, 0, 0], [0, 1, 0])


def test_no_rotation_is_the_identity() -> None:
    assert (rotation_matrix((0.0, 0.0, 0.0)) == np.eye(3)).all()


def test_the_matrix_is_the_reference_s(reference: Path) -> None:
    with np.load(reference / "gene_light.npz") as arrays:
        degrees, expected = arrays["rotation_deg"], arrays["R"]

    x, y, z = degrees.tolist()
    assert (x, y, z) == (10, -15, 5)
    assert np.abs(rotation_matrix((x, y, z)) - expected).max() < 1e-6
