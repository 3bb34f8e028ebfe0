"""The job's state machine: every event in every state, walks through all of them, and who may still speak for a job."""

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farm.errors import ConflictError
from farm.jobs import states
from farm.jobs.states import (
    INVARIANTS,
    KEPT_ATTEMPTS,
    MAX_ATTEMPTS,
    MAX_WAIT_SECONDS,
    Attempt,
    Job,
    StaleAttempt,
    State,
    broken_invariants,
)
from farm.morphs.refs import BARE, MorphRef

type Event = Callable[[Job], Job]

NEW = Job(
    id="b-7",
    model="m" * 64,
    name="狐",
    annotation={"mouth/a": MorphRef(index=4, name="あ")},
    samples=20,
    images_total=160,
    render_key="k" * 64,
)

EVENTS: dict[str, Event] = {
    "claim": lambda job: states.claim(job, "worker@a"),
    "progress": lambda job: states.progress(job, job.attempt, 5),
    "all drawn": lambda job: states.progress(job, job.attempt, 160),
    "finish": lambda job: states.finish(job, job.attempt, ()),
    "fail": lambda job: states.fail(job, job.attempt, "model-format", "bad"),
    "lose": lambda job: states.lose(job, job.attempt, "blender-died", "gone", 1.0),
    "hand back": lambda job: states.hand_back(job, job.attempt, "worker-stopped", "stops", 1.0),
    "cancel": states.cancel,
    "retry": states.retry,
}
"""The events, each made by the job's present attempt."""


def _lived(*events: str) -> Job:
    job = NEW
    for event in events:
        job = EVENTS[event](job)
    return job


LIVES: dict[State, Job] = {
    State.QUEUED: NEW,
    State.LEASED: _lived("claim"),
    State.RENDERING: _lived("claim", "progress"),
    State.UPLOADING: _lived("claim", "all drawn"),
    State.DONE: _lived("claim", "finish"),
    State.FAILED: _lived("claim", "fail"),
    State.QUARANTINED: _lived("claim", "lose", "claim", "lose", "claim", "lose"),
    State.CANCELLED: _lived("claim", "cancel"),
}
"""A job in each state, brought there by events."""

_NO = (State.QUEUED, State.DONE, State.FAILED, State.QUARANTINED, State.CANCELLED)
_REFUSED: dict[State, State | None] = dict.fromkeys(_NO)
_ACTIVE = (State.LEASED, State.RENDERING, State.UPLOADING)


def _all_active(after: State) -> dict[State, State | None]:
    return {**_REFUSED, **dict.fromkeys(_ACTIVE, after)}


TABLE: dict[str, dict[State, State | None]] = {
    "claim": {**dict.fromkeys(State), State.QUEUED: State.LEASED},
    "progress": _all_active(State.RENDERING),
    "all drawn": _all_active(State.UPLOADING),
    "finish": {**_all_active(State.DONE), State.DONE: State.DONE},
    "fail": _all_active(State.FAILED),
    "lose": _all_active(State.QUEUED),
    "hand back": _all_active(State.QUEUED),
    "cancel": {state: state if state.ended else State.CANCELLED for state in State},
    "retry": {
        **{state: state for state in State},
        **dict.fromkeys((State.FAILED, State.QUARANTINED, State.CANCELLED), State.QUEUED),
    },
}
"""Event and state before to the state after; None where the event is refused."""


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("before", State)
def test_every_event_in_every_state(event: str, before: State) -> None:
    job, after = LIVES[before], TABLE[event][before]
    assert job.state is before

    if after is None:
        with pytest.raises(StaleAttempt, match="b-7"):
            EVENTS[event](job)
    else:
        assert EVENTS[event](job).state is after
        assert broken_invariants(EVENTS[event](job)) == []
    assert job == LIVES[before]  # the old value stays as it was


@pytest.mark.parametrize("event", ["progress", "finish", "fail", "lose", "hand back"])
@pytest.mark.parametrize("attempt", [-1, 0, 1, 3])
@pytest.mark.parametrize("state", State)
def test_an_attempt_that_is_not_the_job_s_own_is_refused(event: str, attempt: int, state: State) -> None:
    """GIVEN attempt 2 is the job's last WHEN another attempt speaks THEN it is refused with both numbers."""
    job = replace(LIVES[state], attempt=2)
    speak: dict[str, Event] = {
        "progress": lambda job: states.progress(job, attempt, 5),
        "finish": lambda job: states.finish(job, attempt, ()),
        "fail": lambda job: states.fail(job, attempt, "x", "x"),
        "lose": lambda job: states.lose(job, attempt, "x", "x", 1.0),
        "hand back": lambda job: states.hand_back(job, attempt, "x", "x", 1.0),
    }

    with pytest.raises(StaleAttempt, match=rf"Attempt {attempt} of job b-7 is over: the job is {state}, attempt 2"):
        speak[event](job)


def test_of_two_workers_on_one_job_the_later_one_counts() -> None:
    first = states.claim(NEW, "worker@a")
    given_on = states.lose(first, 1, "worker-lost", "silent", 10.0)
    second = states.claim(given_on, "worker@b")

    assert (first.attempt, second.attempt, second.worker) == (1, 2, "worker@b")
    with pytest.raises(StaleAttempt):
        states.finish(second, first.attempt, ())
    assert states.finish(second, second.attempt, ()).state is State.DONE


def test_an_attempt_may_say_twice_that_it_finished() -> None:
    done = states.finish(states.claim(NEW, "w"), 1, ("w",))

    assert states.finish(done, 1, ("w",)) == done
    with pytest.raises(StaleAttempt, match="the job is done"):
        states.finish(done, 2, ())


def test_attempts_that_break_down_are_counted_and_the_third_ends_in_quarantine() -> None:
    job = NEW
    for number in range(1, MAX_ATTEMPTS + 1):
        job = states.claim(job, f"worker@{number}")
        job = states.lose(job, number, "blender-died", f"death {number}", 100.0 + number)
        assert job.state is (State.QUARANTINED if number == MAX_ATTEMPTS else State.QUEUED)
        assert (job.losses, job.error_code, job.error) == (number, "blender-died", f"death {number}")

    assert [(a.number, a.worker, a.error, a.at) for a in job.attempts] == [
        (number, f"worker@{number}", f"death {number}", 100.0 + number) for number in (1, 2, 3)
    ]
    with pytest.raises(StaleAttempt):
        states.claim(job, "w")


def test_a_job_that_broke_down_waits_longer_each_time() -> None:
    first = _lived("claim", "lose")
    second = EVENTS["lose"](EVENTS["claim"](first))

    assert (first.wait, second.wait) == (2.0, 4.0)
    assert _lived("claim", "lose", "claim").wait == 0.0


def test_a_job_that_is_handed_back_waits_as_long_as_it_was_told_and_no_longer_than_a_minute() -> None:
    active = LIVES[State.RENDERING]

    assert states.hand_back(active, 1, "paused", "x", 1.0).wait == 0.0
    assert states.hand_back(active, 1, "service-unavailable", "x", 1.0, 8.0).wait == 8.0
    assert states.hand_back(active, 1, "service-unavailable", "x", 1.0, 1e9).wait == MAX_WAIT_SECONDS


def test_hand_backs_never_end_in_quarantine_and_never_make_the_job_forget_a_loss() -> None:
    job = _lived("claim", "lose")
    for _ in range(100):
        job = EVENTS["hand back"](EVENTS["claim"](job))
        assert broken_invariants(job) == []

    assert (job.state, job.losses, job.attempt, len(job.attempts)) == (State.QUEUED, 1, 101, KEPT_ATTEMPTS)
    assert job.attempts[0].number == 1
    assert job.attempts[0].counted
    assert [a.number for a in job.attempts[1:]] == list(range(93, 102))


def test_a_retry_forgives_what_happened_and_remembers_it() -> None:
    again = states.retry(LIVES[State.QUARANTINED])

    assert (again.state, again.losses, again.attempt, again.error_code, again.error) == (State.QUEUED, 0, 3, "", "")
    assert [attempt.error for attempt in again.attempts] == ["gone"] * 3
    for number in (4, 5, 6):
        again = states.lose(states.claim(again, "w"), number, "x", "x", 1.0)
    assert (again.state, again.losses) == (State.QUARANTINED, MAX_ATTEMPTS)


def test_success_forgets_the_errors_of_earlier_attempts() -> None:
    done = states.finish(_lived("claim", "lose", "claim"), 2, ("a texture is absent",))

    assert (done.state, done.error_code, done.error) == (State.DONE, "", "")
    assert (done.images_done, done.warnings) == (160, ("a texture is absent",))


@pytest.mark.parametrize(("told", "shown"), [(5, 5), (0, 0), (-3, 0), (159, 159), (160, 160), (999, 160)])
def test_progress_stays_between_none_and_all(told: int, shown: int) -> None:
    job = states.progress(LIVES[State.LEASED], 1, told)

    assert job.images_done == shown
    assert job.state is (State.UPLOADING if shown == 160 else State.RENDERING)


def test_what_was_drawn_is_not_drawn_any_more_for_those_who_count_when_an_attempt_ends() -> None:
    for event in ("lose", "hand back"):
        assert EVENTS[event](LIVES[State.UPLOADING]).images_done == 0


def test_a_stale_attempt_is_a_conflict_with_its_own_code() -> None:
    assert issubclass(StaleAttempt, ConflictError)
    assert StaleAttempt.code == "stale-attempt"


def test_each_state_is_queued_active_or_ended() -> None:
    for state in State:
        assert (state is State.QUEUED) + state.active + state.ended == 1


@pytest.mark.parametrize("state", State)
def test_a_job_survives_json(state: State) -> None:
    job = replace(LIVES[state], warnings=("eins", "二"))

    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_a_job_names_its_morphs_by_index_and_name_in_few_bytes() -> None:
    assert NEW.to_json()["annotation"] == {"mouth/a": (4, "あ")}


def test_a_job_that_an_earlier_version_kept_is_read_with_its_bare_names() -> None:
    old = NEW.to_json() | {"annotation": {"mouth/a": "あ"}}

    job = Job.from_json(json.loads(json.dumps(old)))

    assert job == replace(NEW, annotation={"mouth/a": MorphRef(index=BARE, name="あ")})
    assert Job.from_json(json.loads(json.dumps(job.to_json()))) == job


def test_a_new_job_s_json_holds_nothing_that_goes_without_saying() -> None:
    assert set(NEW.to_json()) == {"id", "model", "name", "annotation", "samples", "images_total", "render_key"}


_BROKEN: dict[str, Job] = {
    "images drawn lie between none and all": replace(NEW, images_done=161),
    "a done job has all its images": replace(LIVES[State.DONE], images_done=3),
    "who works on a job is known": replace(LIVES[State.LEASED], worker=""),
    "a job that went wrong says why": replace(LIVES[State.FAILED], error=""),
    "a queued job has attempts left": replace(LIVES[State.QUARANTINED], state=State.QUEUED),
    "only quarantined jobs and those after them used up their attempts": replace(
        LIVES[State.QUARANTINED],
        attempt=4,
        attempts=(*LIVES[State.QUARANTINED].attempts, Attempt(4, "w", "x", "x", 1.0, True)),
    ),
    "attempts end in their order, before the present one": replace(LIVES[State.QUARANTINED], attempt=2),
    "only a queued job waits": replace(LIVES[State.LEASED], wait=1.0),
    "its memory is bounded": replace(
        NEW, attempt=99, attempts=tuple(Attempt(n, "w", "x", "x", 1.0, False) for n in range(1, KEPT_ATTEMPTS + 2))
    ),
}


@pytest.mark.parametrize("name", INVARIANTS)
def test_every_invariant_can_be_broken(name: str) -> None:
    assert broken_invariants(_BROKEN[name]) == [name]


def test_an_attempt_tells_how_many_samples_there_are() -> None:
    many = replace(LIVES[State.LEASED], samples=100, images_total=800, images_done=400)

    few = states.progress(many, many.attempt, 8, 20)

    assert (few.samples, few.images_total, few.images_done) == (20, 160, 8)
    assert states.progress(few, few.attempt, 160).state is State.UPLOADING
    assert states.finish(many, many.attempt, (), 20).images_done == 160
    assert states.finish(few, few.attempt, (), 100).images_total == 800


def _speak(job: Job, event: str, attempt: int, images: int) -> Job:
    """The event, made by attempt `attempt`."""
    match event:
        case "progress":
            return states.progress(job, attempt, images, max(1, images))
        case "finish":
            return states.finish(job, attempt, (), max(1, images))
        case "fail":
            return states.fail(job, attempt, "x", "x")
        case "lose":
            return states.lose(job, attempt, "x", "x", 1.0)
        case "hand back":
            return states.hand_back(job, attempt, "x", "x", 1.0, float(images))
        case _:
            return EVENTS[event](job)


FENCED = ("progress", "finish", "fail", "lose", "hand back")
_STEPS = st.lists(
    st.tuples(
        st.sampled_from([*FENCED, "claim", "claim", "cancel", "retry"]),
        st.sampled_from([0, 0, 0, 0, -1, 1]),
        st.integers(-5, 200),
    ),
    max_size=60,
)


@given(_STEPS)
@settings(max_examples=400)
def test_on_every_walk_all_invariants_hold_and_fences_stand(steps: list[tuple[str, int, int]]) -> None:
    """GIVEN any sequence of events, some by attempts that are over THEN only the present attempt's change the job."""
    job, counted = NEW, 0
    for event, off, images in steps:
        try:
            after = _speak(job, event, job.attempt + off, images)
        except StaleAttempt:
            assert event == "claim" or (event in FENCED and (off != 0 or not job.state.active))
            continue
        assert not (event in FENCED and off != 0)
        assert broken_invariants(after) == []
        assert after.attempt == job.attempt + (event == "claim")
        assert (after.id, after.model, after.render_key) == (job.id, job.model, job.render_key)
        counted = 0 if event == "retry" and after != job else counted + (event == "lose")
        assert counted <= MAX_ATTEMPTS
        assert after.state is not State.QUARANTINED or counted == MAX_ATTEMPTS
        assert Job.from_json(json.loads(json.dumps(after.to_json()))) == after
        job = after
