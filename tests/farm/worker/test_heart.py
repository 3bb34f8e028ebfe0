"""The heart alone: what it decides, when Redis answers, when it does not, and when something breaks."""

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from farm.drawing.render import Interrupted
from farm.errors import BlenderTimeoutError, FarmError
from farm.jobs.connection import Connection
from farm.jobs.queue import PULSE_SECONDS, Instruction, Queue
from farm.jobs.states import StaleAttempt
from farm.worker.heart import Heart
from tests.support import servers
from tests.support.jobs import Core, make_core


class DrawingProcess:
    """`farm.worker.heart.DrawingProcess` that notes what it is told."""

    def __init__(self) -> None:
        self.memory: Callable[[], int] = lambda: 0
        self.told: list[FarmError] = []

    def resident(self) -> int:
        return self.memory()

    def interrupt(self, error: FarmError) -> None:
        self.told.append(error)


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Core:
    return make_core(fresh_redis, tmp_path)


@pytest.fixture
def process() -> DrawingProcess:
    return DrawingProcess()


@pytest.fixture
def heart(core: Core, process: DrawingProcess) -> Iterator[Heart]:
    made = Heart(core.queue, process, lambda: False, 60.0, 2**30)
    made.start()
    yield made
    made.stop()


def verdict(heart: Heart) -> FarmError:
    """What the attempt hears, sooner or later."""
    until = time.monotonic() + servers.PATIENCE_SECONDS
    while time.monotonic() < until:
        try:
            heart.check()
        except FarmError as error:
            return error
        time.sleep(0.02)
    raise AssertionError("the heart says nothing")


def test_it_prolongs_the_lease_every_second(core: Core, heart: Heart) -> None:
    job = core.begin() if core.add(1) else None
    assert job is not None
    core.silence(job.id)
    heart.begin(job.id, job.attempt)

    servers.wait_until(lambda: core.queue.overdue(1) == [], "the lease being prolonged")
    heart.check()


def test_a_wall_clock_that_jumps_costs_no_lease(core: Core, heart: Heart, monkeypatch: pytest.MonkeyPatch) -> None:
    """Leases end by Redis' clock, and what waits here goes by one that nobody sets."""
    core.add(1)
    job = core.begin()
    heart.begin(job.id, job.attempt)
    right = time.time

    for jump in (7200.0, -7200.0, 90_000.0):
        monkeypatch.setattr(time, "time", lambda jump=jump: right() + jump)
        core.silence(job.id)
        servers.wait_until(lambda: core.queue.overdue(1) == [], "the lease being prolonged")
        left = core.connection.redis.zscore("farm:leases", job.id) - core.connection.now()
        assert 0 < left <= core.queue.lease_seconds
        assert core.keeper.reap() == 0
        heart.check()

    assert core.jobs.job(job.id).attempts == ()


def test_it_lets_a_lease_go_when_the_attempt_is_over(core: Core, heart: Heart, process: DrawingProcess) -> None:
    core.add(1)
    job = core.begin()
    heart.begin(job.id, job.attempt)
    heart.end()
    core.silence(job.id)

    time.sleep(2.2)

    assert core.queue.overdue(1) == [job.id]
    heart.check()
    assert process.told == []


def test_what_was_said_to_one_attempt_is_not_said_to_the_next(core: Core, heart: Heart) -> None:
    core.add(1)
    job = core.begin()
    heart.begin(job.id, 99)
    assert isinstance(verdict(heart), StaleAttempt)

    heart.begin(job.id, job.attempt)

    heart.check()


def test_who_does_not_listen_is_killed_after_three_seconds_with_the_same_reason(
    core: Core, heart: Heart, process: DrawingProcess
) -> None:
    begun = time.monotonic()
    heart.begin("batch-0", 1)
    reason = verdict(heart)

    servers.wait_until(lambda: bool(process.told), "the interruption")

    assert time.monotonic() - begun > 3
    assert process.told[0] is reason


def test_over_the_wall_limit_it_kills_at_once(core: Core, process: DrawingProcess) -> None:
    core.add(1)
    job = core.begin()
    heart = Heart(core.queue, process, lambda: False, 1.2, 2**30)
    heart.start()
    heart.begin(job.id, job.attempt)

    servers.wait_until(lambda: bool(process.told), "the interruption")

    heart.stop()
    assert isinstance(process.told[0], BlenderTimeoutError)


@pytest.mark.parametrize("how", ["refuses", "hangs"])
def test_before_an_unheard_lease_runs_out_the_attempt_must_end(
    tmp_path: Path, process: DrawingProcess, how: str
) -> None:
    """GIVEN a lease of 12 s WHEN Redis goes away THEN the attempt is told so after 8 s, not before.

    While Redis hangs nobody else can have the job, and each question takes as long as it may.
    """
    import os
    import signal

    with servers.redis_server(tmp_path / "valkey") as url:
        connection = Connection(url, 12.0)
        asked = 0

        class Counting(Queue):
            def pulse(self, job: str, attempt: int) -> Instruction:
                nonlocal asked
                asked += 1
                return super().pulse(job, attempt)

        heart = Heart(Counting(connection), process, lambda: False, 60.0, 2**30)
        core = make_core(url, tmp_path / "orders")
        core.add(1)
        job = core.begin()
        heart.start()
        heart.begin(job.id, job.attempt)
        core.silence(job.id)
        servers.wait_until(lambda: core.queue.overdue(1) == [], "the first beat")
        server = connection.redis.info("server")["process_id"]
        os.kill(server, signal.SIGKILL if how == "refuses" else signal.SIGSTOP)
        begun, before = time.monotonic(), asked

        told = verdict(heart)

        assert isinstance(told, Interrupted)
        assert told.code == "lease-unsure"
        assert time.monotonic() - begun > 8 - 2 * PULSE_SECONDS
        assert (
            asked - before <= 8 / PULSE_SECONDS + 2
        )  # a question a second at most: it asked in vain for 8 s, not for 12
        if how == "hangs":
            os.kill(server, signal.SIGCONT)
        heart.stop()


def test_trouble_of_its_own_does_not_stop_it(core: Core, heart: Heart, process: DrawingProcess) -> None:
    core.add(1)
    job = core.begin()
    broken = threading.Event()

    def breaks() -> int:
        broken.set()
        raise OSError("/proc is not there")

    process.memory = breaks
    heart.begin(job.id, job.attempt)
    assert broken.wait(servers.PATIENCE_SECONDS)
    core.silence(job.id)

    servers.wait_until(lambda: core.queue.overdue(1) == [], "the lease being prolonged")
    heart.check()
