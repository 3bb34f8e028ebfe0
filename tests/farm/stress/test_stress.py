"""The load tool: its dice, its audit, its measurements, and a small run of the whole."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from farm.jobs import states
from farm.jobs.batches import BatchRecord
from farm.jobs.connection import Connection
from farm.jobs.orders import OrderedModel, new_job
from farm.jobs.queue import Queue
from farm.jobs.states import State
from farm.jobs.store import JobStore, utc_now
from farm.spec import RenderSpec
from farm.stress.audit import audit
from farm.stress.characters import annotation, model_ids
from farm.stress.fates import Fate, Odds, final_state
from farm.stress.measurements import Measurement, middle_rate

NOTHING_HAPPENS = Odds(seed=0, failures=0, deaths=0)
BATCH = "0123456789abcdef"


def test_the_dice_fall_as_often_as_the_odds_say() -> None:
    odds = Odds(seed=1, failures=0.1, deaths=0.05)
    courses = [odds.course(model) for model in model_ids(1, 20_000)]
    first = [course[0] for course in courses]
    deaths = sum(fate in (Fate.PROCESS_KILLED, Fate.WORKER_KILLED) for fate in first)
    assert deaths / len(first) == pytest.approx(0.05, rel=0.15)
    assert first.count(Fate.WORKER_KILLED) / deaths == pytest.approx(0.1, rel=0.4)
    assert first.count(Fate.BROKEN) / len(first) == pytest.approx(0.1 * 0.95, rel=0.15)
    ends = [final_state(course) for course in courses]
    assert ends.count(State.FAILED) / len(ends) == pytest.approx(0.1, rel=0.15)
    assert ends.count(State.QUARANTINED) / len(ends) == pytest.approx(0.145**3, rel=0.4)


def test_the_dice_fall_again_as_they_fell_before_and_otherwise_under_another_seed() -> None:
    models = model_ids(0, 1000)
    courses = [Odds(3, 0.1, 0.1).course(model) for model in models]
    assert courses == [Odds(3, 0.1, 0.1).course(model) for model in models]
    assert courses != [Odds(4, 0.1, 0.1).course(model) for model in models]


def test_a_course_ends_with_the_first_attempt_that_settles_the_job_or_with_the_third() -> None:
    for model in model_ids(0, 2000):
        *before, last = Odds(0, 0.3, 0.2).course(model)
        assert all(fate not in (Fate.DONE, Fate.BAD_MODEL) for fate in before)
        assert last in (Fate.DONE, Fate.BAD_MODEL) or len(before) == states.MAX_ATTEMPTS - 1


def test_fake_models_have_all_target_morphs() -> None:
    assert len(annotation()) == 23


def test_the_rate_is_that_of_the_middle_of_the_run() -> None:
    # 1000 jobs: the first hundred in 10 s, eight hundred in 4 s, the last hundred in 100 s.
    course = [(0.0, 0), (10.0, 100), (14.0, 900), (114.0, 1000)]
    assert middle_rate(course, 1000) == pytest.approx(200)


def test_a_figure_meets_its_goal_or_misses_it() -> None:
    assert Measurement("speed", 501, "jobs/s", at_least=500).met is True
    assert Measurement("speed", 499, "jobs/s", at_least=500).met is False
    assert Measurement("memory", 2049, "bytes", at_most=2048).met is False
    assert Measurement("latency", 3, "ms").met is None


@pytest.fixture
def finished(fresh_redis: str, tmp_path: Path) -> tuple[Connection, list[str], Path]:
    """A farm on which three jobs ended well: its Redis, its models, the renderers' ledger."""
    connection = Connection(fresh_redis)
    store, queue, models = JobStore(connection), Queue(connection), model_ids(0, 3)
    spec = RenderSpec()
    ordered = [OrderedModel(model=model, name="", annotation=annotation()) for model in models]
    jobs = [new_job(BATCH, place, model, spec) for place, model in enumerate(ordered)]
    store.add_batch(BATCH, BatchRecord("", spec, utc_now()), jobs)
    while taken := queue.take("worker@one"):
        store.change(taken.job, lambda job: states.claim(job, "worker@one"))
        store.change(taken.job, lambda job: states.finish(job, 1))
    ledger = tmp_path / "ledger"
    ledger.mkdir()
    (ledger / "1").write_text("".join(f"{model} 1 done\n" for model in models))
    return connection, models, ledger


def test_the_audit_finds_nothing_where_nothing_went_wrong(finished: tuple[Connection, list[str], Path]) -> None:
    connection, models, ledger = finished
    assert audit(connection, [BATCH], models, NOTHING_HAPPENS, ledger).all == []


def test_the_audit_finds_a_job_that_was_lost(finished: tuple[Connection, list[str], Path]) -> None:
    connection, models, ledger = finished
    connection.redis.hdel(f"farm:batch:{BATCH}:jobs", "2")
    findings = audit(connection, [BATCH], models, NOTHING_HAPPENS, ledger)
    assert findings.lost == [f"model {models[2]}: no batch has a job for it"]
    assert findings.wrong, "the counters still count it"


def test_the_audit_finds_a_job_that_has_not_ended(finished: tuple[Connection, list[str], Path]) -> None:
    connection, models, ledger = finished
    again = JobStore(connection).job(f"{BATCH}-2").to_json() | {"state": "queued", "images_done": 0}
    connection.redis.hset(f"farm:batch:{BATCH}:jobs", "2", json.dumps(again))
    findings = audit(connection, [BATCH], models, NOTHING_HAPPENS, ledger)
    assert findings.lost == [f"job {BATCH}-2: it is queued, attempt 1"]


def test_the_audit_finds_work_that_was_done_twice(finished: tuple[Connection, list[str], Path]) -> None:
    connection, models, ledger = finished
    (ledger / "2").write_text(f"{models[0]} 1 done\n")
    findings = audit(connection, [BATCH], models, NOTHING_HAPPENS, ledger)
    assert len(findings.repeated) == 1
    assert f"job {BATCH}-0" in findings.repeated[0]


def test_the_audit_finds_a_job_that_is_done_without_anybody_having_worked_on_it(
    finished: tuple[Connection, list[str], Path],
) -> None:
    connection, models, ledger = finished
    (ledger / "1").write_text("".join(f"{model} 1 done\n" for model in models[1:]))
    findings = audit(connection, [BATCH], models, NOTHING_HAPPENS, ledger)
    assert findings.lost == [f"job {BATCH}-0: it is done, and nobody worked on attempt 1"]


def test_the_audit_finds_an_ending_that_the_dice_did_not_want(finished: tuple[Connection, list[str], Path]) -> None:
    connection, models, ledger = finished
    odds = Odds(seed=0, failures=0.9, deaths=0)
    assert any(len(odds.course(model)) > 1 or odds.fate(model, 1) is not Fate.DONE for model in models)
    assert audit(connection, [BATCH], models, odds, ledger).wrong


@pytest.mark.parametrize("carried", ["--celery", "--no-celery"])
def test_a_farm_under_load_loses_and_repeats_nothing_though_its_workers_die(carried: str, tmp_path: Path) -> None:
    # GIVEN dice that kill processes and a whole worker, break attempts and have bad models
    seed, models = 20, 300
    odds = Odds(seed, 0.01, 0.01)
    fates = {fate for model in model_ids(seed, models) for fate in odds.course(model)}
    assert fates == set(Fate)
    # WHEN the farm does all of it
    report = tmp_path / "report.json"
    run = subprocess.run(
        [
            sys.executable, "-m", "farm", "stress", carried, f"--models={models}",
            "--batch=100", f"--seed={seed}", f"--failures={odds.failures}", f"--deaths={odds.deaths}", "--lease=3",
            "--known=1000", "--requests=100", f"--json={report}",
        ],
        capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    # THEN nothing is lost, and there are measurements
    assert run.returncode == 0, run.stdout + run.stderr
    content = json.loads(report.read_text())
    assert content["findings"] == []
    values = {measurement["name"]: measurement["value"] for measurement in content["figures"]}
    assert values["jobs completed"] > 0
    assert 500 < values["Redis' memory a queued job"] < 10_000
    assert values["GET /v1/batches/{id}, 1,000 jobs known: p99"] > 0
