"""What the autoscaler is told, by the real Redis with real jobs in every state."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.jobs import states
from farm.jobs.demand import Demands
from farm.jobs.scaling import SLOTS_KEPT, Demand, Pace
from farm.jobs.workers import ALIVE_SECONDS
from tests.support.audit import audit
from tests.support.jobs import Core, make_core


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(fresh_redis, tmp_path)
    yield made
    assert audit(made.connection) == []


@pytest.fixture
def demands(core: Core) -> Demands:
    return Demands(core.connection)


def test_an_idle_farm_has_nothing_to_do(core: Core, demands: Demands) -> None:
    core.workers.register("worker@a", 2)

    assert demands.present() == Demand(0, 0, 0, 1)


def test_jobs_count_from_their_order_to_their_end(core: Core, demands: Demands) -> None:
    first, second, third = core.add(3, images=100)
    assert demands.present() == Demand(300, 3, 0, 0)

    taken = core.take()  # handed out and not claimed: nobody has it yet
    assert demands.present() == Demand(300, 3, 0, 0)

    core.jobs.change(taken.job, lambda job: states.claim(job, "worker@a"))
    core.begin("worker@a")
    assert demands.present() == Demand(300, 3, 1, 0)
    core.begin("worker@b")
    assert demands.present() == Demand(300, 3, 2, 0)

    core.jobs.change(first.id, lambda job: states.progress(job, 1, 100))  # all drawn, and still being stored
    assert demands.present() == Demand(200, 3, 2, 0)
    core.jobs.change(second.id, lambda job: states.lose(job, 1, "blender-died", "x", 1.0))  # waits to be tried again
    assert demands.present() == Demand(200, 3, 2, 0)
    core.jobs.change(third.id, lambda job: states.finish(job, 1))
    core.jobs.change(first.id, lambda job: states.finish(job, 1))
    core.jobs.change(second.id, states.cancel)
    assert demands.present() == Demand(0, 0, 0, 0)


def test_what_is_paused_wants_nobody_but_those_who_still_have_it(core: Core, demands: Demands) -> None:
    running, broken, waiting = core.add(3, images=100)
    assert core.begin("worker@a").id == running.id
    core.begin("worker@b")
    core.jobs.change(broken.id, lambda job: states.lose(job, 1, "blender-died", "x", 1.0))

    core.queue.set_paused(waiting.batch, True)
    assert demands.present() == Demand(0, 0, 1, 0)
    core.jobs.change(running.id, lambda job: states.hand_back(job, 1, "paused", "The batch is paused.", 1.0, 0.0, True))
    core.wait_is_over()
    assert demands.present() == Demand(0, 0, 0, 0)

    core.add(1, images=8, paused=True)
    assert demands.present() == Demand(0, 0, 0, 0)
    core.queue.set_paused(waiting.batch, False)
    assert demands.present() == Demand(300, 3, 0, 0)


def test_workers_that_are_drained_or_silent_are_not_there_for_new_work(core: Core, demands: Demands) -> None:
    for name in ("worker@a", "worker@b", "worker@c"):
        core.workers.register(name, 1)
    core.add(2, images=8)
    core.begin("worker@a")
    core.workers.drain("worker@a", "its fan is loud")
    silent = core.connection.time() - ALIVE_SECONDS - 1
    core.connection.redis.zadd("farm:workers", {"worker@b": silent})

    # WHEN one is drained that has a job, THEN that job still needs it.
    assert demands.present() == Demand(16, 2, 1, 1)


def test_the_pace_is_that_of_a_worker_with_all_its_blenders(core: Core, demands: Demands) -> None:
    assert demands.pace(400.0) == Pace(400.0, 1, measured=False)
    core.workers.register("worker@a", 4)

    core.workers.drew("worker@a", 100, 20.0)  # one Blender of four
    core.workers.drew("worker@a", 300, 60.0)

    assert demands.pace(400.0) == Pace(20.0, 4, measured=True)


def test_reports_are_summed_up_in_bounded_room_and_the_newest_stay(core: Core, demands: Demands) -> None:
    redis = core.connection.redis
    redis.hset("farm:pace:images", mapping={str(slot): 1 for slot in range(2 * SLOTS_KEPT)})
    redis.hset("farm:pace:seconds", mapping={str(slot): 1000 for slot in range(2 * SLOTS_KEPT)})

    core.workers.drew("worker@nobody-knows", 5000, 10.0)

    assert redis.hlen("farm:pace:images") == redis.hlen("farm:pace:seconds") == SLOTS_KEPT
    assert redis.hexists("farm:pace:images", 2 * SLOTS_KEPT - 1)
    assert not redis.hexists("farm:pace:images", SLOTS_KEPT)
    assert demands.pace(1.0).images_per_second == pytest.approx(500)
