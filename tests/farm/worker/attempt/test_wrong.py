"""What goes wrong in a worker's turn: every outcome becomes a state, and the worker or the job is to blame."""

import time
from collections.abc import Callable

import pytest

from farm.errors import (
    BlenderDiedError,
    BlenderStartError,
    FarmError,
    MappingError,
    ModelError,
    NotFoundError,
    RenderError,
    ServiceError,
    StorageError,
)
from farm.jobs import states
from farm.jobs.states import State
from farm.jobs.workers import MAX_BLAME
from farm.worker.attempt import JobRunner
from tests.farm.worker.attempt.bench import Bench, at_once, failing
from tests.support.jobs import Core


@pytest.mark.parametrize(
    ("error", "state", "code", "losses"),
    [
        (ModelError("No face."), State.FAILED, "model", 0),
        (RenderError("Cannot be drawn."), State.FAILED, "render-failed", 0),
        (MappingError("No such morph."), State.FAILED, "mapping-refused", 0),
        (BlenderDiedError("It died."), State.QUEUED, "blender-died", 1),
        (NotFoundError("The package is gone."), State.QUEUED, "not-found", 1),
        (ZeroDivisionError("a bug"), State.QUEUED, "internal-error", 1),
        (ServiceError("The store is away."), State.QUEUED, "service-unavailable", 0),
        (StorageError("The store lost it."), State.QUEUED, "storage", 0),
        (OSError(28, "No space left on device"), State.QUEUED, "worker-disk", 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_way_to_go_wrong_has_its_outcome(
    core: Core, bench: Bench, error: Exception, state: State, code: str, losses: int
) -> None:
    (job,) = core.add(1)
    if isinstance(error, FarmError):
        error.log = "the end of the log"

    bench.work(failing(error))

    after = core.jobs.job(job.id)
    assert (after.state, after.error_code, after.losses) == (state, code, losses)
    assert str(error) in after.error
    logged = isinstance(error, ModelError | MappingError | RenderError | BlenderDiedError | NotFoundError)
    assert core.jobs.log(job.id) == ("the end of the log" if logged else "")
    assert core.queue.leased() == []


def test_a_model_that_always_kills_blender_is_quarantined_after_three_attempts_and_the_rest_is_done(
    core: Core, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobRunner, "_rest", lambda runner: None)
    poison, *others = core.add(4)

    def draw(images: Callable[[int], None]) -> None:
        if core.jobs.job(poison.id).state.active:
            raise BlenderDiedError("Blender ended (signal SIGSEGV).")
        images(8)

    for _ in range(3):
        core.wait_is_over()
        bench.work(draw)
    while bench.work(draw):
        pass

    after = core.jobs.job(poison.id)
    assert (after.state, after.error_code, after.attempt) == (State.QUARANTINED, "blender-died", 3)
    assert [core.jobs.job(job.id).state for job in others] == [State.DONE] * 3
    assert core.jobs.batch(poison.batch).errors == {"blender-died": 1}


def test_services_that_are_away_make_a_job_wait_longer_each_time(
    core: Core, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(JobRunner, "_rest", lambda runner: None)
    (job,) = core.add(1)
    waits = []
    for _ in range(8):
        core.wait_is_over()
        assert bench.work(failing(ServiceError("The store is away.")))
        waits.append(core.jobs.job(job.id).wait)

    assert waits == [2, 4, 8, 16, 32, 60, 60, 60]


def test_a_worker_whose_blender_does_not_start_drains_itself_and_no_job_is_to_blame(
    core: Core, bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    (job,) = core.add(1)
    core.workers.register(bench.runner.worker, 1)
    monkeypatch.setattr(time, "sleep", lambda seconds: None)
    for _ in range(MAX_BLAME):
        assert core.workers.drained(bench.runner.worker) == ""
        core.wait_is_over()
        assert bench.work(failing(BlenderStartError("Blender does not start (exit code 1).")))

    assert "does not start" in core.workers.drained(bench.runner.worker)
    after = core.jobs.job(job.id)
    assert (after.state, after.losses, after.error_code) == (State.QUEUED, 0, "blender-not-starting")
    core.wait_is_over()
    assert not bench.work(at_once)


def test_a_worker_on_which_all_breaks_down_slows_itself_and_success_makes_it_quick_again(
    core: Core, bench: Bench
) -> None:
    core.add(3)
    bench.work(failing(BlenderDiedError("x")))
    begun = time.monotonic()
    bench.work(failing(BlenderDiedError("x")))
    assert time.monotonic() - begun >= 2
    assert bench.runner.losses == 2

    bench.work(at_once)

    assert bench.runner.losses == 0


def test_a_job_that_broke_down_here_is_left_to_others_for_a_minute(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)
    core.workers.register("worker@b", 1)
    bench.work(failing(BlenderDiedError("x")))
    core.wait_is_over()

    assert bench.work(at_once)
    assert core.jobs.job(job.id).attempt == 1
    assert core.queue.take("worker@b") is None  # for three seconds: another job may be better
    core.wait_is_over()
    assert core.begin("worker@b").attempt == 2


@pytest.mark.parametrize("others", ["none", "drained", "long ago"])
def test_a_job_that_broke_down_here_is_taken_again_where_nobody_else_could_or_a_minute_has_passed(
    core: Core, bench: Bench, others: str
) -> None:
    (job,) = core.add(1)
    if others != "none":
        core.workers.register("worker@b", 1)
    if others == "drained":
        core.workers.drain("worker@b", "is looked at")
    core.begin("worker@a")
    at = core.connection.now() - (61 if others == "long ago" else 0)
    core.jobs.change(job.id, lambda j: states.lose(j, 1, "blender-died", "x", at))
    core.wait_is_over()

    bench.work(at_once)

    assert core.jobs.job(job.id).state is State.DONE
