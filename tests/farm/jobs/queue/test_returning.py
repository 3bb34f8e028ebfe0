"""Jobs that come back to the queue: put back, taken late, cancelled and retried, handed back."""

import pytest

from farm.jobs import states
from farm.jobs.queue import Instruction
from farm.jobs.states import StaleAttempt
from tests.support import servers
from tests.support.jobs import Core


def test_a_job_put_back_is_the_next_one_again(core: Core) -> None:
    jobs = core.add(3)
    taken = core.take()

    assert core.queue.put_back(taken.job)
    assert not core.queue.put_back(taken.job)

    assert [core.take().job for _ in range(3)] == [job.id for job in jobs]


def test_a_job_put_back_for_a_while_comes_when_it_is_over(core: Core) -> None:
    first, second = core.add(2)
    core.queue.put_back(core.take().job, 60.0)

    assert core.take().job == second.id
    assert core.queue.take("worker@a") is None
    core.queue.put_back(second.id, 0.3)
    begun = core.connection.now()
    servers.wait_until(lambda: core.queue.waiting(9) == 1, "the shorter wait being over")
    assert core.connection.now() - begun > 0.2
    assert core.take().job == second.id
    core.wait_is_over()
    assert core.take().job == first.id


def test_who_was_too_late_for_a_job_leaves_the_lease_of_its_attempt_alone(core: Core) -> None:
    """GIVEN a worker took a job, hung, and another has claimed it WHEN the first puts it back THEN nothing changes."""
    (job,) = core.add(1)
    core.take("worker@slow")
    core.silence(job.id)
    core.keeper.reap()
    claimed = core.begin("worker@quick")

    assert not core.queue.put_back(job.id)
    assert not core.queue.put_back(job.id, 5.0)

    assert core.queue.leased() == [job.id]
    assert core.queue.pulse(job.id, claimed.attempt) is Instruction.GO_ON


def test_a_late_claim_takes_the_job_out_of_the_queue(core: Core) -> None:
    """GIVEN a job that was taken and went back to the queue WHEN its first taker claims it THEN nobody else gets it."""
    (job,) = core.add(1)
    core.take("worker@slow")
    core.silence(job.id)
    core.keeper.reap()

    core.jobs.change(job.id, lambda j: states.claim(j, "worker@slow"))

    assert core.queue.take("worker@quick") is None
    assert core.queue.waiting(10) == 0


def test_a_job_cancelled_in_the_queue_and_retried_stands_in_it_once(core: Core) -> None:
    first, second = core.add(2)
    core.jobs.change(first.id, states.cancel)
    core.jobs.change(first.id, states.retry)

    assert [core.take().job for _ in range(2)] == [second.id, first.id]
    assert core.queue.take("worker@a") is None


def test_a_job_cancelled_while_it_waits_and_retried_comes_once(core: Core) -> None:
    (job,) = core.add(1)
    core.begin()
    core.jobs.change(job.id, lambda j: states.lose(j, 1, "blender-died", "gone", 1.0))
    core.jobs.change(job.id, states.cancel)
    core.jobs.change(job.id, states.retry)
    core.wait_is_over()

    assert core.begin().attempt == 2
    assert core.queue.take("worker@a") is None


def test_a_job_cancelled_between_taking_and_claiming_is_not_claimed(core: Core) -> None:
    (job,) = core.add(1)
    core.take()
    core.jobs.change(job.id, states.cancel)

    with pytest.raises(StaleAttempt):
        core.jobs.change(job.id, lambda j: states.claim(j, "worker@a"))
    assert not core.queue.put_back(job.id)


def test_a_job_that_is_handed_back_goes_before_those_that_never_began(core: Core) -> None:
    first, second, third = core.add(3)
    core.begin()
    core.jobs.change(first.id, lambda j: states.hand_back(j, 1, "worker-stopped", "stops", 1.0))

    assert [core.take().job for _ in range(3)] == [first.id, second.id, third.id]
