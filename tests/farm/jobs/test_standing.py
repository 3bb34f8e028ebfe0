"""What metrics say of the queue: how long jobs waited, how many there are of each kind, how full Redis is."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.standing import memory, standing
from tests.support.audit import audit
from tests.support.jobs import Core, make_core


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(fresh_redis, tmp_path)
    yield made
    assert audit(made.connection) == []


def earlier(core: Core, seconds: float) -> None:
    """Let the farm's time go on by so much."""
    clock = core.connection.redis.hgetall("farm:clock")
    core.connection.redis.hset("farm:clock", "time", float(clock["time"]) + seconds)


def waited(core: Core) -> float:
    """How long the next job did; it is claimed."""
    taken = core.take()
    core.jobs.change(taken.job, lambda job: states.claim(job, "worker@a"))
    assert taken.waited is not None
    return taken.waited


def test_a_job_waits_from_when_its_batch_was_submitted(core: Core) -> None:
    core.add(2)
    assert waited(core) == pytest.approx(0, abs=5)
    earlier(core, 1000)
    assert waited(core) == pytest.approx(1000, abs=5)


def test_a_job_that_was_given_back_waits_from_when_it_may_be_tried_again(core: Core) -> None:
    core.add(1)
    earlier(core, 1000)
    job = core.begin()
    core.jobs.change(job.id, lambda j: states.hand_back(j, j.attempt, "paused", "It was paused.", 0.0, wait=50.0))
    earlier(core, 80)
    assert waited(core) == pytest.approx(30, abs=5)


def test_a_job_that_a_worker_leaves_to_others_waits_on(core: Core) -> None:
    (job,) = core.add(1)
    earlier(core, 100)
    core.take()
    core.queue.put_back(job.id)
    earlier(core, 100)
    assert waited(core) == pytest.approx(200, abs=5)


def test_a_job_that_is_tried_again_by_a_person_waits_from_then(core: Core) -> None:
    core.add(1)
    job = core.begin()
    core.jobs.change(job.id, lambda j: states.fail(j, j.attempt, "model", "It is no model."))
    earlier(core, 1000)
    core.jobs.change(job.id, states.retry)
    earlier(core, 10)
    assert waited(core) == pytest.approx(10, abs=5)


def test_a_job_of_an_earlier_version_says_nothing_of_its_wait(core: Core) -> None:
    (job,) = core.add(1)
    core.connection.redis.hdel(f"farm:batch:{job.batch}", "opened")
    assert core.take().waited is None
    core.queue.put_back(job.id)


def test_the_notes_of_waits_go_with_the_wait_and_with_the_batch(core: Core) -> None:
    (job,) = core.add(1)
    core.begin()
    core.jobs.change(job.id, lambda j: states.hand_back(j, j.attempt, "paused", "It was paused.", 0.0))
    assert core.connection.redis.hkeys(f"farm:batch:{job.batch}:since") == ["0"]
    core.jobs.change(job.id, states.cancel)
    assert core.connection.redis.exists(f"farm:batch:{job.batch}:since") == 0


def test_the_queue_is_told_in_numbers(core: Core) -> None:
    core.add(1)
    lost, back, ended = core.begin(), *core.add(2)
    core.begin()
    core.jobs.change(back.id, lambda j: states.hand_back(j, j.attempt, "paused", "It was paused.", 0.0, wait=60.0))
    core.jobs.change(ended.id, states.cancel)
    core.silence(lost.id)

    now = standing(core.connection)

    assert (now.batches_open, now.delayed, now.leases, now.overdue, now.untold) == (2, 1, 1, 1, 0)


def test_redis_says_what_it_takes_and_may_take_to_those_who_may_ask(core: Core, fresh_redis: str) -> None:
    client = core.connection.redis
    client.config_set("maxmemory", "64mb")
    try:
        taken = memory(core.connection)
        assert taken is not None
        assert 2**18 < taken.used < 2**26
        assert taken.limit == 2**26
        client.config_set("maxmemory", 0)
        unlimited = memory(core.connection)
        assert unlimited is not None
        assert unlimited.limit == 0
        client.acl_setuser("guest", enabled=True, nopass=True, keys=["*"], commands=["+@all", "-info"])
        guest = Connection(fresh_redis.replace("redis://", "redis://guest:any@"))
        assert memory(guest) is None
    finally:
        client.config_set("maxmemory", 0)
        client.acl_deluser("guest")
