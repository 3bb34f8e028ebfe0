"""One disturbance a test. Each ends with the same three things: every byte as in the undisturbed run, every job done exactly
once, nothing lost or left over.
"""

import os
import resource
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest

from farm.jobs.states import State
from farm.models.package import Package
from tests.chaos.conftest import LONG, SHORT
from tests.chaos.farm import Farm, Results, farm_under_test
from tests.chaos.processes import blenders, pool, signal_all
from tests.support.clocks import ABSENT, Clock, can_set_clocks
from tests.support.faults import Fault
from tests.support.servers import PATIENCE_SECONDS, S3Server, wait_until

pytestmark = pytest.mark.blender


def attempts(farm: Farm, batch: str) -> list[tuple[str, bool]]:
    """The code of every attempt that ended without a result, and whether it counts against its job."""
    return [(attempt.code, attempt.counted) for job in farm.jobs(batch) for attempt in job.attempts]


def test_blender_killed_in_the_middle_of_a_sample(
    packages: list[Package], long_results: Results, tmp_path: Path
) -> None:
    with farm_under_test(tmp_path) as farm:
        batch = farm.submit(packages[:1], LONG)
        farm.wait_for_images(batch, 100)

        assert signal_all(blenders(farm.workers["w0"].process.pid), signal.SIGKILL) == 1

        farm.wait_for_end([batch])
        assert attempts(farm, batch) == [("blender-died", True)]
        assert farm.complaints([batch], long_results) == []


def test_worker_killed(packages: list[Package], long_results: Results, tmp_path: Path) -> None:
    with farm_under_test(tmp_path) as farm:
        batch = farm.submit(packages[:1], LONG)
        farm.wait_for_images(batch, 100)
        farm.kill_worker("w0")  # with it die its pool process and its Blender: the helper waits for that
        farm.let_leases_run_out()

        farm.start_worker("w1")

        wait_until(lambda: farm.jobs(batch)[0].worker == "worker@w1", "the other worker taking over")
        farm.wait_for_end([batch])
        assert attempts(farm, batch) == [("worker-lost", True)]
        assert farm.complaints([batch], long_results) == []


@pytest.mark.long
def test_worker_stopped_with_little_grace_hands_back_what_it_has(
    packages: list[Package], long_results: Results, tmp_path: Path
) -> None:
    with farm_under_test(tmp_path) as farm:
        batch = farm.submit(packages[:1], LONG)
        farm.wait_for_images(batch, 400)
        drawn = farm.batch(batch)

        farm.stop_worker("w0")
        assert list((tmp_path / "w0" / "tmp").iterdir()) == []

        other = farm.start_worker("w1")
        farm.wait_for_end([batch])
        assert attempts(farm, batch) == [("worker-stopped", False)]
        # What the first had drawn was not drawn again: the second drew the rest alone.
        assert drawn is not None
        assert 0 < farm.drawn_by(other) <= drawn.images_total - drawn.images_done
        assert farm.complaints([batch], long_results) == []


def test_redis_killed_and_started_again_under_load(
    packages: list[Package], short_results: Results, long_results: Results, tmp_path: Path
) -> None:
    with farm_under_test(tmp_path) as farm:
        batches = [farm.submit(packages[:1], LONG), farm.submit(packages, SHORT)]
        farm.wait_for_images(batches[0], 100)

        for _ in range(2):
            farm.kill_redis()
            time.sleep(1.5)
            farm.start_redis()
            time.sleep(2)

        farm.wait_for_end(batches)
        assert attempts(farm, batches[0]) == []  # the worker drew on meanwhile
        assert farm.complaints(batches, {**short_results, **long_results}) == []


@pytest.mark.long
def test_redis_wiped_and_rebuilt_from_the_store(
    packages: list[Package], short_results: Results, long_results: Results, tmp_path: Path
) -> None:
    with farm_under_test(tmp_path) as farm:
        done, running = farm.submit(packages, SHORT), farm.submit(packages[:1], LONG)
        farm.wait_for_end([done])
        farm.wait_for_images(running, 100)
        farm.services.batches.set_priority(running, 3)
        before = farm.services.jobs.batch(done)

        farm.services.connection.redis.flushall()
        command = [sys.executable, "-m", "farm", "reconcile"]
        answer = subprocess.run(
            command,
            env={**os.environ, **farm.environment},
            capture_output=True,
            text=True,
            timeout=PATIENCE_SECONDS,
            check=False,
        )

        assert answer.returncode == 0, answer.stderr
        assert "2" in answer.stdout
        rebuilt = farm.services.jobs.batch(done)
        assert (rebuilt.record, rebuilt.counts, rebuilt.ended) == (before.record, before.counts, True)
        assert farm.services.jobs.batch(running).priority == 3
        farm.wait_for_end([running])
        assert farm.complaints([done, running], {**short_results, **long_results}, wiped=True) == []


@pytest.mark.s3
@pytest.mark.parametrize("fault", [Fault.UNAVAILABLE, pytest.param(Fault.CUT, marks=pytest.mark.long)])
def test_the_object_store_fails_for_twenty_seconds(
    fault: Fault, packages: list[Package], short_results: Results, s3: S3Server, tmp_path: Path
) -> None:
    with farm_under_test(tmp_path, s3) as farm:
        assert farm.proxy is not None
        batch = farm.submit(packages, SHORT)
        farm.wait_for_images(batch)

        farm.proxy.fault = fault
        proxy = farm.proxy
        wait_until(lambda: proxy.seen[fault] > 0, "the store being missed")  # the worker may draw for long without it
        time.sleep(20)
        farm.proxy.fault = Fault.OK

        farm.wait_for_end([batch])
        assert [counted for _, counted in attempts(farm, batch)].count(True) == 0
        assert farm.complaints([batch], short_results) == []


@pytest.mark.long
def test_the_workers_disk_is_full(packages: list[Package], long_results: Results, tmp_path: Path) -> None:
    with farm_under_test(tmp_path, workers=0) as farm:
        disk = tmp_path / "small-disk"
        disk.mkdir()
        mounted = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)], capture_output=True, check=False
        )
        try:
            # Without the right to mount, no file may be larger than 200 kB: the write fails as well, with another number.
            worker = farm.start_worker("w0", {"TMPDIR": str(disk)})
            if mounted.returncode:
                wait_until(lambda: len(pool(worker.process.pid)) > 0, "the pool process")
                _limit_files(worker.process.pid, 200_000)
            batch = farm.submit(packages[:1], LONG)
            wait_until(lambda: ("worker-disk", False) in attempts(farm, batch), "the disk running full")

            if mounted.returncode:
                _limit_files(worker.process.pid, resource.RLIM_INFINITY)
            else:
                subprocess.run(["mount", "-o", "remount,size=200m", str(disk)], check=True)

            farm.wait_for_end([batch])
            assert [counted for _, counted in attempts(farm, batch)].count(True) == 0
            assert farm.complaints([batch], long_results) == []
        finally:
            farm.stop_worker("w0")
            if not mounted.returncode:
                subprocess.run(["umount", "-l", str(disk)], check=True)


def _limit_files(worker: int, size: int) -> None:
    for pid in [worker, *pool(worker)]:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


@pytest.mark.long
def test_a_workers_clock_jumps(packages: list[Package], long_results: Results, tmp_path: Path) -> None:
    if not can_set_clocks():
        pytest.skip(ABSENT)
    clock = Clock(tmp_path)
    with farm_under_test(tmp_path, workers=0, lease_seconds=600) as farm:
        worker = farm.start_worker("w0", clock=clock)
        batch = farm.submit(packages[:1], LONG)
        farm.wait_for_images(batch, 100)

        for jump in (7200, -7200, 90000):
            clock.set(jump)
            time.sleep(2)

        farm.wait_for_end([batch])
        # The jumps are longer than the lease, and the lease than any silence: on a busy machine a worker under faketime was
        # silent for nine seconds, before the clock had jumped as well as after.
        assert attempts(farm, batch) == []
        assert str(time.gmtime(time.time() + 90000).tm_year) in worker.log.read_text()
        assert farm.complaints([batch], long_results) == []


@pytest.mark.long
def test_a_model_that_always_crashes_blender_is_quarantined_and_the_others_finish(
    packages: list[Package], short_results: Results, tmp_path: Path
) -> None:
    with farm_under_test(tmp_path, workers=2) as farm:
        batch = farm.submit(packages, SHORT)
        poison = farm.jobs(batch)[0].id
        over = threading.Event()

        def crash() -> None:
            """Blender gets a real SIGSEGV whenever it has drawn something of that model."""
            first: dict[int, int] = {}
            while not over.wait(0.05):
                job = farm.services.jobs.job(poison)
                if not job.state.active or job.images_done == 0:
                    continue
                worker = farm.workers[job.worker.removeprefix("worker@")]
                # What an attempt begins with, earlier ones have drawn.
                if job.images_done > first.setdefault(job.attempt, job.images_done):
                    signal_all(blenders(worker.process.pid), signal.SIGSEGV)

        thread = threading.Thread(target=crash)
        thread.start()
        try:
            farm.wait_for_end([batch])
        finally:
            over.set()
            thread.join()

        bad, good = farm.jobs(batch)
        assert (bad.state, good.state) == (State.QUARANTINED, State.DONE)
        assert [(a.code, a.counted) for a in bad.attempts] == [("blender-died", True)] * 3
        assert "SIGSEGV" in bad.error
        assert bad.error_code == "blender-died"

        # WHEN the operator asks for another try, THEN it is like any other model.
        farm.services.batches.retry(batch)
        farm.wait_for_end([batch])
        assert farm.complaints([batch], short_results) == []


@pytest.mark.long
def test_of_two_workers_on_one_job_one_counts(packages: list[Package], long_results: Results, tmp_path: Path) -> None:
    with farm_under_test(tmp_path) as farm:
        batch = farm.submit(packages[:1], LONG)
        farm.wait_for_images(batch, 100)
        frozen = farm.workers["w0"].tree
        signal_all(frozen, signal.SIGSTOP)  # like a machine that swaps, or a network that is cut
        try:
            farm.let_leases_run_out()
            farm.start_worker("w1")
            wait_until(
                lambda: farm.jobs(batch)[0].attempt == 2 and farm.jobs(batch)[0].state.active, "a second attempt"
            )
        finally:
            signal_all(frozen, signal.SIGCONT)  # the first goes on, in the middle of the second's work

        farm.wait_for_end([batch])
        assert farm.jobs(batch)[0].worker == "worker@w1"
        wait_until(lambda: "is left" in farm.workers["w0"].log.read_text(), "the first worker giving up")
        # It is there after all: that it was silent says nothing against the job.
        wait_until(lambda: attempts(farm, batch) == [("worker-lost", False)], "the attempt being forgiven")
        assert farm.complaints([batch], long_results) == []


def test_the_api_restarts_under_an_open_event_stream(
    packages: list[Package], short_results: Results, tmp_path: Path
) -> None:
    with farm_under_test(tmp_path, api=True) as farm:
        heard: list[tuple[str, str]] = []
        batch = farm.submit(packages, SHORT)

        def listen() -> None:
            """As a browser does: comes back with the last id that it heard."""
            last = ""
            while not any('"ended"' in data for _, data in heard):
                try:
                    headers = {"Last-Event-ID": last} if last else {}
                    url = f"{farm.api_url}/v1/events?batch={batch}" + ("" if last else "&after=0-0")
                    with httpx.stream(
                        "GET", url, headers=headers, timeout=PATIENCE_SECONDS, trust_env=False, verify=False
                    ) as response:
                        id_ = ""
                        for line in response.iter_lines():
                            if line.startswith("id:"):
                                id_ = line.removeprefix("id:").strip()
                            elif line.startswith("data:") and id_:
                                heard.append((id_, line.removeprefix("data:").strip()))
                                last, id_ = id_, ""
                            if any('"ended"' in data for _, data in heard[-1:]):
                                return
                except httpx.HTTPError:
                    time.sleep(0.1)

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        for how in (signal.SIGKILL, signal.SIGTERM):
            time.sleep(2)
            farm.stop_api(how)
            farm.start_api()
        farm.wait_for_end([batch])
        thread.join(PATIENCE_SECONDS)

        assert not thread.is_alive()
        written = farm.services.connection.redis.xrange("farm:events")
        assert [id_ for id_, _ in heard] == [id_ for id_, values in written if values["batch"] == batch]
        assert farm.complaints([batch], short_results) == []
