"""The job's state machine: every event in every state, the cap on attempts, and who may still speak for a job."""

from collections.abc import Callable
from dataclasses import replace

import pytest

from farm.errors import ConflictError
from farm.jobs import states
from farm.jobs.states import MAX_ATTEMPTS, Job, StaleAttempt, State

type Event = Callable[[Job], Job]

QUEUED, RENDERING, DONE, FAILED, CANCELLED = State


def _job(state: State = QUEUED, attempt: int = 0, images_done: int = 0) -> Job:
    if state is not QUEUED and attempt == 0:
        attempt = 1
    return Job(
        id="j",
        batch="b",
        model="m" * 64,
        name="狐",
        annotation={"mouth/a": "あ"},
        samples=20,
        images_total=160,
        render_key="k" * 64,
        state=state,
        attempt=attempt,
        images_done=images_done,
    )


EVENTS: dict[str, Event] = {
    "claim": states.claim,
    "progress": lambda job: states.progress(job, job.attempt, 5),
    "finish": lambda job: states.finish(job, job.attempt, ()),
    "fail": lambda job: states.fail(job, job.attempt, "model-format", "bad"),
    "give_back": lambda job: states.give_back(job, job.attempt, "blender-died", "gone"),
    "cancel": states.cancel,
}
"""The events, each made by the job's present attempt."""

TABLE: dict[str, dict[State, State | None]] = {
    "claim": {QUEUED: RENDERING, RENDERING: RENDERING, DONE: None, FAILED: None, CANCELLED: None},
    "progress": {QUEUED: None, RENDERING: RENDERING, DONE: None, FAILED: None, CANCELLED: None},
    "finish": {QUEUED: None, RENDERING: DONE, DONE: None, FAILED: None, CANCELLED: None},
    "fail": {QUEUED: None, RENDERING: FAILED, DONE: None, FAILED: None, CANCELLED: None},
    "give_back": {QUEUED: None, RENDERING: QUEUED, DONE: None, FAILED: None, CANCELLED: None},
    "cancel": {QUEUED: CANCELLED, RENDERING: CANCELLED, DONE: DONE, FAILED: FAILED, CANCELLED: CANCELLED},
}
"""Event and state before to the state after; None where the event is refused."""


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("before", State)
def test_every_event_in_every_state(event: str, before: State) -> None:
    job, after = _job(before), TABLE[event][before]

    if after is None:
        with pytest.raises(StaleAttempt):
            EVENTS[event](job)
    else:
        assert EVENTS[event](job).state is after
    assert job == _job(before)  # the old value stays as it was


@pytest.mark.parametrize("event", ["progress", "finish", "fail", "give_back"])
@pytest.mark.parametrize("attempt", [0, 1, 3])
def test_an_attempt_that_is_not_the_job_s_own_is_refused(event: str, attempt: int) -> None:
    """GIVEN attempt 2 is rendering WHEN another attempt speaks THEN it is refused with both numbers."""
    job = _job(RENDERING, attempt=2)
    speak: dict[str, Event] = {
        "progress": lambda job: states.progress(job, attempt, 5),
        "finish": lambda job: states.finish(job, attempt, ()),
        "fail": lambda job: states.fail(job, attempt, "x", "x"),
        "give_back": lambda job: states.give_back(job, attempt, "x", "x"),
    }

    with pytest.raises(StaleAttempt, match=rf"Attempt {attempt} of job j is over: the job is rendering, attempt 2"):
        speak[event](job)


def test_of_two_workers_on_one_job_the_later_one_counts() -> None:
    first = states.claim(_job())
    second = states.claim(first)  # the first was thought lost

    assert (first.attempt, second.attempt) == (1, 2)
    with pytest.raises(StaleAttempt):
        states.finish(second, first.attempt, ())
    assert states.finish(second, second.attempt, ()).state is DONE


def test_a_finished_job_cannot_be_finished_again() -> None:
    done = states.finish(states.claim(_job()), 1, ("w",))

    with pytest.raises(StaleAttempt, match="the job is done"):
        states.finish(done, 1, ())


@pytest.mark.parametrize("before", [DONE, FAILED, CANCELLED])
def test_an_ended_job_is_not_claimed(before: State) -> None:
    with pytest.raises(StaleAttempt, match=f"Job j is {before} already"):
        states.claim(_job(before))


def test_a_claim_counts_the_attempt_and_starts_from_nothing() -> None:
    claimed = states.claim(_job(RENDERING, attempt=1, images_done=99))

    assert (claimed.state, claimed.attempt, claimed.images_done) == (RENDERING, 2, 0)


def test_a_worker_that_is_lost_each_time_uses_the_attempts_up() -> None:
    job = _job()
    for number in range(1, MAX_ATTEMPTS + 1):
        job = states.claim(job)
        assert (job.state, job.attempt) == (RENDERING, number)

    ended = states.claim(job)

    assert (ended.state, ended.attempt, ended.error_code) == (FAILED, 3, "attempts-used-up")
    assert "lost 3 times" in ended.error


def test_blender_that_dies_each_time_uses_the_attempts_up() -> None:
    job = _job()
    for number in range(1, MAX_ATTEMPTS + 1):
        job = states.give_back(states.claim(job), number, "blender-died", f"death {number}")
        assert job.state is (FAILED if number == MAX_ATTEMPTS else QUEUED)
        assert (job.error_code, job.error, job.images_done) == ("blender-died", f"death {number}", 0)

    with pytest.raises(StaleAttempt):
        states.claim(job)


def test_the_reason_of_an_earlier_attempt_is_kept_when_the_last_worker_is_lost() -> None:
    job = states.give_back(states.claim(_job()), 1, "blender-died", "out of memory")
    job = states.claim(states.claim(states.claim(job)))

    assert (job.state, job.error_code, job.error) == (FAILED, "blender-died", "out of memory")


def test_a_model_at_fault_fails_at_once() -> None:
    failed = states.fail(states.claim(_job()), 1, "no-neck-bone", "no neck")

    assert (failed.state, failed.attempt, failed.error_code, failed.error) == (FAILED, 1, "no-neck-bone", "no neck")


def test_success_forgets_the_errors_of_earlier_attempts() -> None:
    job = states.claim(states.give_back(states.claim(_job()), 1, "blender-died", "gone"))

    done = states.finish(job, 2, ("a texture is absent",))

    assert (done.state, done.error_code, done.error) == (DONE, "", "")
    assert (done.images_done, done.warnings) == (160, ("a texture is absent",))


@pytest.mark.parametrize(("known", "told", "shown"), [(0, 5, 5), (5, 4, 5), (5, 5, 5), (5, 999, 160), (5, -3, 5)])
def test_progress_only_grows_and_ends_at_the_total(known: int, told: int, shown: int) -> None:
    assert states.progress(_job(RENDERING, 1, known), 1, told).images_done == shown


def test_a_cancelled_job_refuses_its_worker() -> None:
    cancelled = states.cancel(states.claim(_job()))

    with pytest.raises(StaleAttempt, match="the job is cancelled"):
        states.finish(cancelled, 1, ())


def test_a_stale_attempt_is_a_conflict_with_its_own_code() -> None:
    assert issubclass(StaleAttempt, ConflictError)
    assert StaleAttempt.code == "stale-attempt"


def test_ended_are_exactly_done_failed_and_cancelled() -> None:
    assert {state for state in State if state.ended} == {DONE, FAILED, CANCELLED}


@pytest.mark.parametrize("state", State)
def test_a_job_survives_json(state: State) -> None:
    import json

    job = replace(_job(state), warnings=("eins", "二"), error_code="x", error="y")

    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job
