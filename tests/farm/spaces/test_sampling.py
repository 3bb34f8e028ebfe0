"""Samples of other pose spaces: their ranges, what excludes what, sides, and the rotation that the label says."""

from collections import Counter

import numpy as np
import pytest

from farm.morphs.vocabulary import Side
from farm.poses import Partition, Sample, draw_in, head_matrix, rotation_matrix, values_in, vector_in
from farm.spaces.space import Space, space_named, space_names

MODEL = "3b" * 32
OTHERS = space_names()[1:]


def _many(space: Space, count: int = 3000, keys: list[str] | None = None) -> list[Sample]:
    return [draw_in(space, 1, MODEL, index, list(space.keys) if keys is None else keys) for index in range(count)]


@pytest.mark.parametrize("name", OTHERS)
def test_every_value_lies_in_its_range_and_reaches_all_of_it(name: str) -> None:
    space = space_named(name)

    vectors = np.array([vector_in(space, sample, Partition.ROTATED) for sample in _many(space)])

    low, high = np.array(space.ranges).T
    assert vectors.shape == (3000, len(space.entries))
    assert (vectors >= low).all()
    assert (vectors <= high).all()
    assert (vectors.min(axis=0) <= low + 0.1 * (high - low)).all()
    assert (vectors.max(axis=0) >= high - 0.1 * (high - low)).all()


@pytest.mark.parametrize("name", OTHERS)
def test_of_a_group_that_plays_one_only_one_plays(name: str) -> None:
    space = space_named(name)

    for sample in _many(space, 500):
        playing = Counter((space.keys[key].group.name, space.keys[key].parameter.name) for key in sample.weights)
        for group in space.file.group:
            found = {parameter for of, parameter in playing if of == group.name}
            if group.plays == "one" and not group.sets:
                assert len(found) <= 1
            if group.sets and found:
                entries = {space.entries[place] for key in sample.weights for place in space.keys[key].places
                           if space.keys[key].group.name == group.name}  # fmt: skip
                assert entries in [set(each) for each in group.sets]


@pytest.mark.parametrize("name", OTHERS)
def test_groups_rest_and_sides_play_as_often_as_the_file_says(name: str) -> None:
    space = space_named(name)
    samples = _many(space)

    for group in space.file.group:
        if group.plays != "one" or group.sets:
            continue
        shown = [[key for key in sample.weights if space.keys[key].group.name == group.name] for sample in samples]
        assert sum(not keys for keys in shown) / len(samples) == pytest.approx(group.rest, abs=0.04)
        sided = [keys for keys in shown if keys and space.keys[keys[0]].side is not None]
        if not sided:
            continue
        total = group.sides.both + group.sides.left + group.sides.right + group.sides.apart
        apart = sum(len(keys) == 2 for keys in sided) / len(sided)
        assert apart == pytest.approx(group.sides.apart / total, abs=0.06)
        for side in Side:
            share = sum(len(keys) == 1 and space.keys[keys[0]].side == side for keys in sided) / len(sided)
            assert share == pytest.approx(getattr(group.sides, side) / total, abs=0.06)


def test_both_eyes_look_to_one_side_in_arkit() -> None:
    space = space_named("arkit-52")
    place = {entry: number for number, entry in enumerate(space.entries)}

    vectors = np.array([vector_in(space, sample, Partition.ROTATED) for sample in _many(space, 500)])

    def of(entry: str) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        return np.asarray(vectors[:, place[entry]])

    assert (of("eyeLookOutLeft") == of("eyeLookInRight")).all()
    assert (of("eyeLookInLeft") == of("eyeLookOutRight")).all()
    assert not (of("eyeLookOutLeft") * of("eyeLookInLeft")).any()
    assert (of("mouthClose") <= of("jawOpen")).all()
    assert of("mouthClose").any()


def test_what_a_model_cannot_play_is_not_drawn_and_changes_nothing_else() -> None:
    space = space_named("face-45")
    without = [key for key in space.keys if space.keys[key].group.name != "mouth"]

    for less, whole in zip(_many(space, 60, without), _many(space, 60), strict=True):
        assert less.weights == {key: value for key, value in whole.weights.items() if key in without}
        assert (less.rotation, less.light) == (whole.rotation, whole.light)


def test_head_and_body_rest_in_the_frontal_partition_and_the_face_does_not() -> None:
    space = space_named("face-45")

    for sample in _many(space, 50):
        frontal, rotated = (dict(zip(space.entries, vector_in(space, sample, p), strict=True)) for p in Partition)
        still = {"head_x", "head_y", "neck_z", "body_y", "body_z", "breathing"}
        assert {name for name in still if frontal[name]} == set()
        assert all(rotated[name] for name in still)
        assert all(frontal[name] == rotated[name] for name in frontal.keys() - still)
        assert (head_matrix(space, sample, Partition.FRONTAL) == np.eye(3)).all()


def test_the_rotation_is_that_of_head_and_body() -> None:
    space = space_named("face-45")
    sample = Sample(0, {"body/y": 0.5, "body/z": -1.0, "breathing/breathing": 1.0}, (15.0, 0.0, -7.5), 0.5)

    matrix = head_matrix(space, sample, Partition.ROTATED)

    body = rotation_matrix((0, -10, 0)) @ rotation_matrix((0, 0, 5))
    assert np.allclose(matrix, body @ rotation_matrix((15, 0, -7.5)), atol=1e-12)
    vector = dict(zip(space.entries, vector_in(space, sample, Partition.ROTATED), strict=True))
    assert (vector["head_x"], vector["head_y"], vector["neck_z"]) == (1.0, -0.5, 0.0)
    assert (vector["body_y"], vector["body_z"], vector["breathing"]) == (0.5, -1.0, 1.0)


@pytest.mark.parametrize("name", OTHERS)
def test_drawn_numbers_keep_six_decimals_in_angles_too(name: str) -> None:
    space = space_named(name)

    for sample in _many(space, 100):
        for value in (*vector_in(space, sample, Partition.ROTATED), *sample.rotation):
            assert float(f"{value:.6f}") == value


def test_a_sample_alone_is_the_sample_of_a_whole_run() -> None:
    space = space_named("face-45")
    run = _many(space, 40)

    assert [draw_in(space, 1, MODEL, index, list(space.keys)) for index in reversed(range(40))] == run[::-1]
    assert draw_in(space, 2, MODEL, 5, list(space.keys)) != run[5]
    assert values_in(space, run[5], Partition.ROTATED) == run[5].weights
