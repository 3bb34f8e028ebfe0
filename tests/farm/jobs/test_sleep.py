"""Clocks that jump and machines that sleep count against no job: a real Valkey whose clock is set, or that stands still."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from farm import pipe
from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.keeper import Keeper
from farm.jobs.queue import Instruction
from farm.jobs.states import MAX_FORGIVEN, State
from farm.process import spawn
from farm.stack import free_port
from farm.valkey import redis_answers, valkey_command
from tests.support import servers
from tests.support.audit import audit
from tests.support.clocks import ABSENT, Clock, can_set_clocks
from tests.support.jobs import Core, make_core

HOUR, YEAR = 3600, 366 * 86400


@dataclass
class Clocked:
    """The control plane on a Valkey whose clock can be set."""

    core: Core
    url: str
    process: "subprocess.Popen[bytes]"
    clock: Clock

    def jump(self, seconds: int) -> None:
        """Set the server's clock to so many seconds from the true time."""
        self.clock.set(seconds)
        servers.wait_until(lambda: abs(self.core.connection.now() - time.time() - seconds) < 60, "the clock being set")


@pytest.fixture
def clocked(tmp_path: Path) -> Iterator[Clocked]:
    if not can_set_clocks():
        pytest.skip(ABSENT)
    clock, port = Clock(tmp_path / "clock"), free_port()
    options = ["--bind", "127.0.0.1", "--port", str(port), "--save", "", "--dir", str(tmp_path)]
    process = spawn([*valkey_command(), *options], tmp_path / "log", clock.environment)
    try:
        servers.wait_until(lambda: redis_answers(port), "Valkey answering")
        url = f"redis://127.0.0.1:{port}/0"
        core = make_core(url, tmp_path)
        yield Clocked(core, url, process, clock)
        assert audit(core.connection) == []
    finally:
        servers.end(process)


def test_a_lease_outlives_every_jump_of_the_clock(clocked: Clocked) -> None:
    core = clocked.core
    (job,) = core.add(1)
    claimed = core.begin()

    for seconds in (HOUR, -HOUR, YEAR, 0):
        clocked.jump(seconds)

        assert core.keeper.reap() == 0
        assert core.queue.pulse(job.id, claimed.attempt) is Instruction.GO_ON
    core.jobs.change(job.id, lambda j: states.finish(j, claimed.attempt))
    assert core.jobs.job(job.id).attempts == ()


def test_the_shortest_lease_outlives_a_jump_too_and_still_runs_out(clocked: Clocked, tmp_path: Path) -> None:
    """GIVEN a lease of three seconds, the shortest WHEN the clock goes back THEN it neither ends now nor in a year."""
    connection = Connection(clocked.url, lease_seconds=3)
    core = make_core(clocked.url, tmp_path)
    (job,) = core.add(1)
    core.begin("worker@dead")
    connection.run("pulse", job.id, 1, 3)

    clocked.jump(-YEAR)
    assert core.queue.overdue(9) == []

    servers.wait_until(lambda: core.queue.overdue(9) == [job.id], "the lease of a dead worker running out", 20)
    assert core.keeper.reap() == 1


def test_what_waits_comes_when_it_should_after_the_clock_went_back(clocked: Clocked) -> None:
    core = clocked.core
    (job,) = core.add(1)
    claimed = core.begin()
    core.jobs.change(job.id, lambda j: states.hand_back(j, claimed.attempt, "paused", "It was.", 1.0, wait=1.0))

    clocked.jump(-HOUR)

    servers.wait_until(lambda: core.queue.waiting(9) == 1, "the wait being over", 20)


def test_history_drains_and_workers_outlive_a_jump(clocked: Clocked) -> None:
    core = clocked.core
    (job,) = core.add(1)
    core.jobs.change(job.id, states.cancel)
    core.workers.register("worker@a", 1)
    core.workers.drain("worker@a", "The operator wants it.")

    clocked.jump(YEAR)

    assert core.keeper.prune() == 0
    assert core.jobs.has_batch(job.batch)
    (worker,) = core.workers.all()
    assert (worker.alive, worker.drained) == (True, "The operator wants it.")


def test_the_mark_of_a_dead_keeper_ends_though_the_clock_went_back(clocked: Clocked) -> None:
    core = clocked.core
    other = Keeper(core.connection, core.book, core.tickets, 30.0, "other")
    assert core.keeper._mine("farm:keeper")
    clocked.jump(-HOUR)  # and the keeper that has the mark is never heard of again

    servers.wait_until(lambda: other._mine("farm:keeper"), "the other keeper's turn", 20)


def test_leases_outlive_a_redis_that_stands_still(clocked: Clocked) -> None:
    """GIVEN a lease of three seconds WHEN server and workers stand still for five, as on one machine that sleeps."""
    connection = clocked.core.connection
    (job,) = clocked.core.add(1)
    clocked.core.begin()
    connection.run("pulse", job.id, 1, 3)

    os.kill(clocked.process.pid, signal.SIGSTOP)
    time.sleep(5)
    os.kill(clocked.process.pid, signal.SIGCONT)

    assert clocked.core.keeper.reap() == 0


def test_who_was_thought_lost_and_speaks_takes_it_back(clocked: Clocked) -> None:
    # GIVEN a job that was quarantined since its workers fell silent three times
    core = clocked.core
    (job,) = core.add(1)
    for _ in range(3):
        core.wait_is_over()
        core.begin()
        core.silence(job.id)
        core.keeper.reap()
    assert core.jobs.job(job.id).state is State.QUARANTINED
    assert core.jobs.batch(job.batch).ended

    # WHEN the last of them speaks THEN the job is queued again, with an attempt left
    again = core.jobs.change(job.id, lambda j: states.forgive(j, 3))

    assert (again.state, again.losses) == (State.QUEUED, 2)
    assert not core.jobs.batch(job.batch).ended
    assert core.take().job == job.id

    # AND one that is handed out at the moment in which another speaks stays handed out
    core.jobs.change(job.id, lambda j: states.forgive(j, 2))
    assert core.queue.leased() == [job.id]
    assert core.jobs.job(job.id).losses == 1


def test_a_job_at_which_worker_after_worker_falls_silent_is_not_forgiven_for_ever(clocked: Clocked) -> None:
    core = clocked.core
    (job,) = core.add(1)
    while core.jobs.job(job.id).state is not State.QUARANTINED:
        core.wait_is_over()
        attempt = core.begin().attempt
        core.silence(job.id)
        core.keeper.reap()
        core.jobs.change(job.id, lambda j, a=attempt: states.forgive(j, a))  # type: ignore[misc]

    assert attempt == MAX_FORGIVEN + 3
    core.jobs.change(job.id, states.cancel)


WAITING = """
import sys
from farm import pipe
print("waits", flush=True)
try:
    print(pipe.receive(0, 6)[0].what, flush=True)
except pipe.Silent:
    print("silent", flush=True)
"""


def test_blender_is_not_called_silent_for_the_time_in_which_all_slept(tmp_path: Path) -> None:
    reading, writing = pipe.create()
    waiting = subprocess.Popen([sys.executable, "-c", WAITING], stdin=reading, stdout=subprocess.PIPE, text=True)
    assert waiting.stdout is not None
    assert waiting.stdout.readline() == "waits\n"

    os.kill(waiting.pid, signal.SIGSTOP)
    time.sleep(7)
    os.kill(waiting.pid, signal.SIGCONT)
    time.sleep(0.5)
    pipe.send(writing, pipe.Finished())

    assert waiting.communicate(timeout=servers.PATIENCE_SECONDS)[0] == "finished\n"
