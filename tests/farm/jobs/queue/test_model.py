"""Workers, users and a keeper in any order: Redis says what the pure functions say."""

from collections.abc import Callable
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

from farm.errors import ConflictError
from farm.jobs import states
from farm.jobs.queue import Instruction
from farm.jobs.states import Job, StaleAttempt, State
from tests.support.audit import audit
from tests.support.jobs import RECORD, make_core, new_jobs


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
