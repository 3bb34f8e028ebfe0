"""The job store on real servers: Valkey, and Debian's Redis where it is installed."""

import shutil
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from farm.errors import NotFoundError, ServiceError
from farm.jobs import states
from farm.jobs.states import Job, StaleAttempt, State
from farm.jobs.store import JobStore, new_id
from farm.spec import RenderSpec
from farm.stack import free_port
from tests.support import servers


@pytest.fixture(scope="module", params=["valkey", "redis"])
def server(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    command = None
    if request.param == "redis":
        program = shutil.which("redis-server")
        if program is None:
            pytest.skip("redis-server is not installed: apt-get install redis-server")
        command = [program]
    with servers.redis_server(tmp_path_factory.mktemp(request.param), command) as url:
        yield url


@pytest.fixture
def store(server: str) -> JobStore:
    return JobStore(server)


def batch_of(store: JobStore, count: int, images: int = 8) -> list[Job]:
    batch = new_id()
    jobs = [
        Job(
            id=new_id(),
            batch=batch,
            model="0" * 64,
            name="model",
            annotation={"mouth/a": "あ"},
            samples=1,
            images_total=images,
            render_key="1" * 64,
        )
        for _ in range(count)
    ]
    store.add_batch(batch, "name", RenderSpec(seed=7), jobs)
    return jobs


def test_a_job_comes_back_as_it_went_in(store: JobStore) -> None:
    (job,) = batch_of(store, 1)

    assert store.job(job.id) == job


def test_a_batch_counts_its_jobs_through_a_whole_life(store: JobStore) -> None:
    done, failed, cancelled, waiting = batch_of(store, 4)
    store.change(done.id, states.claim)
    store.change(done.id, lambda job: states.progress(job, 1, 5))
    assert store.batch(done.batch).images_done == 5
    store.change(done.id, lambda job: states.finish(job, 1, ("a warning",)))
    store.change(failed.id, states.claim)
    store.change(failed.id, lambda job: states.fail(job, 1, "code", "sentence"))
    store.change(cancelled.id, states.cancel)

    batch = store.batch(done.batch)

    assert {state: count for state, count in batch.counts.items() if count} == {
        State.DONE: 1,
        State.FAILED: 1,
        State.CANCELLED: 1,
        State.QUEUED: 1,
    }
    assert (batch.images_total, batch.images_done, batch.ended) == (32, 8, False)
    assert batch.spec == RenderSpec(seed=7)
    assert [job.id for job in store.jobs(batch.id)] == [done.id, failed.id, cancelled.id, waiting.id]
    assert store.jobs(batch.id, first=1, limit=2)[0].error == "sentence"


def test_the_backlog_is_what_queued_and_running_jobs_still_owe(store: JobStore) -> None:
    before = store.totals()
    first, second = batch_of(store, 2, images=100)
    store.change(first.id, states.claim)
    store.change(first.id, lambda job: states.progress(job, 1, 30))

    assert store.totals().backlog_images - before.backlog_images == 170

    store.change(second.id, states.cancel)
    assert store.totals().backlog_images - before.backlog_images == 70
    store.change(first.id, lambda job: states.give_back(job, 1, "blender-died", "x"))
    assert store.totals().backlog_images - before.backlog_images == 100
    store.change(first.id, states.claim)
    store.change(first.id, lambda job: states.finish(job, 2, ()))
    assert store.totals().backlog_images == before.backlog_images


def test_of_two_attempts_on_one_job_the_later_counts(store: JobStore) -> None:
    (job,) = batch_of(store, 1)
    store.change(job.id, states.claim)
    store.change(job.id, states.claim)

    with pytest.raises(StaleAttempt):
        store.change(job.id, lambda j: states.finish(j, 1, ()))
    assert store.change(job.id, lambda j: states.finish(j, 2, ())).state is State.DONE


def test_concurrent_changes_are_all_counted(store: JobStore) -> None:
    # GIVEN many jobs and threads that all try to take each of them
    jobs = batch_of(store, 30)

    def take(job: Job) -> int:
        def claim_waiting(present: Job) -> Job:
            if present.state is not State.QUEUED:
                raise StaleAttempt("taken")
            return states.claim(present)

        try:
            return store.change(job.id, claim_waiting).attempt
        except StaleAttempt:
            return 0

    # WHEN they run at the same time
    with ThreadPoolExecutor(8) as pool:
        attempts = list(pool.map(take, jobs * 8))

    # THEN every job was taken exactly once, and the counters agree with the jobs
    assert Counter(attempts) == {1: 30, 0: 210}
    batch = store.batch(jobs[0].batch)
    assert batch.counts[State.RENDERING] == 30
    assert batch.counts[State.QUEUED] == 0


def test_unknown_names_are_not_found(store: JobStore) -> None:
    with pytest.raises(NotFoundError):
        store.job("nothing")
    with pytest.raises(NotFoundError):
        store.batch("nothing")
    with pytest.raises(NotFoundError):
        store.change("nothing", states.claim)


def test_the_newest_batch_comes_first(store: JobStore) -> None:
    older, newer = batch_of(store, 1)[0].batch, batch_of(store, 1)[0].batch

    assert [batch.id for batch in store.batches(2)] == [newer, older]


def test_an_absent_server_is_a_service_error() -> None:
    with pytest.raises(ServiceError, match="FARM_REDIS_URL"):
        JobStore(f"redis://127.0.0.1:{free_port()}/0").totals()
