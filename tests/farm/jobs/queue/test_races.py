"""Many who take, cancel, retry and steal at the same time: each job is done once."""

import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from farm.jobs import states
from farm.jobs.states import StaleAttempt, State
from tests.support import servers
from tests.support.jobs import Core, finish_all, finish_all_there


def test_many_threads_do_each_job_once(core: Core) -> None:
    jobs = core.add(200) + core.add(200, priority=1)

    with ThreadPoolExecutor(8) as pool:
        done = [job for mine in pool.map(lambda n: finish_all(core, f"worker@{n}"), range(8)) for job in mine]

    assert sorted(done) == sorted(job.id for job in jobs)
    assert core.jobs.totals().counts[State.DONE] == 400
    assert {core.jobs.job(job.id).attempt for job in jobs} == {1}


def test_many_processes_do_each_job_once(core: Core, valkey_or_redis: str, tmp_path: Path) -> None:
    jobs = core.add(200)
    context = multiprocessing.get_context("spawn")
    done = context.SimpleQueue()
    processes = [
        context.Process(target=finish_all_there, args=(valkey_or_redis, tmp_path, f"worker@{n}", done))
        for n in range(2)
    ]

    for process in processes:
        process.start()
    finished = [job for _ in processes for job in done.get()]
    for process in processes:
        process.join(servers.PATIENCE_SECONDS)

    assert sorted(finished) == sorted(job.id for job in jobs)
    assert core.jobs.batch(jobs[0].batch).ended


def test_under_taking_cancelling_retrying_and_reaping_at_the_same_time_nothing_is_lost(core: Core) -> None:
    """GIVEN threads that work, one that cancels and retries, one that steals leases WHEN all is over THEN all is done."""
    jobs = core.add(60)
    batch, over = jobs[0].batch, threading.Event()

    def work(number: int) -> None:
        name = f"worker@{number}"
        while not over.is_set():
            taken = core.queue.take(name)
            if taken is None:
                time.sleep(0.002)
                continue
            try:
                job = core.jobs.change(taken.job, lambda j: states.claim(j, name))
                core.jobs.change(job.id, lambda j, a=job.attempt: states.progress(j, a, 4))  # type: ignore[misc]
                core.jobs.change(job.id, lambda j, a=job.attempt: states.finish(j, a))  # type: ignore[misc]
            except StaleAttempt:
                core.queue.put_back(taken.job)

    def meddle() -> None:
        for _ in range(15):
            core.jobs.change_all(batch, lambda job: states.cancel(job) if job.index % 3 == 0 else job)
            core.jobs.change_all(batch, states.retry)

    def steal() -> None:
        while not over.is_set():
            for job in core.queue.leased():
                core.connection.redis.zadd("farm:leases", {job: 1.0}, xx=True)
            core.keeper.reap()
            core.wait_is_over()

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)] + [threading.Thread(target=steal)]
    for thread in threads:
        thread.start()
    meddle()

    def ended() -> bool:
        core.jobs.change_all(batch, states.retry)  # what was cancelled at last, or lost too often
        return core.jobs.batch(batch).counts[State.DONE] == 60

    try:
        servers.wait_until(ended, "all jobs being done")
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert core.jobs.totals().backlog_images == 0
