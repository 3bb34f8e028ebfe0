"""Which job goes next, and what a pulse says, on real servers."""

import time
from collections import Counter

import pytest

from farm.errors import NotFoundError
from farm.jobs import states
from farm.jobs.queue import Instruction
from farm.jobs.states import State
from tests.support import servers
from tests.support.jobs import Core


def test_jobs_go_in_the_order_of_submission(core: Core) -> None:
    first, second = core.add(2), core.add(2)

    assert [core.take().job for _ in range(4)] == [job.id for job in first + second]
    assert core.queue.take("worker@a") is None


def test_a_higher_priority_goes_first_whatever_its_sign(core: Core) -> None:
    batches = {priority: core.add(1, priority=priority)[0].id for priority in (-10, 0, -1, 10, 3)}
    earlier = core.add(1, priority=10)[0].id

    taken = [core.take().job for _ in range(6)]

    assert taken == [batches[10], earlier, batches[3], batches[0], batches[-1], batches[-10]]


def test_a_batch_submitted_after_ten_billion_others_keeps_its_place(core: Core) -> None:
    core.connection.redis.set("farm:sequence", 10_000_000_000)
    batches = [core.add(1, priority=priority)[0].id for priority in (9, 10, 10, -10, -10)]

    assert [core.take().job for _ in range(5)] == [batches[place] for place in (1, 2, 0, 3, 4)]


def test_changing_a_priority_changes_who_goes_next(core: Core) -> None:
    (older,), (newer,) = core.add(1), core.add(1)

    core.queue.set_priority(newer.batch, 1)

    assert core.jobs.batch(newer.batch).priority == 1
    assert [core.take().job for _ in range(2)] == [newer.id, older.id]


def test_a_paused_batch_is_passed_over_until_it_goes_on(core: Core) -> None:
    (paused,), (other,) = core.add(1, paused=True), core.add(1)

    assert core.take().job == other.id
    assert core.queue.take("worker@a") is None
    core.queue.set_paused(paused.batch, False)
    assert core.take().job == paused.id
    core.queue.set_paused(paused.batch, True)
    core.queue.put_back(paused.id)
    assert core.queue.take("worker@a") is None


def test_a_batch_that_is_not_there_cannot_be_steered(core: Core) -> None:
    with pytest.raises(NotFoundError, match="nothing"):
        core.queue.set_paused("nothing", True)
    with pytest.raises(NotFoundError, match="nothing"):
        core.queue.set_priority("nothing", 1)


def test_a_drained_worker_gets_nothing_and_the_others_do(core: Core) -> None:
    (job,) = core.add(1)
    core.workers.register("worker@a", 1)
    core.workers.drain("worker@a", "looked at")

    assert core.queue.take("worker@a") is None
    assert core.take("worker@b").job == job.id


def test_a_pulse_prolongs_the_lease_and_says_what_to_do(core: Core) -> None:
    (job,) = core.add(1)
    core.begin()
    core.silence(job.id)

    assert core.queue.pulse(job.id, 1) is Instruction.GO_ON
    assert core.queue.overdue(10) == []
    core.queue.set_paused(job.batch, True)
    assert core.queue.pulse(job.id, 1) is Instruction.PAUSED
    assert core.queue.pulse(job.id, 2) is Instruction.STALE
    core.jobs.change(job.id, states.cancel)
    assert core.queue.pulse(job.id, 1) is Instruction.STALE
    assert core.queue.pulse("nothing-3", 1) is Instruction.STALE
    assert core.queue.leased() == []


def test_a_worker_yields_to_a_higher_priority_that_waits_and_only_one_at_a_time(core: Core) -> None:
    jobs = core.add(2)
    core.begin("worker@a"), core.begin("worker@b")
    core.add(5, priority=1)

    def both() -> list[Instruction]:
        return [core.queue.pulse(job.id, 1) for job in jobs]

    begun, heard = time.monotonic(), [Instruction.GO_ON] * 2
    while heard == [Instruction.GO_ON] * 2:
        assert time.monotonic() - begun < servers.PATIENCE_SECONDS
        heard = both()
        time.sleep(0.05)

    assert time.monotonic() - begun > 1.9  # an idle worker would have taken it sooner
    assert Counter(heard) == {Instruction.YIELD: 1, Instruction.GO_ON: 1}
    assert both() == [Instruction.GO_ON] * 2


def test_a_worker_does_not_yield_to_the_same_or_a_lower_priority_or_a_paused_batch(core: Core) -> None:
    (job,) = core.add(1)
    core.begin()
    core.add(1), core.add(1, priority=-1), core.add(1, priority=5, paused=True)

    until = time.monotonic() + 3
    while time.monotonic() < until:
        assert core.queue.pulse(job.id, 1) is Instruction.GO_ON
        time.sleep(0.2)


def test_jobs_that_wait_are_counted_up_to_a_limit(core: Core) -> None:
    core.add(30), core.add(20), core.add(100, paused=True)

    assert (core.queue.waiting(1000), core.queue.waiting(40)) == (50, 40)


def test_the_scripts_may_be_forgotten_by_the_server_at_any_time(core: Core) -> None:
    (job,) = core.add(1)
    for action in (
        lambda: core.begin(),
        lambda: core.queue.pulse(job.id, 1),
        lambda: core.jobs.change(job.id, lambda j: states.finish(j, 1)),
        lambda: core.add(2),
        lambda: core.jobs.change_all(job.batch, states.cancel),
    ):
        core.connection.redis.script_flush()
        action()

    assert core.jobs.job(job.id).state is State.DONE
