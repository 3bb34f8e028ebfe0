"""A pod that has to go, ended as the kubelet does it, in the middle of a model: nothing is lost, and every byte is as in the
undisturbed run.
"""

import signal
import time
from pathlib import Path

import pytest

from farm.jobs.demand import Demands
from farm.jobs.states import State
from farm.models.package import Package
from tests.chaos.conftest import LONG, SHORT
from tests.chaos.farm import Results, farm_under_test
from tests.chaos.kubelet import drain, end_pod
from tests.chaos.processes import blenders, signal_all
from tests.chaos.test_chaos import attempts
from tests.support.servers import PATIENCE_SECONDS, wait_until

pytestmark = pytest.mark.blender


def test_a_pod_with_grace_enough_finishes_its_model_and_begins_no_other(
    packages: list[Package], short_results: Results, long_results: Results, tmp_path: Path
) -> None:
    with farm_under_test(tmp_path) as farm:
        first, second = farm.submit(packages[:1], LONG), farm.submit(packages, SHORT)
        farm.wait_for_images(first, 100)

        killed = end_pod(farm, "w0", drain_seconds=3 * PATIENCE_SECONDS, grace_seconds=4 * PATIENCE_SECONDS)

        assert not killed
        assert [(job.state, job.worker) for job in farm.jobs(first)] == [(State.DONE, "worker@w0")]
        assert [(job.state, job.attempt) for job in farm.jobs(second)] == [(State.QUEUED, 0)] * 2
        assert Demands(farm.services.connection).present().present == 0
        farm.start_worker("w1")
        farm.wait_for_end([first, second])
        assert attempts(farm, first) == attempts(farm, second) == []
        assert farm.complaints([first, second], {**short_results, **long_results}) == []


@pytest.mark.long
def test_a_worker_that_is_too_busy_to_answer_is_not_taken_for_an_idle_one(
    packages: list[Package], tmp_path: Path
) -> None:
    with farm_under_test(tmp_path) as farm:
        main = farm.workers["w0"].process.pid
        batch = farm.submit(packages[:1], SHORT)
        farm.wait_for_images(batch, 50)
        # GIVEN that the process which answers does not, and that the model takes longer than anybody waits for an answer
        signal_all([main, *blenders(main)], signal.SIGSTOP)
        hook = drain(farm, farm.workers["w0"], 3 * PATIENCE_SECONDS)
        try:
            wait_until(lambda: farm.services.workers.drained("worker@w0") != "", "the drain beginning")
            time.sleep(20)  # four times as long as an answer was waited for
            assert hook.poll() is None
            assert farm.jobs(batch)[0].state.active
        finally:
            signal_all(blenders(main), signal.SIGCONT)

        # WHEN it is drawn after all, THEN the drain is over.
        assert hook.wait(PATIENCE_SECONDS) == 0
        assert [(job.state, job.attempts) for job in farm.jobs(batch)] == [(State.DONE, ())]
        signal_all([main], signal.SIGCONT)


@pytest.mark.long
def test_a_pod_whose_drain_is_too_short_hands_its_model_back_before_it_would_be_killed(
    packages: list[Package], long_results: Results, tmp_path: Path
) -> None:
    with farm_under_test(tmp_path) as farm:
        batch = farm.submit(packages[:1], LONG)
        farm.wait_for_images(batch, 100)

        killed = end_pod(farm, "w0", drain_seconds=0, grace_seconds=PATIENCE_SECONDS)  # FARM_SHUTDOWN_SECONDS is 1

        assert not killed
        (job,) = farm.jobs(batch)
        assert (job.state, [(a.code, a.counted) for a in job.attempts]) == (State.QUEUED, [("worker-stopped", False)])
        assert 100 <= job.images_done < job.images_total
        other = farm.start_worker("w1")
        farm.wait_for_end([batch])
        # What the first had drawn stands in a checkpoint, that which it had not told yet too: the second drew the rest alone.
        assert 0 < farm.drawn_by(other) <= job.images_total - job.images_done
        assert attempts(farm, batch) == [("worker-stopped", False)]
        assert farm.complaints([batch], long_results) == []


def test_a_pod_that_is_killed_in_the_middle_of_a_model_loses_its_lease_and_another_draws_it(
    packages: list[Package], long_results: Results, tmp_path: Path
) -> None:
    with farm_under_test(tmp_path, workers=0) as farm:
        farm.start_worker("w0", {"FARM_SHUTDOWN_SECONDS": "600"})  # longer than its grace: nobody is handed anything
        batch = farm.submit(packages[:1], LONG)
        farm.wait_for_images(batch, 100)

        killed = end_pod(farm, "w0", drain_seconds=0, grace_seconds=0)

        assert killed
        (job,) = farm.jobs(batch)
        assert (job.state.active, job.worker, job.attempts) == (True, "worker@w0", ())
        assert Demands(farm.services.connection).present().busy == 1  # for all that is known
        farm.let_leases_run_out()
        farm.start_worker("w1")
        wait_until(lambda: farm.jobs(batch)[0].worker == "worker@w1", "the other worker taking over")
        farm.wait_for_end([batch])
        assert attempts(farm, batch) == [("worker-lost", True)]
        assert farm.complaints([batch], long_results) == []
