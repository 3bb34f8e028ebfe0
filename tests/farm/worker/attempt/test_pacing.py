"""A worker tells how fast it draws: what it drew itself, in the time that it took."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from farm.errors import RenderError
from farm.jobs import states
from farm.jobs.connection import Connection
from farm.jobs.demand import Demands
from farm.jobs.workers import Workers
from farm.stack import free_port
from farm.worker import pacing
from farm.worker.attempt import Rendered
from tests.farm.worker.attempt.bench import Bench, at_once, drawing_for, failing
from tests.support.jobs import RECORD, Core, new_jobs


def told(core: Core) -> tuple[int, float]:
    """Images and seconds that workers have reported."""
    redis = core.connection.redis
    images, seconds = redis.hvals("farm:pace:images"), redis.hvals("farm:pace:seconds")
    return sum(map(int, images)), sum(map(float, seconds))


def test_a_job_that_is_done_counts_with_all_its_images_and_all_its_time(core: Core, bench: Bench) -> None:
    core.add(2)

    begun = time.monotonic()
    bench.work(drawing_for(0.3))
    bench.work(drawing_for(0.3))

    images, seconds = told(core)
    assert images == 16
    assert 0.6 <= seconds <= time.monotonic() - begun


def test_what_was_found_or_failed_says_nothing_of_the_speed(core: Core, bench: Bench) -> None:
    core.add(2)
    bench.work(failing(RenderError("It cannot be drawn.")))
    bench.renderer.found = Rendered((), 1)
    bench.work(at_once)

    assert told(core) == (0, 0.0)
    assert not Demands(core.connection).pace(400.0).measured


def test_what_an_earlier_attempt_drew_is_not_counted_again(core: Core, bench: Bench) -> None:
    # GIVEN a job of which an attempt drew 70 of 80 images before it was handed back
    job = replace(new_jobs(1, images=80)[0], samples=10)
    assert core.jobs.add_batch(job.batch, RECORD, [job], 0, False)
    begun = core.begin("worker@other")
    core.jobs.change(job.id, lambda j: states.progress(j, begun.attempt, 70))
    core.jobs.change(job.id, lambda j: states.hand_back(j, begun.attempt, "worker-stopped", "x", 1.0, 0.0, True))
    bench.renderer.samples = 10

    # WHEN the next begins with those
    def draw(images: Callable[[int], None]) -> None:
        for count in (70, 75, 80):
            images(count)

    bench.work(draw)

    # THEN it tells of the ten that are its own
    assert told(core)[0] == 10


def test_a_long_attempt_tells_from_time_to_time(core: Core, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pacing, "_REPORT_SECONDS", 0.1)
    core.add(1)
    seen: list[int] = []

    def draw(images: Callable[[int], None]) -> None:
        for count in range(1, 9):
            time.sleep(0.06)
            images(count)
            seen.append(told(core)[0])

    bench.work(draw)

    assert 0 < seen[3] < seen[-1]
    assert told(core)[0] == 8


def test_a_redis_that_is_away_ends_no_attempt(caplog: pytest.LogCaptureFixture) -> None:
    away = pacing.Pacing(Workers(Connection(f"redis://127.0.0.1:{free_port()}/0")), "worker@a", resumed=False)
    away.drawn(8)

    away.end()

    assert "the worker's speed is not told" in caplog.text
