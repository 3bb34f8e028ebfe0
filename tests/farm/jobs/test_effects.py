"""What follows from a change of a job: pure, so checked by counting."""

from collections import Counter
from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from farm.jobs.effects import Effects, effects
from farm.jobs.states import Job, StaleAttempt, State
from tests.farm.jobs.test_states import EVENTS, LIVES, NEW


def test_a_new_job_counts_as_queued_and_owes_its_images() -> None:
    assert effects(None, NEW) == Effects(
        counts={"queued": 1, "images_total": 160},
        backlog=160,
        errors={},
        drawn=0,
        leased=False,
        unqueued=False,
        queued="back",
        wait=0.0,
        open=1,
        model="m" * 64,
        model_uses=1,
    )


def test_a_new_job_that_is_done_already_owes_nothing() -> None:
    follows = effects(None, replace(NEW, state=State.DONE, images_done=160))

    assert follows.counts == {"done": 1, "images_total": 160, "images_done": 160}
    assert (follows.backlog, follows.open, follows.model_uses, follows.queued) == (0, 0, 0, "")


def test_a_claim_takes_the_job_out_of_the_queue_and_begins_a_lease() -> None:
    follows = effects(NEW, LIVES[State.LEASED])

    assert follows.counts == {"queued": -1, "leased": 1}
    assert (follows.unqueued, follows.queued, follows.leased, follows.backlog, follows.open) == (True, "", True, 0, 0)


def test_progress_lessens_the_backlog_and_counts_for_the_rate() -> None:
    follows = effects(LIVES[State.LEASED], LIVES[State.RENDERING])

    assert follows.counts == {"leased": -1, "rendering": 1, "images_done": 5}
    assert (follows.backlog, follows.drawn, follows.leased, follows.unqueued) == (-5, 5, True, False)


def test_an_attempt_that_ends_gives_its_images_back_to_the_backlog_and_draws_nothing_negative() -> None:
    follows = effects(LIVES[State.RENDERING], EVENTS["lose"](LIVES[State.RENDERING]))

    assert follows.counts == {"rendering": -1, "queued": 1, "images_done": -5}
    assert (follows.backlog, follows.drawn, follows.leased) == (5, 0, False)
    assert (follows.queued, follows.wait) == ("front", 2.0)


def test_a_job_handed_back_goes_to_the_front_and_one_retried_to_the_back() -> None:
    assert effects(LIVES[State.RENDERING], EVENTS["hand back"](LIVES[State.RENDERING])).queued == "front"
    assert effects(LIVES[State.FAILED], EVENTS["retry"](LIVES[State.FAILED])).queued == "back"


def test_a_failure_is_counted_under_its_code_until_the_job_is_retried() -> None:
    failed = effects(LIVES[State.RENDERING], EVENTS["fail"](LIVES[State.RENDERING]))
    retried = effects(LIVES[State.FAILED], EVENTS["retry"](LIVES[State.FAILED]))

    assert (failed.errors, failed.open, failed.model_uses, failed.backlog) == ({"model-format": 1}, -1, -1, -155)
    assert (retried.errors, retried.open, retried.model_uses) == ({"model-format": -1}, 1, 1)


def test_a_cancelled_job_that_was_queued_gives_up_its_place() -> None:
    follows = effects(NEW, EVENTS["cancel"](NEW))

    assert (follows.unqueued, follows.leased, follows.open, follows.backlog) == (True, False, -1, -160)


@given(st.lists(st.tuples(st.integers(0, 2), st.sampled_from(sorted(EVENTS))), max_size=60))
@settings(max_examples=300)
def test_summed_over_any_walk_the_effects_are_the_counts_of_the_jobs(walk: list[tuple[int, str]]) -> None:
    jobs: list[Job] = [replace(NEW, id=f"b-{index}") for index in range(3)]
    counts, errors, backlog, opened = Counter[str](), Counter[str](), 0, 0
    for job in jobs:
        follows = effects(None, job)
        counts.update(follows.counts)
        backlog, opened = backlog + follows.backlog, opened + follows.open

    for index, event in walk:
        try:
            after = EVENTS[event](jobs[index])
        except StaleAttempt:
            continue
        follows = effects(jobs[index], after)
        counts.update(follows.counts)
        errors.update(follows.errors)
        backlog, opened = backlog + follows.backlog, opened + follows.open
        jobs[index] = after

        assert {name: n for name, n in counts.items() if n} == {
            **Counter[str](job.state for job in jobs),
            "images_total": 480,
            **({"images_done": done} if (done := sum(job.images_done for job in jobs)) else {}),
        }
        assert opened == sum(not job.state.ended for job in jobs)
        assert backlog == sum(job.images_total - job.images_done for job in jobs if not job.state.ended)
        wrong = (job for job in jobs if job.state in (State.FAILED, State.QUARANTINED))
        assert +errors == Counter(job.error_code for job in wrong)
