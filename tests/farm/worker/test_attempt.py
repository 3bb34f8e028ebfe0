"""A worker's turn, with the real queue and heart and a renderer that only pretends: every outcome becomes a state."""

import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

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
from farm.jobs.states import Job, State
from farm.jobs.workers import MAX_BLAME
from farm.process import spawn
from farm.spec import RenderSpec
from farm.stack import free_port, valkey_command
from farm.worker.attempt import JobRunner, Rendered
from farm.worker.heart import Heart
from tests.support import servers
from tests.support.audit import audit
from tests.support.jobs import RECORD, Core, make_core, new_jobs

type Behaviour = Callable[[Callable[[int], None]], None]


class PretendingRenderer:
    """`farm.worker.attempt.Renderer` that does what a test wants instead of drawing."""

    name = "pretence"

    def __init__(self, behaviour: Behaviour) -> None:
        self.behaviour = behaviour
        self.found: Rendered | None = None
        self.samples: int | None = None
        """What comes of the job's samples, where that is not what was ordered."""
        self.memory = 0
        self.begun = threading.Event()
        self.renderings = 0
        self._interrupted = threading.Event()
        self._reason: FarmError | None = None

    def find(self, job: Job) -> Rendered | None:
        return self.found

    def render(self, job: Job, spec: RenderSpec, images: Callable[[int, int], None]) -> Rendered:
        assert spec.seed == 7
        self.renderings += 1
        self._interrupted.clear()
        self.begun.set()
        samples = self.samples or job.samples
        self.behaviour(lambda count: images(count, samples))
        return Rendered(("a warning",), samples)

    def hang(self, images: Callable[[int], None]) -> None:
        """Behaviour of a Blender that does not answer: only killing it helps."""
        assert self._interrupted.wait(servers.PATIENCE_SECONDS)
        assert self._reason is not None
        raise self._reason

    def resident(self) -> int:
        return self.memory

    def interrupt(self, error: FarmError) -> None:
        self._reason = error
        self._interrupted.set()


def at_once(images: Callable[[int], None]) -> None:
    images(8)


def drawing_for(seconds: float) -> Behaviour:
    """Draws a picture every 20 ms, and the last of 8 after `seconds`."""

    def draw(images: Callable[[int], None]) -> None:
        begun = time.monotonic()
        while (share := (time.monotonic() - begun) / seconds) < 1:
            images(int(7 * share))
            time.sleep(0.02)
        images(8)

    return draw


FOR_EVER = drawing_for(10 * servers.PATIENCE_SECONDS)


def failing(error: Exception) -> Behaviour:
    def draw(images: Callable[[int], None]) -> None:
        images(3)
        raise error

    return draw


class Bench:
    """A runner at work on the core."""

    def __init__(self, core: Core, worker: str = "worker@a", job_seconds: float = 60.0) -> None:
        self.core = core
        self.renderer = PretendingRenderer(at_once)
        self.told_to_stop = False
        self.heart = Heart(core.queue, self.renderer, lambda: self.told_to_stop, job_seconds, 2**30)
        self.heart.start()
        self.runner = JobRunner(worker, core.jobs, core.queue, core.workers, self.renderer, self.heart)
        core.workers.register(worker, 1)

    def work(self, behaviour: Behaviour) -> bool:
        self.renderer.behaviour = behaviour
        return self.runner.work()

    def end_early(self, behaviour: Behaviour, when_begun: Callable[[], object]) -> float:
        """Do a job that takes for ever, and something while it is drawn that is to end it; how long that took."""
        thread = threading.Thread(target=self.work, args=(behaviour,))
        thread.start()
        assert self.renderer.begun.wait(servers.PATIENCE_SECONDS)
        when_begun()
        begun = time.monotonic()
        thread.join(servers.PATIENCE_SECONDS)
        assert not thread.is_alive()
        return time.monotonic() - begun


@pytest.fixture
def core(fresh_redis: str, tmp_path: Path) -> Iterator[Core]:
    made = make_core(fresh_redis, tmp_path)
    yield made
    assert audit(made.connection) == []


@pytest.fixture
def bench(core: Core) -> Iterator[Bench]:
    made = Bench(core)
    yield made
    made.heart.stop()


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


@pytest.mark.parametrize("how", ["cancel", "pause", "stop"])
def test_an_attempt_that_is_to_end_ends_in_the_middle_of_its_drawing(core: Core, bench: Bench, how: str) -> None:
    (job,) = core.add(1)

    def act() -> None:
        match how:
            case "cancel":
                core.jobs.change_all(job.batch, states.cancel)
            case "pause":
                core.queue.set_paused(job.batch, True)
            case "stop":
                bench.told_to_stop = True

    bench.end_early(FOR_EVER, act)

    after = core.jobs.job(job.id)
    expected = {
        "cancel": (State.CANCELLED, ""),
        "pause": (State.QUEUED, "paused"),
        "stop": (State.QUEUED, "worker-stopped"),
    }
    assert (after.state, after.error_code) == expected[how]
    assert after.losses == 0
    assert core.queue.waiting(9) == (1 if how == "stop" else 0)


def test_a_worker_yields_to_a_batch_of_higher_priority_and_takes_it_next(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)
    urgent: list[Job] = []

    bench.end_early(FOR_EVER, lambda: urgent.extend(core.add(1, priority=5)))

    assert core.jobs.job(job.id).error_code == "yielded"
    bench.work(at_once)
    assert core.jobs.job(urgent[0].id).state is State.DONE


def test_a_blender_that_does_not_listen_is_killed(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)

    seconds = bench.end_early(bench.renderer.hang, lambda: core.jobs.change_all(job.batch, states.cancel))

    assert seconds > 2  # it had time to listen
    assert core.jobs.job(job.id).state is State.CANCELLED


def test_an_attempt_over_the_wall_limit_is_killed_and_counts(core: Core) -> None:
    (job,) = core.add(1)
    bench = Bench(core, job_seconds=1.5)

    bench.end_early(bench.renderer.hang, lambda: None)

    bench.heart.stop()
    after = core.jobs.job(job.id)
    assert (after.state, after.error_code, after.losses) == (State.QUEUED, "blender-timeout", 1)
    assert "FARM_JOB_SECONDS" in after.error


def test_a_blender_over_the_memory_limit_is_killed_and_counts(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)
    bench.renderer.memory = 2**31

    bench.end_early(bench.renderer.hang, lambda: None)

    after = core.jobs.job(job.id)
    assert (after.state, after.error_code, after.losses) == (State.QUEUED, "blender-memory", 1)
    assert "2.0 GiB of memory, over the limit of 1.0" in after.error


def test_an_attempt_whose_lease_ran_out_stops_and_has_no_say(core: Core, bench: Bench) -> None:
    """GIVEN a job thought lost and done by another WHEN the first worker wakes up THEN it stops, and the other counts."""
    (job,) = core.add(1)

    def give_to_another() -> None:
        core.silence(job.id)
        core.keeper.reap()
        core.wait_is_over()
        other = core.begin("worker@b")
        core.jobs.change(job.id, lambda j: states.finish(j, other.attempt, ("the other's",)))

    bench.end_early(FOR_EVER, give_to_another)

    after = core.jobs.job(job.id)
    assert (after.state, after.worker, after.attempt, after.warnings) == (State.DONE, "worker@b", 2, ("the other's",))


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


def test_a_job_cancelled_right_after_it_was_taken_is_let_go(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)
    taken = core.take("worker@a")
    core.jobs.change(job.id, states.cancel)

    assert bench.runner._claimed(taken) is None


def test_a_redis_that_was_wiped_ends_the_attempt_quietly(core: Core, bench: Bench) -> None:
    core.add(1)

    bench.end_early(FOR_EVER, core.connection.redis.flushall)

    assert bench.runner.losses == 0
    assert not bench.work(at_once)


def _start(folder: Path, port: int) -> "subprocess.Popen[bytes]":
    options = ["--bind", "127.0.0.1", "--port", str(port), "--dir", str(folder), "--save", "", "--appendonly", "yes"]
    process = spawn([*valkey_command(), *options], folder / "log")

    def answers() -> bool:
        try:
            with socket.create_connection(("127.0.0.1", port), 1) as probe:
                probe.sendall(b"PING\r\n")
                return probe.recv(5) == b"+PONG"
        except OSError:
            return False

    servers.wait_until(answers, "Redis answering")
    return process


def test_an_attempt_outlives_a_redis_that_is_killed_and_comes_back_after_five_seconds(tmp_path: Path) -> None:
    port = free_port()
    process = _start(tmp_path, port)
    try:
        core = make_core(f"redis://127.0.0.1:{port}/0", tmp_path / "orders")
        bench = Bench(core)
        (job, other) = core.add(2)
        thread = threading.Thread(target=bench.work, args=(drawing_for(6),))
        thread.start()
        assert bench.renderer.begun.wait(servers.PATIENCE_SECONDS)
        time.sleep(1.5)  # the drawing ends while Redis is away

        servers.end(process)
        time.sleep(5)
        assert not Bench.work(bench, at_once) or thread.is_alive()
        process = _start(tmp_path, port)
        thread.join(servers.PATIENCE_SECONDS)

        after = core.jobs.job(job.id)
        assert (after.state, after.attempt, after.attempts) == (State.DONE, 1, ())
        assert bench.work(at_once)
        assert core.jobs.job(other.id).state is State.DONE
        assert audit(core.connection) == []
        bench.heart.stop()
    finally:
        servers.end(process)


def test_a_worker_that_was_asleep_and_lost_its_job_meanwhile_costs_it_no_attempt(core: Core, bench: Bench) -> None:
    (job,) = core.add(1)

    def sleeps() -> None:
        core.silence(job.id)
        assert core.keeper.reap() == 1

    bench.end_early(drawing_for(600), sleeps)

    after = core.jobs.job(job.id)
    assert (after.state, after.losses) == (State.QUEUED, 0)
    assert [(attempt.code, attempt.counted) for attempt in after.attempts] == [("worker-lost", False)]
