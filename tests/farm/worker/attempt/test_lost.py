"""A worker's turn whose lease, job or Redis is lost meanwhile."""

import json
import socket
import subprocess
import threading
import time
from pathlib import Path

from farm.jobs import states
from farm.jobs.states import Job, State
from farm.process import spawn
from farm.stack import free_port
from farm.valkey import valkey_command
from tests.farm.worker.attempt.bench import FOR_EVER, Bench, at_once, drawing_for
from tests.support import servers
from tests.support.audit import audit
from tests.support.jobs import Core, make_core


def give_to_another(core: Core, job: Job) -> None:
    """The job's lease runs out, and another worker does it, with a warning."""
    core.silence(job.id)
    core.keeper.reap()
    core.wait_is_over()
    other = core.begin("worker@b")
    core.jobs.change(job.id, lambda j: states.finish(j, other.attempt, ("the other's",)))


def test_an_attempt_whose_lease_ran_out_stops_and_has_no_say(core: Core, bench: Bench) -> None:
    """GIVEN a job thought lost and done by another WHEN the first worker wakes up THEN it stops, and the other counts."""
    (job,) = core.add(1)

    bench.end_early(FOR_EVER, lambda: give_to_another(core, job))

    after = core.jobs.job(job.id)
    assert (after.state, after.worker, after.attempt, after.warnings) == (State.DONE, "worker@b", 2, ("the other's",))


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


def test_that_a_lost_worker_is_back_is_no_second_end_of_its_job(core: Core, bench: Bench) -> None:
    """GIVEN a job that another has done meanwhile WHEN the first worker takes back that it was lost THEN it is done once."""
    (job,) = core.add(1)

    bench.end_early(FOR_EVER, lambda: give_to_another(core, job))

    assert core.jobs.job(job.id).losses == 0
    events = [
        json.loads(event["data"]) for _, event in core.connection.redis.xrange("farm:events") if event["kind"] == "job"
    ]
    assert [event["state"] for event in events].count("done") == 1
