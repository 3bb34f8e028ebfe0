"""The simulated farm loses and repeats nothing, and shows what each policy does."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.simulation.constants import machine
from farm.simulation.control import ControlSettings
from farm.simulation.engine import Cluster, simulate
from farm.simulation.policies import Outlook, Policy, farm_policy, list_length_policy
from farm.simulation.work import ARRIVALS, Arrival, Workload, long_models

GPU, CPU = Cluster(machine("gpu")), Cluster(machine("cpu"))

workloads = st.lists(
    st.builds(Arrival, st.floats(0, 4000), st.lists(st.integers(1, 200_000), min_size=1, max_size=12).map(tuple)),
    min_size=1,
    max_size=4,
).map(lambda arrivals: Workload(tuple(sorted(arrivals, key=lambda a: a.at)), 0.0))
clusters = st.builds(
    Cluster,
    machine=st.sampled_from([GPU.machine, CPU.machine]),
    cold_start_seconds=st.floats(0, 900),
    spot_losses=st.sampled_from([0.0, 1.0, 20.0]),
    notice_seconds=st.sampled_from([0.0, 30.0, 120.0, 1e6]),
    drain_seconds=st.floats(0, 600),
    shutdown_seconds=st.floats(5, 60),
    assumed_rate=st.floats(1, 10_000),
    control=st.builds(ControlSettings, least=st.integers(0, 2), most=st.integers(2, 20)),
)
policies = st.sampled_from([farm_policy(600), farm_policy(60), list_length_policy(3), list_length_policy(50)])


@settings(max_examples=15)
@given(workloads, clusters, policies, st.integers(0, 1000))
def test_every_model_is_done_once_or_given_up_after_three_losses(
    work: Workload, cluster: Cluster, policy: Policy, seed: int
) -> None:
    outcome = simulate(work, cluster, policy, seed)

    assert outcome.unfinished == 0
    assert outcome.done + outcome.quarantined == work.models
    assert 3 * outcome.quarantined <= outcome.killed
    if not outcome.killed:
        # THEN what was handed back was kept, so that nothing is drawn twice.
        assert (outcome.images_twice, outcome.models_twice, outcome.quarantined) == (0, 0, 0)
    if not outcome.quarantined:
        drawn = work.images / cluster.machine.images_per_second
        assert outcome.drawing_seconds >= drawn * 0.999
    assert 0 <= outcome.idle_share <= 1
    assert outcome.seconds >= max(arrival.at for arrival in work.arrivals)


@settings(max_examples=15)
@given(workloads, clusters, st.floats(30, 5000), st.integers(0, 1000))
def test_our_policy_asks_no_busy_pod_away_at_any_moment_of_any_run(
    work: Workload, cluster: Cluster, target: float, seed: int
) -> None:
    """It never wants fewer than are busy. Whom a ReplicaSet takes away where some are idle is the cluster's doing, so each
    moment is looked at, not the pods."""
    policy, farm_least = farm_policy(target), []

    def watched(outlook: Outlook) -> float:
        wanted = policy(outlook)
        farm_least.append(wanted >= outlook.demand.busy and (wanted > 0) == (outlook.demand.jobs > 0))
        return wanted

    simulate(work, cluster, watched, seed)

    assert farm_least
    assert all(farm_least)


@pytest.mark.parametrize("cold_start", [0.0, 60.0, 300.0])
@pytest.mark.parametrize("arrivals", ["at-once", "day"])
def test_it_is_done_by_the_target_and_the_start_where_as_many_may_be_as_it_takes(
    arrivals: str, cold_start: float
) -> None:
    cluster = replace(GPU, cold_start_seconds=cold_start, control=ControlSettings(most=200))
    rate = 800 / cluster.machine.seconds(800)
    work = ARRIVALS[arrivals](1000 if arrivals == "day" else 3613, 1)

    outcome = simulate(work, replace(cluster, assumed_rate=rate), farm_policy(600), 1)

    # Up to sixteen workers stand after three looks; a tenth fewer may stay, which the cluster's autoscaler tolerates.
    assert outcome.slowest_batch_seconds <= 600 * 1.1 + cold_start + 3 * 15 + 10
    assert outcome.busy_removed == outcome.killed == 0


def test_the_length_of_the_list_takes_pods_from_under_their_renders() -> None:
    """Jobs of a quarter of an hour: the list is empty as soon as the last has begun."""
    work = long_models(24, 0)

    by_list = simulate(work, CPU, list_length_policy(0.7), 0)
    ours = simulate(work, CPU, farm_policy(600), 0)

    assert by_list.busy_removed >= 24
    assert by_list.handed_back >= 24
    assert (ours.busy_removed, ours.handed_back, ours.killed) == (0, 0, 0)
    assert ours.seconds < by_list.seconds
    assert ours.worker_hours < by_list.worker_hours


def test_where_nothing_is_to_do_nothing_is_left_running() -> None:
    outcome = simulate(Workload((Arrival(100.0, (800,)),), 7200.0), GPU, farm_policy(600), 0)

    assert outcome.course[-1].pods == 0
    assert outcome.worker_hours < 0.5
    assert simulate(Workload((Arrival(100.0, (800,)),), 7200.0), GPU, None, 0, 8).worker_hours == pytest.approx(16)


def test_a_spot_machine_that_gives_notice_enough_loses_nothing_and_one_that_gives_none_loses_since_its_checkpoint() -> (
    None
):
    work = long_models(24, 0)
    spot = replace(CPU, spot_losses=6.0, drain_seconds=0.0, shutdown_seconds=5.0)

    told = simulate(work, replace(spot, notice_seconds=120), farm_policy(600), 0)
    untold = simulate(work, replace(spot, notice_seconds=0), farm_policy(600), 0)

    assert told.lost_pods > 0
    assert told.handed_back > 0
    assert (told.killed, told.images_twice) == (0, 0)
    assert untold.killed > 0
    # A checkpoint is half a minute old at most.
    assert 0 < untold.images_twice <= untold.killed * (30 * CPU.machine.images_per_second + 4)


def test_one_seed_gives_one_run() -> None:
    work = ARRIVALS["day"](300, 5)
    spot = replace(GPU, spot_losses=3.0, cold_start_seconds=60.0)

    first, again, other = (simulate(work, spot, farm_policy(600), seed) for seed in (5, 5, 6))

    assert first == again
    assert first != other
    assert ARRIVALS["day"](300, 5) == work != ARRIVALS["day"](300, 6)
