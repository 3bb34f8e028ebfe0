"""The keeper: what a crash left undone is done, tickets are topped up, history is forgotten."""

import logging
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from farm.errors import NotFoundError, ServiceError
from farm.jobs import states
from farm.jobs.keeper import Keeper, hand_back_all
from farm.jobs.orders import OrderedModel, order_of
from farm.jobs.states import State
from farm.jobs.store import new_id
from farm.settings import Settings
from farm.worker.celery_app import CeleryTickets, make_app
from tests.support import servers
from tests.support.audit import audit
from tests.support.jobs import RECORD, Core, CountedTickets, make_core


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(fresh_redis, tmp_path)
    yield made
    assert audit(made.connection) == []


def test_the_job_of_a_dead_worker_comes_back_and_is_counted(core: Core) -> None:
    (job,) = core.add(1)
    core.workers.register("worker@a", 1)
    core.begin("worker@a")
    assert core.keeper.reap() == 0
    core.silence(job.id)

    assert core.keeper.reap() == 1

    after = core.jobs.job(job.id)
    assert (after.state, after.error_code, after.losses, after.wait) == (State.QUEUED, "worker-lost", 1, 2.0)
    assert "Worker worker@a fell silent" in after.error
    assert core.workers.all()[0].lost == 1
    assert core.queue.take("worker@b") is None
    core.wait_is_over()
    assert core.begin("worker@b").attempt == 2


def test_a_job_taken_and_never_claimed_comes_back_uncounted(core: Core) -> None:
    (job,) = core.add(1)
    core.take("worker@a")
    core.silence(job.id)

    core.keeper.reap()

    assert core.jobs.job(job.id) == job
    assert core.take("worker@b").job == job.id


def test_a_job_that_loses_its_worker_three_times_is_quarantined(core: Core) -> None:
    (job,) = core.add(1)
    for _ in range(3):
        core.wait_is_over()
        core.begin()
        core.silence(job.id)
        core.keeper.reap()

    assert core.jobs.job(job.id).state is State.QUARANTINED
    assert core.jobs.batch(job.batch).errors == {"worker-lost": 1}


def test_a_worker_that_has_left_is_not_brought_back_by_its_loss(core: Core) -> None:
    (job,) = core.add(1)
    core.begin("worker@gone")
    core.silence(job.id)

    core.keeper.reap()

    assert core.workers.all() == []


def test_a_cancelled_job_leaves_nothing_for_the_reaper(core: Core) -> None:
    jobs = core.add(2)
    core.begin()
    core.take()
    core.jobs.change_all(jobs[0].batch, states.cancel)

    assert core.queue.leased() == []
    assert core.keeper.reap() == 0


def test_two_keepers_at_once_count_a_lost_attempt_once(core: Core, fresh_redis: str, tmp_path: Path) -> None:
    jobs = core.add(40)
    for _ in jobs:
        core.begin()
    for job in jobs:
        core.silence(job.id)
    other = make_core(fresh_redis, tmp_path)

    threads = [threading.Thread(target=keeper.reap) for keeper in (core.keeper, other.keeper) * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {core.jobs.job(job.id).losses for job in jobs} == {1}


def test_jobs_that_wait_get_tickets_once(core: Core) -> None:
    core.add(5), core.add(3, paused=True)

    core.keeper.wake()
    core.keeper.wake()

    assert core.tickets.issued == 5
    core.tickets.waiting = 2  # three were lost
    core.keeper.wake()
    assert core.tickets.issued == 8


def test_celery_s_tickets_are_topped_up_when_they_are_lost(core: Core, fresh_redis: str) -> None:
    core.add(5)
    tickets = CeleryTickets(make_app(Settings(redis_url=fresh_redis)), core.connection)
    keeper = Keeper(core.connection, core.book, tickets, 30.0, "real")

    keeper.wake()
    assert tickets.pending() == 5
    core.connection.redis.delete("render")
    keeper.wake()
    keeper.wake()

    assert tickets.pending() == 5


def test_of_two_keepers_one_does_the_rounds_and_the_other_takes_over(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("farm.jobs.keeper._MARK_SECONDS", 1000)  # a busy machine may hold up a keeper for seconds
    tickets = CountedTickets(), CountedTickets()
    one, two = (
        Keeper(core.connection, core.book, kept, 30.0, name) for kept, name in zip(tickets, ("one", "two"), strict=True)
    )
    core.add(1)
    one.start()
    servers.wait_until(lambda: tickets[0].issued == 1, "the first round")
    two.start()
    time.sleep(2.5)
    assert tickets[1].issued == 0

    one.stop()
    assert core.connection.redis.ttl("farm:keeper") > 0
    core.connection.redis.expire("farm:keeper", 1)
    try:
        servers.wait_until(lambda: tickets[1].issued == 1, "the other's round")
    finally:
        two.stop()


def test_a_keeper_survives_trouble_and_says_it_once(
    core: Core, caplog: pytest.LogCaptureFixture, fresh_redis: str
) -> None:
    class Broken(CountedTickets):
        trouble = True
        tries = 0

        def issue(self, count: int) -> None:
            if self.trouble:
                self.tries += 1
                raise ServiceError("Redis is away.")
            super().issue(count)

    tickets = Broken()
    keeper = Keeper(core.connection, core.book, tickets, 30.0, "keeper")
    core.add(1)
    with caplog.at_level(logging.WARNING):
        keeper.start()
        servers.wait_until(lambda: tickets.tries == 3, "three rounds of trouble")
        tickets.trouble = False
        servers.wait_until(lambda: tickets.issued == 1, "the ticket")
        keeper.stop()

    assert [record.message for record in caplog.records if "cannot work" in record.message] == [
        "the keeper cannot work: Redis is away."
    ]


def ordered(core: Core) -> str:
    """A batch with an order in the store."""
    models = [OrderedModel(model="0" * 64, name="n", annotation={})]
    order = core.book.write(order_of(new_id(), RECORD, models))
    core.jobs.add_batch(order.id, RECORD, order.jobs())
    return order.id


def test_history_is_forgotten_by_age_with_its_order(core: Core) -> None:
    old, young, running = ordered(core), ordered(core), ordered(core)
    for batch in (old, young):
        core.jobs.change_all(batch, states.cancel)
    core.connection.redis.zadd("farm:ended", {old: core.connection.now() - 31 * 86400})

    assert core.keeper.prune() == 1
    assert core.keeper.prune() == 0

    assert {batch.id for batch in core.jobs.batches(10)} == {young, running}
    assert sorted(core.book.ids()) == sorted([young, running])
    assert core.jobs.removed() == []
    with pytest.raises(NotFoundError):
        core.book.read(old)


def test_an_order_whose_batch_was_forgotten_before_a_crash_is_forgotten_too(core: Core) -> None:
    batch = ordered(core)
    core.jobs.change_all(batch, states.cancel)
    core.jobs.remove_batch(batch)
    assert list(core.book.ids()) == [batch]

    core.keeper.prune()

    assert list(core.book.ids()) == []
    assert core.jobs.removed() == []


def test_housekeeping_goes_on_when_pruning_fails(core: Core) -> None:
    class NoBook:
        def remove(self, batch: str) -> None:
            raise ServiceError("The store is away.")

    batch = ordered(core)
    core.jobs.change_all(batch, states.cancel)
    core.jobs.remove_batch(batch)
    keeper = Keeper(core.connection, NoBook(), core.tickets, 30.0, "k")  # type: ignore[arg-type]

    with pytest.raises(ServiceError):
        keeper.keep_house()
    keeper.keep_house()  # prunes only after a minute again


def test_a_worker_that_does_the_rounds_is_not_in_the_way_of_who_keeps_house(core: Core) -> None:
    batch = ordered(core)
    core.jobs.change_all(batch, states.cancel)
    core.jobs.remove_batch(batch)
    done: list[str] = []
    worker = Keeper(core.connection, None, core.tickets, 30.0, "worker")
    api = Keeper(core.connection, core.book, core.tickets, 30.0, "api", [lambda: done.append("swept")])
    try:
        worker.start()
        servers.wait_until(lambda: core.connection.redis.get("farm:keeper") == "worker", "the worker's round")
        assert list(core.book.ids()) == [batch], "a worker changes no order"
        api.start()
        servers.wait_until(lambda: done == ["swept"], "the house kept")
    finally:
        worker.stop()
        api.stop()
    assert list(core.book.ids()) == []


def test_a_farm_that_starts_anew_takes_all_jobs_back(core: Core) -> None:
    first, second, third = core.add(3)
    core.begin(), core.take()

    assert hand_back_all(core.connection) == 2

    after = core.jobs.job(first.id)
    assert (after.state, after.losses, after.error_code) == (State.QUEUED, 0, "farm-restarted")
    assert {core.take().job for _ in range(3)} == {first.id, second.id, third.id}
