"""What is between keys: even, stepped, Bezier's and Hermite's curves, and turns."""

from collections.abc import Sequence
from random import Random

import numpy as np
import pytest

from farm.motion.channels import Bezier, Channel, Cubic, Step, bezier
from tests.farm.motion.made_motions import random_curve, turn


def _by_bisection(points: Sequence[float], done: float) -> float:
    """The same in plain numbers: half by half, to the last digit."""
    x1, y1, x2, y2 = points
    low, high = 0.0, 1.0
    for _ in range(200):
        t = (low + high) / 2
        x = 3 * (1 - t) ** 2 * t * x1 + 3 * (1 - t) * t**2 * x2 + t**3
        low, high = (t, high) if x < done else (low, t)
    return 3 * (1 - t) ** 2 * t * y1 + 3 * (1 - t) * t**2 * y2 + t**3


def test_a_curve_is_where_bisection_finds_it() -> None:
    dice = Random(3)
    curves = [*(random_curve(dice) for _ in range(3000)), (127, 0, 0, 127), (0, 127, 127, 0), (0, 0, 0, 0), (127,) * 4]
    done = [dice.random() for _ in curves]

    found = bezier(np.array(curves)[:, None] / 127, np.array(done)[:, None])[:, 0]

    expected = [_by_bisection([c / 127 for c in curve], x) for curve, x in zip(curves, done, strict=True)]
    # Where such a curve is upright, y is as uncertain as the third root of x.
    off = np.abs(found - expected)
    assert np.quantile(off, 0.99) < 1e-6
    assert off.max() < 2e-3


def test_a_curve_begins_at_0_and_ends_at_1_and_is_even_where_its_points_are() -> None:
    dice = Random(4)
    curves = np.array([random_curve(dice) for _ in range(500)])[:, None] / 127

    np.testing.assert_allclose(bezier(curves, np.zeros((500, 1))), 0, atol=1e-6)
    np.testing.assert_allclose(bezier(curves, np.ones((500, 1))), 1, atol=1e-6)
    even = np.tile(np.array([20, 20, 107, 107]) / 127, (50, 1, 1))
    done = np.linspace(0, 1, 50)[:, None]
    np.testing.assert_allclose(bezier(even, done), done)


def test_a_key_says_how_it_is_come_to_and_each_number_has_its_own_curve() -> None:
    points = np.zeros((2, 3, 4))
    points[1, 0], points[1, 1], points[1, 2] = (0, 0, 1, 1), (1, 0, 1, 0), (0.25, 0.1, 0.25, 1.0)
    channel = Channel(np.array([1.0, 3.0]), np.array([[0.0, 0, 0], [10, 10, 10]]), Bezier(points))

    (found,) = channel.at(np.array([2.0]))

    expected = [10 * _by_bisection(points[1, place].tolist(), 0.5) for place in range(3)]
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert expected[0] == pytest.approx(5.0)
    assert expected[1] < 2


def test_before_the_first_key_and_after_the_last_nothing_moves() -> None:
    channel = Channel(np.array([1.0, 2.0]), np.array([[5.0], [7.0]]))

    np.testing.assert_allclose(channel.at(np.array([-9.0, 0.0, 1.0, 1.5, 2.0, 1e9]))[:, 0], [5, 5, 5, 6, 7, 7])


def test_a_step_keeps_its_value_until_the_next_key() -> None:
    channel = Channel(np.array([0.0, 1.0, 2.0]), np.array([[5.0], [7.0], [9.0]]), Step())

    np.testing.assert_allclose(channel.at(np.array([0.0, 0.999, 1.0, 1.5, 2.0]))[:, 0], [5, 5, 7, 7, 9])


def test_turns_go_the_short_way_round_at_an_even_pace() -> None:
    """Two quaternions of opposite sign are one rotation: a quarter circle is no three quarters."""
    first, second = np.array(turn((0, 0, 1), 10)), -np.array(turn((0, 0, 1), 90))
    channel = Channel(np.array([0.0, 1.0]), np.array([first, second]), turns=True)

    found = channel.at(np.array([0.25, 0.5]))

    for row, degrees in zip(found, (30, 50), strict=True):
        assert abs(float(row @ np.array(turn((0, 0, 1), degrees)))) == pytest.approx(1)


def test_a_cubic_spline_is_hermites() -> None:
    """p(t) = t^3 - 2 t from 1 to 3 seconds: its values and its changes at the ends give it back everywhere."""
    times = np.array([1.0, 3.0])
    change = (3 * times**2 - 2)[:, None]
    channel = Channel(times, (times**3 - 2 * times)[:, None], Cubic(change, change))
    at = np.linspace(1, 3, 11)

    np.testing.assert_allclose(channel.at(at)[:, 0], at**3 - 2 * at)


def test_a_cubic_spline_of_turns_has_length_1() -> None:
    values = np.array([turn((1, 0, 0), 10), turn((0, 1, 0), 120)])
    changes = np.array([[0.5, 0.0, 1.0, 0.0], [0.0, -2.0, 0.3, 0.0]])
    channel = Channel(np.array([0.0, 1.0]), values, Cubic(changes, changes), turns=True)

    np.testing.assert_allclose(np.linalg.norm(channel.at(np.linspace(0, 1, 9)), axis=1), 1)


def test_many_times_are_worked_out_as_few_are() -> None:
    channel = Channel(np.array([0.0, 1.0]), np.array([[0.0], [1.0]]))
    times = np.linspace(0, 1, 10_001)

    np.testing.assert_allclose(channel.at(times)[:, 0], times)
