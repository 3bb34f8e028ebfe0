"""How many workers are wanted: the promises of `farm.jobs.scaling`, by search for a case that breaks one."""

from dataclasses import replace
from math import ceil

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from farm.jobs.scaling import Demand, Pace, Slot, pace, wanted_workers

paces = st.builds(
    Pace,
    images_per_second=st.floats(1e-3, 1e5),
    blenders=st.integers(1, 16),
    measured=st.booleans(),
)
demands = st.builds(
    Demand,
    images=st.integers(0, 10**9),
    jobs=st.integers(0, 10**6),
    busy=st.integers(0, 200),
    present=st.integers(0, 200),
)
targets = st.floats(1, 10**6)
ONE = Pace(10.0, 1, measured=True)


@given(demands, paces, targets)
def test_no_busy_worker_is_asked_away(demand: Demand, speed: Pace, target: float) -> None:
    assert wanted_workers(demand, speed, target) >= demand.busy


@given(paces, targets, st.integers(0, 200))
def test_where_nothing_waits_or_runs_no_worker_is_wanted(speed: Pace, target: float, present: int) -> None:
    assert wanted_workers(Demand(0, 0, 0, present), speed, target) == 0


@given(demands, paces, targets)
def test_where_there_is_work_a_worker_is_wanted(demand: Demand, speed: Pace, target: float) -> None:
    assume(demand.jobs > 0)

    assert wanted_workers(demand, speed, target) >= 1


@given(demands, demands, paces, targets)
def test_more_work_never_wants_fewer(some: Demand, more: Demand, speed: Pace, target: float) -> None:
    both = Demand(some.images + more.images, some.jobs + more.jobs, some.busy + more.busy, some.present + more.present)

    assert wanted_workers(both, speed, target) >= wanted_workers(some, speed, target)


@given(demands, paces, targets, st.floats(1, 100))
def test_slower_workers_and_shorter_targets_never_want_fewer(
    demand: Demand, speed: Pace, target: float, factor: float
) -> None:
    now = wanted_workers(demand, speed, target)

    assert wanted_workers(demand, replace(speed, images_per_second=speed.images_per_second / factor), target) >= now
    assert wanted_workers(demand, speed, target / factor) >= now


@given(demands, paces, targets)
def test_no_worker_is_wanted_that_would_find_no_job(demand: Demand, speed: Pace, target: float) -> None:
    assert wanted_workers(demand, speed, target) <= max(demand.busy, ceil(demand.jobs / speed.blenders))


@given(demands, paces, targets)
def test_workers_that_are_there_stay_while_every_one_of_their_blenders_has_a_job_to_take(
    demand: Demand, speed: Pace, target: float
) -> None:
    assume(demand.jobs >= demand.present * speed.blenders)

    assert wanted_workers(demand, speed, target) >= demand.present


@settings(max_examples=40)
@example(jobs=[100] * 60, speed=Pace(1.0, 1, measured=True), target=600.0, late=[])  # ten workers, for all of the time
@given(
    jobs=st.lists(st.integers(1, 5000), min_size=1, max_size=60),
    speed=paces,
    target=st.floats(10, 5000),
    late=st.lists(st.tuples(st.floats(0, 5000), st.integers(1, 5000)), max_size=20),
)
def test_what_is_there_is_drawn_within_the_target_where_as_many_may_be_as_are_wanted(
    jobs: list[int], speed: Pace, target: float, late: list[tuple[float, int]]
) -> None:
    """An ideal autoscaler, which gives at once what is asked for and asks every second; jobs go first come, first served."""
    assume(speed.images_per_second * target >= 1)
    rate = speed.images_per_second / speed.blenders
    waiting = [(0.0, images) for images in jobs]
    coming = sorted(late)
    running: list[tuple[float, float, float]] = []
    """When each began to wait, when it has its last image, how long it takes."""
    now, workers, step = 0.0, 0, min(1.0, target / 50)
    while waiting or running or coming:
        if not waiting and not running:
            now = max(now, coming[0][0])
        while coming and coming[0][0] <= now:
            waiting.append(coming.pop(0))
        for since, end, takes in [job for job in running if job[1] <= now]:
            # WHEN it is done, THEN in time: a job that is last may take its own time, and the autoscaler asks in steps.
            assert end - since <= target + 2 * takes + 2 * step
            running.remove((since, end, takes))
        left = sum(images for _, images in waiting) + sum((end - now) * rate for _, end, _ in running)
        demand = Demand(ceil(left), len(waiting) + len(running), min(workers, len(running)), workers)
        workers = wanted_workers(demand, speed, target)
        while waiting and len(running) < workers * speed.blenders:
            since, images = waiting.pop(0)
            running.append((since, now + images / rate, images / rate))
        # Nothing happens but at a step in which something ends or comes.
        events = [end for _, end, _ in running] + [at for at, _ in coming[:1]]
        now = max(now + step, min(events, default=now) if not waiting else now + step)


@pytest.mark.parametrize("speed", [Pace(1e-300, 1, True), Pace(1e-9, 1, False)])
def test_a_rate_next_to_nothing_still_gives_a_number_that_can_be_read(speed: Pace) -> None:
    assert wanted_workers(Demand(10**9, 10**9, 0, 0), speed, 1e-3) == 1_000_000


def test_before_any_report_the_rate_is_assumed_and_says_so() -> None:
    assert pace({}, 2, 400.0) == Pace(400.0, 2, measured=False)
    assert pace({7: Slot(90.0, 9.0)}, 2, 400.0) == Pace(400.0, 2, measured=False)
    assert pace({7: Slot(110.0, 11.0)}, 2, 400.0) == Pace(10.0, 2, measured=True)
    assert not pace({7: Slot(0.0, 99.0)}, 1, 400.0).measured


@given(
    st.dictionaries(
        st.integers(0, 10**9), st.builds(Slot, st.floats(1, 1e6), st.floats(1e-3, 1e4)), min_size=1, max_size=60
    ),
    st.integers(0, 10**9),
)
def test_the_measured_rate_lies_between_the_slowest_and_the_fastest_and_outlasts_any_pause(
    slots: dict[int, Slot], pause: int
) -> None:
    assume(sum(slot.seconds for slot in slots.values()) >= 10)
    rates = [slot.images / slot.seconds for slot in slots.values()]

    found = pace(slots, 1, 400.0)

    assert found.measured
    assert min(rates) * 0.999 <= found.images_per_second <= max(rates) * 1.001
    # Only how old slots are beside each other counts.
    later = pace({number + pause: slot for number, slot in slots.items()}, 1, 400.0)
    assert later.images_per_second == pytest.approx(found.images_per_second)


def test_what_workers_reported_last_weighs_most() -> None:
    slow, fast = Slot(600.0, 60.0), Slot(6000.0, 60.0)

    assert pace({0: slow, 10: fast}, 1, 1.0).images_per_second == pytest.approx((100 + 0.5 * 10) / 1.5)
    assert pace({0: slow, 200: fast}, 1, 1.0).images_per_second == pytest.approx(100, rel=1e-3)
