"""The simulated KEDA, HorizontalPodAutoscaler and ReplicaSet do what the real ones are documented to do."""

from dataclasses import dataclass

from farm.simulation.control import Autoscaler, ControlSettings, first_to_go

SETTINGS = ControlSettings(
    most=64, polling_seconds=15, cooldown_seconds=300, stabilization_seconds=600, removal_seconds=60
)


def go_on(scaler: Autoscaler, wanted: float, since: float, until: float) -> list[tuple[float, int]]:
    """Both look every 15 s; when the number changed."""
    course, now = [(since, scaler.replicas)], since
    while now <= until:
        scaler.poll(now, wanted)
        scaler.sync(now, wanted)
        if scaler.replicas != course[-1][1]:
            course.append((now, scaler.replicas))
        now += 15
    return course


def test_from_zero_it_goes_to_one_and_then_doubles_or_adds_four_every_15_seconds() -> None:
    scaler = Autoscaler(SETTINGS)

    assert [count for _, count in go_on(scaler, 64, 0, 90)] == [0, 5, 10, 20, 40, 64]


def test_differences_within_a_tenth_change_nothing() -> None:
    scaler = Autoscaler(SETTINGS, 20)

    go_on(scaler, 21.9, 0, 60)
    assert scaler.replicas == 20
    go_on(scaler, 22.5, 75, 90)
    assert scaler.replicas == 23


def test_down_it_waits_for_its_window_and_takes_one_a_minute() -> None:
    scaler = Autoscaler(SETTINGS, 5)
    go_on(scaler, 5, 0, 0)

    course = go_on(scaler, 2, 15, 1000)

    assert course[1] == (600, 4)
    assert [(at - 600, count) for at, count in course[1:]] == [(0, 4), (60, 3), (120, 2)]


def test_to_zero_only_after_the_cooldown_and_then_with_all_that_are_left() -> None:
    scaler = Autoscaler(SETTINGS, 9)
    scaler.poll(0, 1)

    course = go_on(scaler, 0, 15, 600)

    assert course[1:] == [(300, 0)]


def test_least_and_most_bound_it() -> None:
    few = Autoscaler(ControlSettings(least=2, most=3))
    go_on(few, 0, 0, 3000)
    assert few.replicas == 2
    go_on(few, 100, 3015, 3200)
    assert few.replicas == 3


@dataclass
class Known:
    lot: float
    ready_since: float | None


def test_pods_that_start_go_first_then_newer_ones_and_else_any() -> None:
    old, newer, alike, starting = Known(0.5, 0.0), Known(0.9, 900.0), Known(0.1, 910.0), Known(0.99, None)

    assert first_to_go([old, newer, starting, alike], 1000.0) == [starting, alike, newer, old]
