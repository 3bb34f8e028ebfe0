"""A worker's turn that ends well: the job is done, found, told of while it is drawn."""

import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from farm.jobs.states import State
from farm.worker.attempt import Rendered
from tests.farm.worker.attempt.bench import Bench, at_once
from tests.support.jobs import RECORD, Core, new_jobs


def test_a_worker_without_work_says_so(bench: Bench) -> None:
    assert not bench.work(at_once)


def test_a_job_that_is_drawn_is_done_with_its_warnings(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)

    assert bench.work(at_once)

    done = core.jobs.job(job.id)
    assert (done.state, done.attempt, done.worker, done.images_done) == (State.DONE, 1, "worker@a", 8)
    assert done.warnings == ("a warning",)
    (worker,) = core.workers.all()
    assert (worker.done, worker.renderer) == (1, "pretence")


def test_a_result_that_is_there_is_found_and_not_drawn_again(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)
    bench.renderer.found = Rendered(("from before",), 1)

    bench.work(at_once)

    assert core.jobs.job(job.id).warnings == ("from before",)
    assert bench.renderer.renderings == 0


@pytest.mark.parametrize("found", [False, True])
def test_what_was_announced_follows_what_the_pictures_allow(core: Core, bench: Bench, found: bool) -> None:
    # GIVEN a job that was ordered with ten samples of eight images, whose model shows targets enough for two
    job = replace(new_jobs(1, images=80)[0], samples=10)
    assert core.jobs.add_batch(job.batch, RECORD, [job], 0, False)
    bench.renderer.samples = 2
    bench.renderer.found = Rendered((), 2) if found else None
    announced: list[tuple[int, int]] = []

    def draw(images: Callable[[int], None]) -> None:
        images(8)
        announced.append((core.jobs.batch(job.batch).images_total, core.jobs.totals().backlog_images))
        images(16)

    # WHEN it is done
    bench.work(draw)

    # THEN job, batch and backlog say so, from the first image on
    done, batch = core.jobs.job(job.id), core.jobs.batch(job.batch)
    assert (done.state, done.samples, done.images_done, done.images_total) == (State.DONE, 2, 16, 16)
    assert (batch.images_done, batch.images_total, core.jobs.totals().backlog_images) == (16, 16, 0)
    assert announced == ([] if found else [(16, 8)])


def test_progress_is_known_while_the_job_is_drawn(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)
    seen: list[tuple[State, int]] = []

    def draw(images: Callable[[int], None]) -> None:
        for count in range(9):
            images(count)
            seen.append(((now := core.jobs.job(job.id)).state, now.images_done))
            time.sleep(0.2)

    bench.work(draw)

    assert seen[0] == (State.RENDERING, 0)
    assert seen[-1] == (State.UPLOADING, 8)
    assert len({count for _, count in seen}) >= 4
