"""The job store on real servers: jobs, batches, their counts and what is kept of them."""

import json
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from farm.errors import ConflictError, NotFoundError
from farm.jobs import states
from farm.jobs.batches import BatchRecord, Webhook
from farm.jobs.events import Events
from farm.jobs.states import Job, StaleAttempt, State
from farm.jobs.store import LOG_CHARACTERS
from farm.morphs.refs import MorphRef
from farm.morphs.vocabulary import target_morphs
from farm.spec import RenderSpec
from tests.support.jobs import RECORD, Core, new_jobs


def test_a_job_comes_back_as_it_went_in(core: Core) -> None:
    (job,) = core.add(1)

    assert core.jobs.job(job.id) == job


def test_a_batch_counts_its_jobs_through_a_whole_life(core: Core) -> None:
    done, failed, cancelled, waiting = core.add(4)
    core.begin()
    core.jobs.change(done.id, lambda job: states.progress(job, 1, 5))
    assert core.jobs.batch(done.batch).images_done == 5
    core.jobs.change(done.id, lambda job: states.finish(job, 1, ("a warning",)))
    core.begin()
    core.jobs.change(failed.id, lambda job: states.fail(job, 1, "no-neck-bone", "It has no neck."))
    core.jobs.change(cancelled.id, states.cancel)

    batch = core.jobs.batch(done.batch)

    assert {state: count for state, count in batch.counts.items() if count} == {
        State.DONE: 1,
        State.FAILED: 1,
        State.CANCELLED: 1,
        State.QUEUED: 1,
    }
    assert (batch.images_total, batch.images_done, batch.ended) == (32, 8, False)
    assert batch.errors == {"no-neck-bone": 1}
    assert (batch.record, batch.priority, batch.paused) == (RECORD, 0, False)
    assert [job.id for job in core.jobs.jobs(batch.id)] == [done.id, failed.id, cancelled.id, waiting.id]
    assert core.jobs.jobs(batch.id, first=1, limit=2)[0].error == "It has no neck."
    assert [job.id for job in core.jobs.jobs(batch.id, states=frozenset((State.FAILED, State.QUEUED)))] == [
        failed.id,
        waiting.id,
    ]


def test_a_batch_ends_with_its_last_job_and_opens_again_with_a_retry(core: Core) -> None:
    (job,) = core.add(1)
    core.begin()
    before = core.connection.now()
    core.jobs.change(job.id, lambda j: states.fail(j, 1, "code", "sentence"))

    ended = core.jobs.batch(job.batch)
    assert ended.ended_at is not None
    assert before - 0.01 <= ended.ended_at <= core.connection.now()
    core.jobs.change(job.id, states.retry)
    opened = core.jobs.batch(job.batch)
    assert (opened.ended_at, opened.errors) == (None, {})

    said = [event.data["change"] for event in Events(core.connection).read("0-0")[0] if event.kind == "batch"]
    assert said == ["created", "ended", "reopened"]


def test_the_backlog_is_what_queued_and_running_jobs_still_owe(core: Core) -> None:
    first, second = core.add(2, images=100)
    core.begin()
    core.jobs.change(first.id, lambda job: states.progress(job, 1, 30))
    assert core.jobs.totals().backlog_images == 170

    core.jobs.change(second.id, states.cancel)
    assert core.jobs.totals().backlog_images == 70
    core.jobs.change(first.id, lambda job: states.lose(job, 1, "blender-died", "x", 1.0))
    assert core.jobs.totals().backlog_images == 100
    core.wait_is_over()
    core.begin()
    core.jobs.change(first.id, lambda job: states.finish(job, 2))
    assert core.jobs.totals().backlog_images == 0


def test_the_rate_is_images_a_second_since_the_work_began(core: Core) -> None:
    (job,) = core.add(1, images=1000)
    core.begin()
    assert core.jobs.batch(job.batch).rate == 0.0
    core.jobs.change(job.id, lambda j: states.progress(j, 1, 300))
    core.jobs.change(job.id, lambda j: states.progress(j, 1, 500))

    batch, totals = core.jobs.batch(job.batch), core.jobs.totals()

    assert 500 / 20 <= batch.rate <= 500
    assert totals.rate == pytest.approx(batch.rate, rel=0.2)
    assert batch.eta_seconds == pytest.approx(500 / batch.rate)


def test_slots_of_the_rate_are_forgotten_after_ten_minutes_however_irregular_the_work(core: Core) -> None:
    (job,) = core.add(1, images=1000)
    core.begin()
    slot = int(core.connection.now() // 10)
    key = f"farm:batch:{job.batch}:rate"
    core.connection.redis.hset(key, mapping={str(slot - age): 100 for age in (7, 59, 60, 61, 77, 5000)})

    core.jobs.change(job.id, lambda j: states.progress(j, 1, 5))

    ages = {int(core.connection.now() // 10) - int(kept) for kept in core.connection.redis.hkeys(key)}
    assert max(ages) <= 61
    assert len(ages) <= 3
    assert 0 < core.connection.redis.ttl(key) <= 600
    assert core.jobs.batch(job.batch).rate < 5.1


def test_concurrent_changes_are_all_counted(core: Core) -> None:
    # GIVEN many jobs and threads that all try to claim each of them
    jobs = core.add(30)

    def claim(job: Job) -> int:
        try:
            return core.jobs.change(job.id, lambda j: states.claim(j, "worker@a")).attempt
        except StaleAttempt:
            return 0

    # WHEN they run at the same time
    with ThreadPoolExecutor(8) as pool:
        attempts = list(pool.map(claim, jobs * 8))

    # THEN every job was claimed exactly once, and the counters agree with the jobs
    assert Counter(attempts) == {1: 30, 0: 210}
    assert core.jobs.batch(jobs[0].batch).counts[State.LEASED] == 30


def test_a_batch_is_added_once_of_several_at_the_same_time(core: Core) -> None:
    jobs = new_jobs(50)

    with ThreadPoolExecutor(8) as pool:
        added = list(pool.map(lambda _: core.jobs.add_batch(jobs[0].batch, RECORD, jobs), range(8)))

    assert Counter(added) == {False: 7, True: 1}
    assert core.jobs.totals().counts[State.QUEUED] == 50


def test_a_batch_of_which_all_is_done_has_ended_from_the_start(core: Core) -> None:
    jobs = [replace(job, state=State.DONE, images_done=8) for job in new_jobs(2)]
    core.jobs.add_batch(jobs[0].batch, RECORD, jobs)

    assert core.jobs.batch(jobs[0].batch).ended
    assert core.queue.take("worker@a") is None
    assert core.jobs.uses_of(jobs[0].model) == 0


def test_changing_all_jobs_of_a_large_batch_changes_each_that_differs(core: Core) -> None:
    jobs = core.add(1201)
    core.begin()
    core.jobs.change(jobs[0].id, lambda j: states.finish(j, 1))

    assert core.jobs.change_all(jobs[0].batch, states.cancel) == 1200
    assert core.jobs.change_all(jobs[0].batch, states.cancel) == 0
    assert core.jobs.batch(jobs[0].batch).ended


def test_a_removed_batch_leaves_nothing_behind(core: Core) -> None:
    gone, kept = core.add(3), core.add(2)
    core.begin()
    core.jobs.change(gone[0].id, lambda j: states.fail(j, 1, "code", "sentence"))
    core.jobs.keep_log(gone[0].id, "said")
    with pytest.raises(ConflictError, match="cancel it first"):
        core.jobs.remove_batch(gone[0].batch)
    core.jobs.change_all(gone[0].batch, states.cancel)

    core.jobs.remove_batch(gone[0].batch)

    assert core.jobs.removed() == [gone[0].batch]
    assert [batch.id for batch in core.jobs.batches(10)] == [kept[0].batch]
    assert list(core.connection.redis.scan_iter(f"farm:batch:{gone[0].batch}*")) == []
    assert core.jobs.totals().counts == {**dict.fromkeys(State, 0), State.QUEUED: 2}
    with pytest.raises(NotFoundError):
        core.jobs.remove_batch(gone[0].batch)
    with pytest.raises(NotFoundError):
        core.jobs.change(gone[0].id, states.retry)


def test_uses_of_a_model_are_the_jobs_that_have_not_ended(core: Core) -> None:
    jobs = core.add(2)
    assert core.jobs.uses_of(jobs[0].model) == 2

    core.jobs.change_all(jobs[0].batch, states.cancel)
    assert core.jobs.uses_of(jobs[0].model) == 0
    core.jobs.change(jobs[0].id, states.retry)
    assert core.jobs.uses_of(jobs[0].model) == 1


def test_the_end_of_a_log_is_kept(core: Core) -> None:
    (job,) = core.add(1)
    assert core.jobs.log(job.id) == ""

    core.jobs.keep_log(job.id, "始" + "x" * LOG_CHARACTERS + "終")

    assert core.jobs.log(job.id) == "x" * (LOG_CHARACTERS - 1) + "終"


def test_a_record_with_a_webhook_comes_back_and_is_told_when_the_batch_ends(core: Core) -> None:
    jobs = new_jobs(1)
    record = BatchRecord("n", RenderSpec(), "2026-01-01T00:00:00+00:00", "f" * 64, Webhook("https://x.example/", "s"))
    core.jobs.add_batch(jobs[0].batch, record, jobs)

    assert core.jobs.batch(jobs[0].batch).record == record
    core.jobs.change(jobs[0].id, states.cancel)
    assert core.connection.redis.zrange("farm:webhooks", 0, -1) == [jobs[0].batch]
    core.jobs.change(jobs[0].id, states.retry)
    assert core.connection.redis.zrange("farm:webhooks", 0, -1) == []


@pytest.mark.parametrize("name", ["nothing", "", "nothing-0", "b:jobs", "b:queue", "b:queue-0", "-", "☃-1"])
def test_unknown_names_are_not_found(core: Core, name: str) -> None:
    jobs = new_jobs(2, batch="b")
    core.jobs.add_batch("b", RECORD, jobs)

    for ask in (core.jobs.job, core.jobs.batch, core.jobs.size, core.jobs.jobs, core.jobs.log, core.jobs.remove_batch):
        with pytest.raises(NotFoundError):
            ask(name)
    with pytest.raises(NotFoundError):
        core.jobs.change(name, states.cancel)
    assert not core.jobs.has_batch(name)


def test_the_newest_batch_comes_first_page_by_page(core: Core) -> None:
    ids = [core.add(1)[0].batch for _ in range(5)]

    first = core.jobs.batches(2)
    second = core.jobs.batches(2, before=first[-1].sequence)

    assert [batch.id for batch in first + second] == list(reversed(ids))[:4]


def test_a_million_images_and_strange_texts_pass_through_lua_unharmed(core: Core) -> None:
    (job,) = core.add(1, images=7_680_000)
    core.begin()
    core.jobs.change(job.id, lambda j: states.progress(j, 1, 7_680_000))
    core.jobs.change(job.id, lambda j: states.fail(j, 1, 'a:"b" \\ {}', "\0\n終 🦊"))

    assert core.jobs.batch(job.batch).errors == {'a:"b" \\ {}': 1}
    assert core.jobs.job(job.id).error == "\0\n終 🦊"
    assert core.jobs.totals().backlog_images == 0


def test_a_queued_job_of_a_real_character_takes_less_than_2_kib_of_redis(core: Core) -> None:
    targets = target_morphs()
    annotation = {
        target.name: MorphRef(index=100 + number, name=f"表情モーフ{number}左") for number, target in enumerate(targets)
    }
    assert len(annotation) == 23
    jobs = [
        replace(
            job, annotation=annotation, name=f"初音ミク・衣装{job.index}", model=f"{job.index:064x}", images_total=800
        )
        for job in new_jobs(10_000)
    ]
    before = core.connection.redis.info("memory")["used_memory"]

    begun = time.monotonic()
    core.jobs.add_batch(jobs[0].batch, RECORD, jobs)

    taken = (core.connection.redis.info("memory")["used_memory"] - before) / len(jobs)
    text = len(json.dumps(jobs[0].to_json(), ensure_ascii=False).encode())
    print(f"{taken:.0f} bytes a queued job, of which {text} are its text; added in {time.monotonic() - begun:.2f} s")
    assert 500 < taken < 2048
