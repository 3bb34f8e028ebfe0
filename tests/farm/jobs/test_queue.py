"""Which job goes next, on real servers: Valkey, and Debian's Redis where it is installed."""

import multiprocessing
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import count as counting
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from farm.errors import ConflictError, NotFoundError
from farm.jobs import states
from farm.jobs.queue import Instruction
from farm.jobs.states import Job, StaleAttempt, State
from tests.support import servers
from tests.support.audit import audit
from tests.support.jobs import RECORD, Core, finish_all, finish_all_there, make_core, new_jobs


@pytest.fixture
def core(valkey_or_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(valkey_or_redis, tmp_path)
    made.connection.redis.flushall()
    yield made
    assert audit(made.connection) == []


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


def test_many_threads_do_each_job_once(core: Core) -> None:
    jobs = core.add(200) + core.add(200, priority=1)

    with ThreadPoolExecutor(8) as pool:
        done = [job for mine in pool.map(lambda n: finish_all(core, f"worker@{n}"), range(8)) for job in mine]

    assert sorted(done) == sorted(job.id for job in jobs)
    assert core.jobs.totals().counts[State.DONE] == 400
    assert {core.jobs.job(job.id).attempt for job in jobs} == {1}


def test_many_processes_do_each_job_once(core: Core, valkey_or_redis: str, tmp_path: Path) -> None:
    jobs = core.add(200)
    context = multiprocessing.get_context("spawn")
    done = context.SimpleQueue()
    processes = [
        context.Process(target=finish_all_there, args=(valkey_or_redis, tmp_path, f"worker@{n}", done))
        for n in range(2)
    ]

    for process in processes:
        process.start()
    finished = [job for _ in processes for job in done.get()]
    for process in processes:
        process.join(servers.PATIENCE_SECONDS)

    assert sorted(finished) == sorted(job.id for job in jobs)
    assert core.jobs.batch(jobs[0].batch).ended


def test_under_taking_cancelling_retrying_and_reaping_at_the_same_time_nothing_is_lost(core: Core) -> None:
    """GIVEN threads that work, one that cancels and retries, one that steals leases WHEN all is over THEN all is done."""
    jobs = core.add(60)
    batch, over = jobs[0].batch, threading.Event()

    def work(number: int) -> None:
        name = f"worker@{number}"
        while not over.is_set():
            taken = core.queue.take(name)
            if taken is None:
                time.sleep(0.002)
                continue
            try:
                job = core.jobs.change(taken.job, lambda j: states.claim(j, name))
                core.jobs.change(job.id, lambda j, a=job.attempt: states.progress(j, a, 4))  # type: ignore[misc]
                core.jobs.change(job.id, lambda j, a=job.attempt: states.finish(j, a))  # type: ignore[misc]
            except StaleAttempt:
                core.queue.put_back(taken.job)

    def meddle() -> None:
        for _ in range(15):
            core.jobs.change_all(batch, lambda job: states.cancel(job) if job.index % 3 == 0 else job)
            core.jobs.change_all(batch, states.retry)

    def steal() -> None:
        while not over.is_set():
            for job in core.queue.leased():
                core.connection.redis.zadd("farm:leases", {job: 1.0}, xx=True)
            core.keeper.reap()
            core.wait_is_over()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)] + [threading.Thread(target=steal)]
    for thread in threads:
        thread.start()
    meddle()

    def ended() -> bool:
        core.jobs.change_all(batch, states.retry)  # what was cancelled at last, or lost too often
        return core.jobs.batch(batch).counts[State.DONE] == 60

    try:
        servers.wait_until(ended, "all jobs being done")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert core.jobs.totals().backlog_images == 0


class Farm(RuleBasedStateMachine):
    """Workers, users and a keeper, one step after the other; after each, Redis must say what the pure functions say."""

    url: str
    folder: Path

    def __init__(self) -> None:
        super().__init__()
        self.core = make_core(self.url, self.folder)
        self.core.connection.redis.flushall()
        self.truth: dict[str, Job] = {}
        self.taken: list[tuple[str, str]] = []
        """Worker and job: handed out, as far as the worker knows; perhaps long given to another."""
        self.attempts: list[tuple[str, int]] = []
        """Job and number of attempts whose workers think that they run."""
        self.numbers = counting(1)

    @initialize()
    def begin(self) -> None:
        self._add(3, 0, False)

    def _add(self, size: int, priority: int, paused: bool) -> None:
        jobs = new_jobs(size, batch=f"batch{next(self.numbers):03d}")  # no chance: Hypothesis repeats what it does
        assert self.core.jobs.add_batch(jobs[0].batch, RECORD, jobs, priority, paused)
        self.truth.update({job.id: job for job in jobs})

    def _batch(self, number: int) -> str:
        batches = sorted({job.batch for job in self.truth.values()})
        return batches[number % len(batches)]

    def _apply(self, job: str, step: Callable[[Job], Job]) -> None:
        """Store and model agree on whether the step is allowed and on what comes out."""
        try:
            expected = step(self.truth[job])
        except StaleAttempt:
            with pytest.raises(StaleAttempt):
                self.core.jobs.change(job, step)
            return
        assert self.core.jobs.change(job, step) == expected
        self.truth[job] = expected

    @rule(size=st.integers(1, 4), priority=st.integers(-2, 2), paused=st.booleans())
    @precondition(lambda self: len(self.truth) < 20)
    def submit(self, size: int, priority: int, paused: bool) -> None:
        self._add(size, priority, paused)

    @rule()
    def take(self) -> None:
        worker = f"worker@{next(self.numbers)}"
        redis = self.core.connection.redis
        takeable = [
            (-batch.priority, batch.sequence, batch.id)
            for batch in self.core.jobs.batches(100)
            if not batch.paused and redis.llen(f"farm:batch:{batch.id}:queue")
        ]
        taken = self.core.queue.take(worker)
        assert (taken is not None) == bool(takeable)
        if taken is not None:
            assert self.truth[taken.job].batch == min(takeable)[2]
            assert self.truth[taken.job].state is State.QUEUED
            self.taken.append((worker, taken.job))

    @rule(which=st.integers(0, 50), again=st.booleans())
    @precondition(lambda self: self.taken)
    def claim(self, which: int, again: bool) -> None:
        worker, job = self.taken[which % len(self.taken)]
        if not again:
            self.taken.remove((worker, job))
        if job in self.truth:
            before = self.truth[job]
            self._apply(job, lambda j: states.claim(j, worker))
            if self.truth[job] != before:
                self.attempts.append((job, self.truth[job].attempt))

    @rule(which=st.integers(0, 50), wait=st.sampled_from([0.0, 30.0]))
    @precondition(lambda self: self.taken)
    def put_back(self, which: int, wait: float) -> None:
        self.core.queue.put_back(self.taken.pop(which % len(self.taken))[1], wait)

    @rule(which=st.integers(0, 50), images=st.integers(0, 8))
    @precondition(lambda self: self.attempts)
    def progress(self, which: int, images: int) -> None:
        job, attempt = self.attempts[which % len(self.attempts)]
        if job in self.truth:
            self._apply(job, lambda j: states.progress(j, attempt, images))

    @rule(which=st.integers(0, 50), how=st.sampled_from(["finish", "fail", "lose", "hand back"]), dies=st.booleans())
    @precondition(lambda self: self.attempts)
    def end(self, which: int, how: str, dies: bool) -> None:
        job, attempt = self.attempts[which % len(self.attempts)]
        if not dies:  # else it speaks again
            self.attempts.remove((job, attempt))
        ends = {
            "finish": lambda j: states.finish(j, attempt, ("w",)),
            "fail": lambda j: states.fail(j, attempt, "no-neck-bone", "none"),
            "lose": lambda j: states.lose(j, attempt, "blender-died", "gone", 5.0),
            "hand back": lambda j: states.hand_back(j, attempt, "paused", "is", 5.0),
        }
        if job in self.truth:
            self._apply(job, ends[how])

    @rule(which=st.integers(0, 50))
    @precondition(lambda self: self.attempts)
    def pulse(self, which: int) -> None:
        job, attempt = self.attempts[which % len(self.attempts)]
        order = self.core.queue.pulse(job, attempt)
        known = self.truth.get(job)
        own = known is not None and known.state.active and known.attempt == attempt
        assert (order is Instruction.STALE) == (not own)

    @rule(which=st.integers(0, 50), everything=st.booleans())
    def silence(self, which: int, everything: bool) -> None:
        leased = sorted(self.core.queue.leased())
        silent = leased if everything else leased[which % len(leased) :][:1] if leased else []
        for job in silent:
            self.core.silence(job)
        assert self.core.keeper.reap() == len(silent)
        for job in silent:
            before, after = self.truth[job], self.core.jobs.job(job)
            if before.state.active:
                assert after == states.lose(before, before.attempt, "worker-lost", after.error, after.attempts[-1].at)
                self.truth[job] = after
            else:
                assert after == before

    @rule()
    def time_passes(self) -> None:
        self.core.wait_is_over()
        self.core.queue.waiting(1)

    @rule(number=st.integers(0, 50), paused=st.booleans())
    @precondition(lambda self: self.truth)
    def pause(self, number: int, paused: bool) -> None:
        self.core.queue.set_paused(self._batch(number), paused)

    @rule(number=st.integers(0, 50), priority=st.integers(-2, 2))
    @precondition(lambda self: self.truth)
    def prioritise(self, number: int, priority: int) -> None:
        self.core.queue.set_priority(self._batch(number), priority)

    @rule(number=st.integers(0, 50), step=st.sampled_from([states.cancel, states.retry]))
    @precondition(lambda self: self.truth)
    def change_all(self, number: int, step: Callable[[Job], Job]) -> None:
        batch = self._batch(number)
        changed = {job.id: step(job) for job in self.truth.values() if job.batch == batch and step(job) != job}
        assert self.core.jobs.change_all(batch, step) == len(changed)
        self.truth.update(changed)

    @rule(which=st.integers(0, 50), step=st.sampled_from([states.cancel, states.retry]))
    @precondition(lambda self: self.truth)
    def change_one(self, which: int, step: Callable[[Job], Job]) -> None:
        self._apply(sorted(self.truth)[which % len(self.truth)], step)

    @rule(number=st.integers(0, 50))
    @precondition(lambda self: self.truth)
    def remove(self, number: int) -> None:
        batch = self._batch(number)
        if all(job.state.ended for job in self.truth.values() if job.batch == batch):
            self.core.jobs.remove_batch(batch)
            self.truth = {id_: job for id_, job in self.truth.items() if job.batch != batch}
        else:
            with pytest.raises(ConflictError):
                self.core.jobs.remove_batch(batch)

    @rule()
    def forget_scripts(self) -> None:
        self.core.connection.redis.script_flush()

    @invariant()
    def redis_says_what_the_pure_functions_say(self) -> None:
        for batch in {job.batch for job in self.truth.values()}:
            for job in self.core.jobs.jobs(batch):
                assert job == self.truth[job.id]
        assert audit(self.core.connection) == []

    def teardown(self) -> None:
        self.core.connection.redis.close()


def test_whatever_happens_redis_says_what_the_pure_functions_say(valkey_or_redis: str, tmp_path: Path) -> None:
    machine = type("FarmHere", (Farm,), {"url": valkey_or_redis, "folder": tmp_path})

    run_state_machine_as_test(machine, settings=settings(max_examples=20, stateful_step_count=50, deadline=None))
