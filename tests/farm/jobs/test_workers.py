"""The registry of workers: who is there, who is to blame, who gets no more jobs."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.errors import NotFoundError
from farm.jobs import states
from farm.jobs.states import Job
from farm.jobs.workers import ALIVE_SECONDS, MAX_BLAME, Worker
from tests.support.audit import audit
from tests.support.jobs import Core, make_core


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(fresh_redis, tmp_path)
    for name in ("worker@a", "worker@b"):
        made.workers.register(name, 2)
    yield made
    assert audit(made.connection) == []


def known(core: Core, name: str) -> Worker:
    (found,) = [worker for worker in core.workers.all() if worker.name == name]
    return found


def fell(core: Core, name: str, seconds: float) -> None:
    """The worker was last heard of so long ago."""
    core.connection.redis.zadd("farm:workers", {name: core.connection.now() - seconds})


def broke_down_on(core: Core, *names: str) -> Job:
    """A job on which attempts of these workers broke down, finished by worker@good."""
    (job,) = core.add(1)
    for name in names:
        core.wait_is_over()
        begun = core.begin(name)
        core.jobs.change(job.id, lambda j, a=begun.attempt: states.lose(j, a, "blender-died", "x", core.jobs.now()))  # type: ignore[misc]
    core.wait_is_over()
    last = core.begin("worker@good")
    return core.jobs.change(job.id, lambda j: states.finish(j, last.attempt))


def test_a_worker_that_registers_is_there(core: Core) -> None:
    core.workers.draws_with("worker@a", "llvmpipe")

    assert [worker.name for worker in core.workers.all()] == ["worker@a", "worker@b"]
    worker = known(core, "worker@a")
    assert (worker.alive, worker.concurrency, worker.renderer, worker.drained) == (True, 2, "llvmpipe", "")
    assert (worker.done, worker.lost, worker.blamed) == (0, 0, 0)
    assert abs(worker.started - core.connection.now()) < 5


def test_a_silent_worker_is_not_alive_and_forgotten_after_a_day(core: Core) -> None:
    fell(core, "worker@a", ALIVE_SECONDS + 1)
    assert not known(core, "worker@a").alive
    core.workers.beat("worker@a", 2)
    assert known(core, "worker@a").alive

    fell(core, "worker@a", 25 * 3600)
    core.workers.forget_old()

    assert [worker.name for worker in core.workers.all()] == ["worker@b"]


def test_a_worker_that_redis_forgot_is_registered_by_its_next_beat(core: Core) -> None:
    core.connection.redis.flushall()

    core.workers.beat("worker@a", 3)

    assert known(core, "worker@a").concurrency == 3


def test_a_worker_that_leaves_is_gone(core: Core) -> None:
    core.workers.leave("worker@a")

    assert [worker.name for worker in core.workers.all()] == ["worker@b"]


def test_a_drained_worker_is_known_with_the_reason_until_it_is_resumed(core: Core) -> None:
    core.workers.drain("worker@a", "is looked at")

    assert known(core, "worker@a").drained == core.workers.drained("worker@a") == "is looked at"
    core.workers.beat("worker@a", 2)
    assert core.workers.drained("worker@a")
    core.workers.resume("worker@a")
    assert core.workers.drained("worker@a") == ""


def test_a_worker_that_is_not_there_cannot_be_drained_or_resumed(core: Core) -> None:
    with pytest.raises(NotFoundError, match="worker@x"):
        core.workers.drain("worker@x", "why")
    with pytest.raises(NotFoundError, match="worker@x"):
        core.workers.resume("worker@x")


def test_others_can_work_when_one_is_alive_and_not_drained(core: Core) -> None:
    assert core.workers.others_can_work("worker@a")

    core.workers.drain("worker@b", "why")
    assert not core.workers.others_can_work("worker@a")
    core.workers.resume("worker@b")
    fell(core, "worker@b", ALIVE_SECONDS + 1)
    assert not core.workers.others_can_work("worker@a")


def test_a_worker_whose_last_three_attempts_broke_down_on_jobs_that_others_finished_is_drained(core: Core) -> None:
    drained: list[str] = []
    for number in range(1, MAX_BLAME + 1):
        assert drained == []
        drained = core.workers.finished("worker@good", broke_down_on(core, "worker@a"))
        assert known(core, "worker@a").blamed == number

    assert drained == ["worker@a"]
    assert "Its last 3 attempts broke down" in core.workers.drained("worker@a")
    core.add(1)
    assert core.queue.take("worker@a") is None


def test_a_success_of_its_own_takes_the_blame_from_a_worker(core: Core) -> None:
    for _ in range(MAX_BLAME - 1):
        core.workers.finished("worker@good", broke_down_on(core, "worker@a"))
    core.workers.finished("worker@a", broke_down_on(core))

    assert core.workers.finished("worker@good", broke_down_on(core, "worker@a")) == []
    assert known(core, "worker@a").blamed == 1
    assert known(core, "worker@a").done == 1


def test_two_failures_on_one_job_are_one_blame_and_two_workers_are_blamed_each(core: Core) -> None:
    core.workers.finished("worker@good", broke_down_on(core, "worker@a", "worker@a"))
    core.workers.finished("worker@good", broke_down_on(core, "worker@a", "worker@b"))

    assert (known(core, "worker@a").blamed, known(core, "worker@b").blamed) == (2, 1)


def test_a_worker_is_not_blamed_for_what_it_finished_itself_handed_back_or_was_forgiven(core: Core) -> None:
    (job,) = core.add(1)
    core.begin("worker@a")
    core.jobs.change(job.id, lambda j: states.hand_back(j, 1, "paused", "x", 1.0))
    core.begin("worker@b")
    core.jobs.change(job.id, lambda j: states.lose(j, 2, "blender-died", "x", core.jobs.now()))
    core.wait_is_over()
    core.begin("worker@b")

    core.workers.finished("worker@b", core.jobs.change(job.id, lambda j: states.finish(j, 3)))

    assert (known(core, "worker@a").blamed, known(core, "worker@b").blamed) == (0, 0)


def test_a_drained_worker_that_is_resumed_has_a_clean_slate(core: Core) -> None:
    for _ in range(MAX_BLAME):
        core.workers.finished("worker@good", broke_down_on(core, "worker@a"))

    core.workers.resume("worker@a")

    assert core.workers.finished("worker@good", broke_down_on(core, "worker@a")) == []
    assert known(core, "worker@a").blamed == 1


def test_a_worker_that_has_left_is_not_brought_back_by_blame_or_success(core: Core) -> None:
    core.workers.leave("worker@a")

    core.workers.lost("worker@a")
    core.workers.finished("worker@good", broke_down_on(core, "worker@a"))

    assert [worker.name for worker in core.workers.all()] == ["worker@b"]
