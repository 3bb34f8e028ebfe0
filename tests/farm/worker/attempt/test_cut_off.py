"""A worker whose way to Redis breaks: it tells how its attempt ended when it can, and nothing counts against the job."""

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.queue import Queue
from farm.jobs.states import Job, State
from farm.jobs.store import JobStore
from farm.jobs.workers import Workers
from tests.farm.worker.attempt.bench import FOR_EVER, Bench, at_once
from tests.support.faults import Fault, FaultyProxy
from tests.support.jobs import Core
from tests.support.servers import PATIENCE_SECONDS, wait_until

LEASE_SECONDS = 3.0
"""The shortest. A worker gives an attempt up after two thirds of it."""
LONG = 3 * LEASE_SECONDS
"""For longer nobody would insist by the clock of one lease, or of two."""


@dataclass
class Line:
    """A worker that reaches the core through a proxy."""

    bench: Bench
    proxy: FaultyProxy


@pytest.fixture
def line(core: Core, fresh_redis: str, tmp_path: Path) -> Iterator[Line]:
    place = urlsplit(fresh_redis)
    with FaultyProxy("127.0.0.1", place.port or 0) as proxy:
        connection = Connection(f"redis://127.0.0.1:{proxy.port}{place.path}", LEASE_SECONDS)
        there = replace(
            core,
            connection=connection,
            jobs=JobStore(connection),
            queue=Queue(connection),
            workers=Workers(connection),
        )
        made = Bench(there)
        yield Line(made, proxy)
        proxy.fault = Fault.OK
        made.heart.stop()


def begun(line: Line) -> threading.Thread:
    """An attempt that draws for ever."""
    thread = threading.Thread(target=line.bench.work, args=(FOR_EVER,))
    thread.start()
    assert line.bench.renderer.begun.wait(PATIENCE_SECONDS)
    time.sleep(1.5)  # its first pulse
    return thread


@pytest.mark.parametrize("fault", [Fault.REFUSE, Fault.SILENT])
def test_a_worker_that_was_cut_off_for_long_takes_back_that_it_was_lost(core: Core, line: Line, fault: Fault) -> None:
    (job,) = core.add(1)
    thread = begun(line)

    line.proxy.fault = fault
    wait_until(lambda: core.keeper.reap() == 1, "the others missing it")
    assert core.jobs.job(job.id).losses == 1
    time.sleep(LONG)
    assert thread.is_alive()
    line.proxy.fault = Fault.OK
    thread.join(PATIENCE_SECONDS)

    after = core.jobs.job(job.id)
    assert (after.state, after.losses) == (State.QUEUED, 0)
    assert [(attempt.code, attempt.counted) for attempt in after.attempts] == [("worker-lost", False)]


def test_a_worker_hands_its_job_back_however_long_redis_was_away(
    core: Core, line: Line, caplog: pytest.LogCaptureFixture
) -> None:
    """Else the job would stand there until its lease has run out, and that would count."""
    (job,) = core.add(1)
    thread = begun(line)

    line.proxy.fault = Fault.REFUSE  # and nobody's clock goes on: no keeper runs
    time.sleep(2 * LONG)
    line.proxy.fault = Fault.OK
    thread.join(PATIENCE_SECONDS)

    after = core.jobs.job(job.id)
    assert (after.state, after.losses) == (State.QUEUED, 0)
    assert [(attempt.code, attempt.counted) for attempt in after.attempts] == [("lease-unsure", False)]
    assert caplog.text.count("the lease is not prolonged") == 1  # and not once a second


def test_who_is_told_to_stop_does_not_wait_for_redis_for_ever(core: Core, line: Line) -> None:
    core.add(1)
    thread = begun(line)

    line.proxy.fault = Fault.REFUSE
    line.bench.told_to_stop = True

    thread.join(PATIENCE_SECONDS)
    assert not thread.is_alive()


def test_a_claim_whose_answer_is_lost_is_ours(core: Core, line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    (job,) = core.add(1)
    claim = states.claim

    def heard_by_nobody(job: Job, worker: str) -> Job:
        monkeypatch.setattr(states, "claim", claim)
        line.proxy.fault = Fault.LOSE_ANSWER
        return claim(job, worker)

    def mend() -> None:
        wait_until(lambda: line.proxy.seen[Fault.LOSE_ANSWER] > 0, "an answer being lost")
        assert core.jobs.job(job.id).state is State.LEASED
        line.proxy.fault = Fault.OK

    monkeypatch.setattr(states, "claim", heard_by_nobody)
    mending = threading.Thread(target=mend)
    mending.start()
    assert line.bench.work(at_once)
    mending.join()

    after = core.jobs.job(job.id)
    assert (after.state, after.attempt, after.attempts) == (State.DONE, 1, ())
