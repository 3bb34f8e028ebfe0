"""A worker's turn that is to end in the middle of its drawing."""

import pytest

from farm.jobs import states
from farm.jobs.states import Job, State
from tests.farm.worker.attempt.bench import FOR_EVER, Bench, at_once
from tests.support.jobs import Core


@pytest.mark.parametrize("how", ["cancel", "pause", "stop"])
def test_an_attempt_that_is_to_end_ends_in_the_middle_of_its_drawing(core: Core, bench: Bench, how: str) -> None:
    (job,) = core.add(1)

    def act() -> None:
        match how:
            case "cancel":
                core.jobs.change_all(job.batch, states.cancel)
            case "pause":
                core.queue.set_paused(job.batch, True)
            case "stop":
                bench.told_to_stop = True

    bench.end_early(FOR_EVER, act)

    after = core.jobs.job(job.id)
    expected = {
        "cancel": (State.CANCELLED, ""),
        "pause": (State.QUEUED, "paused"),
        "stop": (State.QUEUED, "worker-stopped"),
    }
    assert (after.state, after.error_code) == expected[how]
    assert after.losses == 0
    assert core.queue.waiting(9) == (1 if how == "stop" else 0)


def test_a_worker_yields_to_a_batch_of_higher_priority_and_takes_it_next(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)
    urgent: list[Job] = []

    bench.end_early(FOR_EVER, lambda: urgent.extend(core.add(1, priority=5)))

    assert core.jobs.job(job.id).error_code == "yielded"
    bench.work(at_once)
    assert core.jobs.job(urgent[0].id).state is State.DONE


def test_a_blender_that_does_not_listen_is_killed(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)

    seconds = bench.end_early(bench.renderer.hang, lambda: core.jobs.change_all(job.batch, states.cancel))

    assert seconds > 2  # it had time to listen
    assert core.jobs.job(job.id).state is State.CANCELLED


def test_an_attempt_over_the_wall_limit_is_killed_and_counts(core: Core) -> None:
    (job,) = core.add(1)
    bench = Bench(core, job_seconds=1.5)

    bench.end_early(bench.renderer.hang, lambda: None)

    bench.heart.stop()
    after = core.jobs.job(job.id)
    assert (after.state, after.error_code, after.losses) == (State.QUEUED, "blender-timeout", 1)
    assert "FARM_JOB_SECONDS" in after.error


def test_a_blender_over_the_memory_limit_is_killed_and_counts(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)
    bench.renderer.memory = 2**31

    bench.end_early(bench.renderer.hang, lambda: None)

    after = core.jobs.job(job.id)
    assert (after.state, after.error_code, after.losses) == (State.QUEUED, "blender-memory", 1)
    assert "2.0 GiB of memory, over the limit of 1.0" in after.error
